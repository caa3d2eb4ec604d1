"""Commands: payloads of `down/command` IN, writes to devices and replies OUT.

A command is carried out at most once (`command_log`), never after it expired, and only where site and profile allow
it to the letter. It is done when the device's own registers say so.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast
from weakref import WeakValueDictionary

from device_profiles import items, registers
from device_profiles.items import Value
from device_profiles.schema import Argument, Command, Profile
from device_profiles.site_model import Device
from gateway.command_log import CommandLog, CommandLogError
from gateway.driver import Driver
from protocols import errors
from wire import messages
from wire.errors import MessageError
from wire.names import is_name

MAX_LIFETIME_MS = 24 * 3600 * 1000
MAX_AHEAD_MS = 60_000  # how far the issuer's clock may be ahead of ours
READ_BACKS = 4  # a lamp that fades needs a moment: so many looks, `settle` apart
MAX_REASON = 256  # characters, wire.messages' limit of a text

Reply = Callable[[dict[str, object]], Awaitable[None]]


class _Refusal(Exception):
    """The command must not reach a device. str() says why, for the operator."""


class _Unconfirmed(Exception):
    """The write was taken, but the read-back shows something else. read_back: what it shows."""

    def __init__(self, reason: str, read_back: Value | None) -> None:
        super().__init__(reason)
        self.read_back = read_back


class Buses(Protocol):
    """The devices that the site has at the moment, as gateway.buses has them."""

    def device(self, pole: str, name: str) -> Device | None: ...

    def lent(self, device: Device) -> AbstractAsyncContextManager[Driver]:
        """The driver that reaches the device; it stays while it is lent. Raises errors.DeviceError."""
        ...


class Commands:
    """malformed: payloads that could not even be answered, because they have no readable id."""

    def __init__(
        self,
        *,
        buses: Buses,
        profiles: Mapping[str, Profile],
        command_log: CommandLog,
        now_ms: Callable[[], int],
        log: Any,
        time_known: Callable[[], bool] = lambda: True,
    ) -> None:
        self.malformed = 0
        self._buses = buses
        self._profiles = profiles
        self._kept = command_log
        self._now_ms = now_ms
        self._time_known = time_known
        self._log = log
        # One command at a time for each device: a read-back must show this command's effect.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def handle(self, body: bytes, reply: Reply) -> None:
        """Carries one command out, and replies: accepted and then done, failed or expired; or only the latter."""
        try:
            command = messages.decode(body, messages.COMMAND)
        except MessageError as error:
            await self._malformed(body, error, reply)
            return
        name = str(command["id"])
        until = time.monotonic() + (cast(int, command["expires"]) - self._now_ms()) / 1000

        async def answer(state: str, **more: object) -> None:
            await reply({"id": name, "state": state, "time": self._now_ms(), **more})

        turn = self._turns.setdefault(f"{command['pole']}/{command['device']}", asyncio.Lock())
        async with turn:
            try:
                outcome = await self._carry_out(name, command, until, answer)
            except CommandLogError as error:
                outcome = {"state": "failed", "reason": f"nothing was done: {error}"}
        reason = str(outcome.pop("reason", ""))[:MAX_REASON]
        self._log.info("command", id=name, issuer=command["issuer"], **_target(command), **outcome, reason=reason)
        await answer(**cast(Any, outcome), **({"reason": reason} if reason else {}))

    async def _carry_out(
        self, name: str, command: dict[str, object], until: float, answer: Callable[..., Awaitable[None]]
    ) -> dict[str, object]:
        """The last reply: state, and reason and read_back where there are any."""
        known = self._kept.find(name)
        if known is not None:
            said = f": {known['reason']}" if "reason" in known else ""
            return {**known, "reason": f"repeated: nothing was done again{said}"}
        try:
            device, action, wanted = self._checked(command)
        except _Refusal as refusal:
            return {"state": "rejected", "reason": str(refusal)}
        if self._is_over(command, until):
            return {"state": "expired", "reason": "it came after its time: nothing was done"}
        if not self._kept.accept(name, expires=cast(int, command["expires"]), now_ms=self._now_ms()):
            return {"state": "rejected", "reason": "the gateway remembers as many commands as it can; try again later"}
        await answer("accepted")
        self._kept.start(name)
        outcome = await self._touch(command, until, device, action, wanted)
        try:
            self._kept.finish(name, outcome)
        except CommandLogError as error:  # it stays `started` there, which is enough to do nothing twice
            self._log.error("what became of a command is not written down", id=name, error=str(error))
        return outcome

    async def _touch(
        self, command: dict[str, object], until: float, device: Device, action: Command, wanted: Value | None
    ) -> dict[str, object]:
        def in_time() -> None:
            if self._is_over(command, until):
                raise _Refusal("it expired while it waited for the bus: nothing was written")

        try:
            async with self._buses.lent(device) as driver:
                await driver.write(device, action, wanted, in_time)
                if action.read_back is None:
                    return {"state": "done"}
                value = await self._read_back(driver, device, action, wanted)
        except _Refusal as refusal:
            return {"state": "expired", "reason": str(refusal)}
        except errors.DeviceError as error:
            return {"state": "failed", "reason": str(error)}
        except _Unconfirmed as error:
            read_back = {} if error.read_back is None else {"read_back": {action.read_back: error.read_back}}
            return {"state": "failed", "reason": str(error), **read_back}
        return {"state": "done", "read_back": {action.read_back: value}}

    def _checked(self, command: dict[str, object]) -> tuple[Device, Command, Value | None]:
        """Device, action and argument, each as site and profile allow it. Raises _Refusal."""
        if not self._time_known():
            raise _Refusal("the gateway does not know the time yet, so not whether this is in time: see its clock")
        issued, expires = cast(int, command["issued"]), cast(int, command["expires"])
        if not 0 < expires - issued <= MAX_LIFETIME_MS:
            raise _Refusal("expires is after issued, by a day at most")
        if issued > self._now_ms() + MAX_AHEAD_MS:
            raise _Refusal("issued lies in the future: compare the clocks of the issuer and of this gateway")
        device = self._buses.device(str(command["pole"]), str(command["device"]))
        if device is None:
            raise _Refusal(f"this gateway has no device {command['pole']}/{command['device']}")
        profile = self._profiles[device.profile]
        action = profile.commands.get(str(command["action"]))
        if action is None:
            known = ", ".join(profile.commands) or "none"
            raise _Refusal(f"{device.profile} has no action {command['action']}; it has: {known}")
        return device, action, _argument(action, cast(dict[str, object], command["args"]))

    def _is_over(self, command: dict[str, object], until: float) -> bool:
        # until: a clock that is set back while the command waits prolongs nothing
        return self._now_ms() > cast(int, command["expires"]) or time.monotonic() > until

    async def _read_back(self, driver: Driver, device: Device, action: Command, wanted: Value | None) -> Value:
        """What the device shows, once that is what was wanted. Raises _Unconfirmed."""
        assert action.read_back is not None
        expected = wanted if action.expect is None else action.expect
        allowed = _allowed(self._profiles[device.profile], action)
        value: Value | None = None
        trouble = ""
        for _ in range(READ_BACKS):
            await asyncio.sleep(action.settle)
            try:
                value = await driver.read(device, action.read_back)
            except (errors.Timeout, errors.BadAnswer) as error:
                trouble = f"written, but not read back: {error}"
                continue
            except registers.NoValue as reason:
                trouble = f"written, but {action.read_back} reads as no valid value ({reason})"
                continue
            if _agrees(value, expected, allowed):
                return value
            trouble = f"written {expected}, but {action.read_back} reads {value}"
        raise _Unconfirmed(trouble, value)

    async def _malformed(self, body: bytes, error: MessageError, reply: Reply) -> None:
        self._log.warning("malformed command", error=str(error), bytes=len(body))
        name = _readable_id(body)
        if name is None:
            self.malformed += 1
            return
        await reply({"id": name, "state": "rejected", "time": self._now_ms(), "reason": str(error)[:MAX_REASON]})


def _allowed(profile: Profile, action: Command) -> float:
    """How far the read-back may be from what was written: a step of the coarser of both."""
    back = profile.points[action.read_back or ""]
    steps = [registers.resolution(at) for at in (back.at, action.write) if at is not None]
    steps += [items.resolution(item) for item in (back.item, action.item) if item is not None]
    return max(action.tolerance, *steps)


def _agrees(value: Value, expected: Value | None, allowed: float) -> bool:
    if isinstance(value, str) or isinstance(expected, str) or expected is None:
        return value == expected
    return abs(value - expected) <= allowed


def _argument(action: Command, args: dict[str, object]) -> Value | None:
    """The argument, of the right kind and in range; None where the action has none. Raises _Refusal."""
    if set(args) != set(action.args):
        wanted = ", ".join(action.args) or "none"
        raise _Refusal(f"the arguments are exactly {wanted}; not {', '.join(sorted(args)) or 'none'}")
    for name, argument in action.args.items():
        if argument.length is not None:
            return _text(name, argument, args[name])
        return _number(name, argument, args[name], action)
    return None


def _text(name: str, argument: Argument, value: object) -> str:
    assert argument.length is not None
    fewest, most = argument.length
    if not isinstance(value, str):
        raise _Refusal(f"{name} is a text, not {value!r}")
    if not fewest <= len(value) <= most:
        raise _Refusal(f"{name} has {fewest} to {most} characters, not {len(value)}")
    if not value.isprintable():
        raise _Refusal(f"{name} has a character that cannot be printed: {value!r}")
    return value


def _number(name: str, argument: Argument, value: object, action: Command) -> float | bool:
    assert argument.range is not None
    is_bool = action.write.type == "bool" if action.write else action.item is not None and action.item.type == "bool"
    if not isinstance(value, int | float):
        raise _Refusal(f"{name} is a number, not {value!r}")
    low, high = argument.range
    if isinstance(value, bool) and not is_bool:
        raise _Refusal(f"{name} is a number from {low:g} to {high:g}, not {value!r}")
    if not low <= value <= high:
        raise _Refusal(f"{name} is from {low:g} to {high:g}, not {value!r}")
    try:
        if action.write is not None:
            registers.words(action.write, value)
        elif action.item is not None:
            items.raw(action.item, value)
    except ValueError as error:
        raise _Refusal(str(error)) from None
    if not is_bool:
        return value
    if value not in (0, 1):
        raise _Refusal(f"{name} is 0 or 1, not {value!r}")
    return bool(value)


def _readable_id(body: bytes) -> str | None:
    try:
        command = messages.decode(body, {"id": "name"})
    except MessageError:
        return None
    return str(command["id"]) if is_name(command["id"]) else None


def _target(command: dict[str, object]) -> dict[str, object]:
    return {key: command[key] for key in ("pole", "device", "action", "args")}
