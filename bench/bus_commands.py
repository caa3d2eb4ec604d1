"""How long a command waits for the wire while its bus is fully loaded."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench import mixes
from bench.bus_saturation import TOO_SHORT
from bench.rig import Rig, folder, rig
from bench.wire import EmulatedBus
from device_profiles.schema import Profile
from simulators.wire_account import Transaction

PROFILE, COMMAND = "phoenix-ac1m", "set_current"
VALUES = (6.0, 16.0)
PAUSE_S = 0.03  # at most, between an answer and the next command: they fall anywhere in a transaction
WRITES = (5, 6, 15, 16)


async def measure(
    profiles: Mapping[str, Profile],
    *,
    baud: int,
    latency: float | None,
    count: int,
    seconds: float,
    told: Callable[[str], None],
) -> dict[str, Any]:
    """`count` commands, fewer where the time ends before."""
    hurried = {name: mixes.with_periods(profile, TOO_SHORT) for name, profile in profiles.items()}
    places = mixes.places(mixes.MIXES["demo bus"], hurried, latency)
    with folder() as path:
        async with rig(EmulatedBus(name="bus", path=path / "bus", places=places, baud=baud)) as running:
            told(f"commands under full load at {baud} baud")
            await running.window(1)
            running.start()
            issued = await _issue(running, profiles[PROFILE], count, seconds)
            window = running.stop()["bus"]
    return {"baud": baud, "latency_ms": latency and 1000 * latency, **_row(issued, window.transactions)}


async def _issue(running: Rig, profile: Profile, count: int, seconds: float) -> list[float]:
    """When each command was issued (CLOCK_MONOTONIC)."""
    device = next(device for device in running.devices["bus"] if device.profile == PROFILE)
    issued: list[float] = []
    until = time.monotonic() + seconds
    while len(issued) < count and time.monotonic() < until:
        await asyncio.sleep(random.uniform(0, PAUSE_S))
        issued.append(time.monotonic())
        value = VALUES[len(issued) % len(VALUES)]
        await running.drivers["bus"].write(device, profile.commands[COMMAND], value, lambda: None)
    return issued


def _row(issued: list[float], made: list[Transaction]) -> dict[str, Any]:
    writes = [each for each in made if each.request[0] in WRITES]
    assert len(writes) == len(issued), f"{len(issued)} commands were issued, {len(writes)} were on the wire"
    between = sorted(
        sum(at < each.start < write.start for each in made) for at, write in zip(issued, writes, strict=True)
    )
    typical = statistics.mean(each.wire for each in made)
    waits = sorted(write.start - at for at, write in zip(issued, writes, strict=True))
    return {
        "commands": len(issued),
        "transaction_ms": round(1000 * typical, 2),
        "begun_in_between": {"p50": share_of(between, 0.5), "p99": share_of(between, 0.99), "most": between[-1]},
        "wait_ms": {"p50": _ms(waits, 0.5), "p99": _ms(waits, 0.99), "most": _ms(waits, 1)},
        "wait_in_transactions": {
            "p50": round(share_of(waits, 0.5) / typical, 2), "p99": round(share_of(waits, 0.99) / typical, 2)
        },
        "longest_transaction_ms": round(1000 * max(each.wire for each in made), 2),
    }  # fmt: skip


def share_of(ordered: list[Any], part: float) -> Any:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _ms(ordered: list[float], part: float) -> float:
    return round(1000 * float(share_of(ordered, part)), 2)
