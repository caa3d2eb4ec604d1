"""`pole bus write`: carries one order out as the gateway carries commands out, and says what was there before."""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import structlog
import typer

from device_profiles.items import Value
from device_profiles.schema import Profile
from device_profiles.site_model import Device
from gateway import drivers
from gateway.command_log import CommandLog
from gateway.commands import Commands
from gateway.driver import Driver
from pole.bus_order import RAW, Order
from pole.bus_target import Target
from pole.trial import view
from pole.trial.advice import port_trouble
from pole.trial.outcome import Round, Shown
from pole.trial.way import Way
from protocols.errors import LineDown
from wire import messages

LIFETIME_MS = 60_000


def write(target: Target, wanted: Order, *, is_sure: bool, as_json: bool) -> bool:
    """Reads, asks where nothing checks what is written, writes, reads again. True when done. Raises ValueError."""
    seen = asyncio.run(_before(target, wanted))
    was = seen.shown.get(wanted.point or "")
    down = next((each.error for each in seen.asked if isinstance(each.error, LineDown)), None)
    if down is not None:
        raise ValueError(port_trouble(down))
    if wanted.is_raw and not is_sure:
        _confirm(target, wanted, was)
    reply = asyncio.run(_carried_out(target, wanted, is_readable=was is not None))
    done = bool(reply["state"] == "done")
    after = reply.get("read_back", {}).get(wanted.point)
    if as_json:
        document = {
            "state": reply["state"], "reason": reply.get("reason"), "point": wanted.point,
            "before": was.value if was else None, "raw_before": was.raw if was else None, "after": after,
        }  # fmt: skip
        print(json.dumps(document, ensure_ascii=False))
        return done
    print(f"{wanted} to {target.where}: {reply['state']}{': ' + reply['reason'] if reply.get('reason') else ''}")
    if wanted.point is not None:
        print(f"{wanted.point}: was {_told(wanted, was)}" + ("" if after is None else f", is {_value(wanted, after)}"))
    if done and wanted.is_raw and was is None:
        print("the device took it; it cannot be read back")
    return done


def _confirm(target: Target, wanted: Order, was: Shown | None) -> None:
    """Raises ValueError where nobody says yes."""
    if not sys.stdin.isatty():
        raise ValueError("a register by its address reaches the device unchecked: --yes says that this is meant")
    told = f"{wanted.point} of {target.where} is {_told(wanted, was)}. {wanted} reaches the device unchecked."
    print(told, file=sys.stderr)  # the output may be for a program
    if typer.prompt("Type write to go on", default="", show_default=False, err=True) != "write":
        raise ValueError("nothing was written")


def _told(wanted: Order, shown: Shown | None) -> str:
    if shown is None:
        return "not readable"
    if shown.value is None:
        return f"no valid value (raw {shown.raw})"
    return f"{_value(wanted, shown.value)} (raw {shown.raw})"


def _value(wanted: Order, value: Value) -> str:
    return view.told(wanted.profile.points[wanted.point or ""], value)


async def _before(target: Target, wanted: Order) -> Round:
    """What stands there now. Raises ValueError."""
    if wanted.point is None:
        return Round()
    profile = wanted.profile.model_copy(update={"points": {wanted.point: wanted.profile.points[wanted.point]}})
    async with Way(profile=profile, given=target.given(), patience=0).open() as trial:
        return await trial.round()


async def _carried_out(target: Target, wanted: Order, *, is_readable: bool) -> dict[str, Any]:
    """The reply that a gateway would give. is_readable: what was written can be read back."""
    profile = wanted.profile
    if wanted.is_raw and is_readable:
        shown = profile.commands[RAW].model_copy(update={"read_back": wanted.point})
        profile = profile.model_copy(update={"commands": {RAW: shown}})
    device = Device.model_construct(
        pole="bench", device="device", profile=profile.profile, bus="bus", unit=target.unit, channel=target.channel,
        address=None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        commands = Commands(
            buses=_OneDevice(target, device, profile), profiles={profile.profile: profile},
            command_log=CommandLog(Path(folder) / "commands.db"), now_ms=_now_ms, log=_quiet(),
        )  # fmt: skip
        replies: list[dict[str, Any]] = []

        async def reply(told: dict[str, object]) -> None:
            replies.append(told)

        await commands.handle(_message(wanted), reply)
    return replies[-1]


class _OneDevice:
    """The gateway's buses, as far as Commands knows them: one bus with one device."""

    def __init__(self, target: Target, device: Device, profile: Profile) -> None:
        self._target = target
        self._only = device
        self._profile = profile

    def device(self, pole: str, name: str) -> Device | None:
        return self._only

    @contextlib.asynccontextmanager
    async def lent(self, device: Device) -> AsyncIterator[Driver]:
        async def durable() -> None: ...

        driver = drivers.driver(
            name="bus", bus=self._target.bus, devices=[device], profiles={self._profile.profile: self._profile},
            on_readings=lambda readings, urgent: None, now_ms=_now_ms, durable=durable, log=_quiet(),
        )  # fmt: skip
        try:
            yield driver
        finally:
            await driver.close()


def _message(wanted: Order) -> bytes:
    now = _now_ms()
    return messages.encode(
        {
            "id": uuid.uuid4().hex, "issued": now, "expires": now + LIFETIME_MS, "issuer": "bench", "pole": "bench",
            "device": "device", "action": wanted.action, "args": wanted.args,
        },
        messages.COMMAND,
    )  # fmt: skip


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _quiet() -> Any:
    return structlog.wrap_logger(structlog.PrintLogger(), processors=[_drop])


def _drop(*_: object) -> Any:
    raise structlog.DropEvent
