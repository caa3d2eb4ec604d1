"""Devices that speak by themselves: a Listener IN, readings OUT, and a word when somebody has fallen silent."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from device_profiles import items
from device_profiles.items import Value
from device_profiles.schema import Command, Profile
from device_profiles.site_model import Device
from gateway.clock import SET_AFTER_MS, WALL_FROM_MS, believed
from gateway.driver import Counters, OnReadings, counted, noted
from gateway.told import Answer, Told
from protocols import errors

TELL_S = 30.0  # a Listener bounds its own time; this is for one that does not
WATCH_S = 1.0
SILENT_PERIODS = 3  # a group is silent when it was not heard for so many of its periods
STRANGERS = 1000  # addresses that nobody knows are each logged once, up to so many

Heard = Callable[[str, Answer, int | None], None]  # address, items, ms since 1970 or None for now
Durable = Callable[[], Awaitable[None]]  # returns when all that was heard so far is on the disk


class Listener(Protocol):
    """One protocol's ear. Connections, memory and time are bounded, whatever devices send."""

    async def run(self, heard: Heard, durable: Durable) -> None:
        """Listens until cancelled. Raises nothing: a port that is taken is tried again.

        A device that keeps what is not confirmed gets its confirmation after durable().
        """
        ...

    async def tell(
        self, address: str, name: str, raw: int | float | bool | str | None, *, before: Callable[[], None]
    ) -> None:
        """Returns when the device took it. Raises errors.DeviceError.

        before() is called last before the command leaves, after all waiting; what it raises stops that.
        """
        ...

    async def close(self) -> None: ...


class _Heard:
    """One device: when each of its groups was heard last, and its latest values."""

    def __init__(self, device: Device, told: Told, groups: Sequence[str], now: float) -> None:
        self.device = device
        self.told = told
        self.at = dict.fromkeys(groups, now)
        self.silent: set[str] = set()
        self.values: dict[str, tuple[float, Value]] = {}
        self.told_at = 0.0  # when a command was last sent


class Hearing:
    def __init__(
        self,
        *,
        name: str,
        listener: Listener,
        devices: Sequence[Device],
        profiles: Mapping[str, Profile],
        on_readings: OnReadings,
        now_ms: Callable[[], int],
        durable: Durable,
        log: Any,
    ) -> None:
        self.counters = Counters()
        self._name = name
        self._durable = durable
        self._listener = listener
        self._profiles = profiles
        self._now_ms = now_ms
        self._log = log
        self._ended = False
        self._strangers: set[str] = set()
        self._clocks_doubted: set[str] = set()
        self._heard: dict[str, _Heard] = {}
        for device in devices:
            told = Told(device=device, bus=name, profile=profiles[device.profile], on_readings=on_readings, log=log)
            groups = list(profiles[device.profile].polls)
            self._heard[device.where.lower()] = _Heard(device, told, groups, 0.0)

    @property
    def figures(self) -> dict[str, float]:
        return {**counted(self.counters), "silent": sum(bool(each.silent) for each in self._heard.values())}

    async def run(self) -> None:
        now = asyncio.get_running_loop().time()
        for each in self._heard.values():  # silence counts from the start
            each.at = dict.fromkeys(each.at, now)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listener.run(self.heard, self._durable), name=f"listener {self._name}")
            tasks.create_task(self._watch(), name=f"silence {self._name}")
            try:
                await asyncio.Event().wait()
            finally:
                self._ended = True  # that connections end with us says nothing about the devices

    async def write(self, device: Device, command: Command, wanted: Value | None, in_time: Callable[[], None]) -> None:
        assert command.item is not None
        before, stopped = noted(in_time)
        self.counters.requests += 1
        self._heard[device.where.lower()].told_at = asyncio.get_running_loop().time()
        raw = items.raw(command.item, wanted) if wanted is not None else None
        try:
            async with asyncio.timeout(TELL_S):
                await self._listener.tell(device.where, command.item.name, raw, before=before)
        except (errors.Timeout, TimeoutError) as error:
            self.counters.timeouts += 1
            raise errors.Timeout(str(error) or "no answer") from None
        except errors.DeviceError:
            self.counters.errors += 1
            raise
        except Exception as error:  # a library that trips over a device's bytes must not end the gateway
            if stopped:
                raise stopped[0] from None
            self.counters.errors += 1
            raise errors.BadAnswer("noise", f"{type(error).__name__}: {error}") from error

    async def read(self, device: Device, point: str) -> Value:
        each = self._heard[device.where.lower()]
        at, value = each.values.get(point, (0.0, None))
        if value is None or at < each.told_at:
            raise errors.Timeout(f"the device has not told {point} since")
        return value

    async def close(self) -> None:
        await self._listener.close()

    def heard(self, address: str, answer: Answer, time_ms: int | None) -> None:
        """What a device said."""
        if self._ended:
            return
        each = self._heard.get(address.lower())
        if each is None:
            self._stranger(address)
            return
        now = asyncio.get_running_loop().time()
        each.told.answered()
        stamp = self._believed(each, time_ms)
        for group in each.at:
            points = each.told.points_of(group)
            names = [name for name, point in points.items() if point.item is not None and point.item.name in answer]
            if not names:
                continue
            each.at[group] = now
            each.silent.discard(group)
            values = each.told.tell(answer, names, time_ms=stamp, now=now, whole=False, again=stamp == time_ms)
            each.values |= {name: (now, value) for name, value in values.items()}

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            now = asyncio.get_running_loop().time()
            for each in self._heard.values():
                for group, plan in self._profiles[each.device.profile].polls.items():
                    if now - each.at[group] > SILENT_PERIODS * plan.every:
                        self._is_silent(each, group, now)

    def _is_silent(self, each: _Heard, group: str, now: float) -> None:
        if group not in each.silent:
            each.silent.add(group)
            self.counters.timeouts += 1
            seconds = round(now - each.at[group])
            self._log.warning("not heard", **each.told.where, group=group, for_s=seconds)
        each.told.missed(each.told.points_of(group), errors.Timeout.quality, time_ms=self._now_ms(), now=now)

    def _believed(self, each: _Heard, time_ms: int | None) -> int:
        """The device's own time, unless its clock is certainly wrong; nothing was measured later than now."""
        now_ms = self._now_ms()
        if time_ms is None:
            return now_ms
        if now_ms < WALL_FROM_MS:  # ours is not known: the device's is judged when it is
            return time_ms if time_ms >= SET_AFTER_MS else now_ms
        if (told := believed(time_ms, now_ms)) is not None:
            self._clocks_doubted.discard(each.device.id)
            return told
        if each.device.id not in self._clocks_doubted:
            self._clocks_doubted.add(each.device.id)
            off_s = round((time_ms - now_ms) / 1000)
            self._log.warning("clock of the device is wrong: ours is taken", **each.told.where, off_s=off_s)
        return now_ms

    def _stranger(self, address: str) -> None:
        self.counters.errors += 1
        if address not in self._strangers and len(self._strangers) < STRANGERS:
            self._strangers.add(address)
            self._log.warning("a device that the site file does not name", bus=self._name, address=address[:64])
