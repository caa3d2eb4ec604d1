"""A device that gives its registers but not the hole between them, read by a plan that bridges the hole."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from bench import mixes, plans
from bench.rig import folder, rig
from bench.wire import EmulatedBus, Place
from device_profiles.bus_time import Line
from device_profiles.schema import Profile

MIX, UNIT, HOLE = "demo pole", 1, ("input", 40)  # between power and frequency of an SDM120
HURRY = 0.1  # of the profiles' periods


async def measure(
    profiles: Mapping[str, Profile], *, baud: int, seconds: float, told: Callable[[str], None]
) -> dict[str, Any]:
    """The gateway meets the refusal while it runs; what Telegraf's plan would lose follows from its rule: its input
    drops all fields of a unit where one request failed (readSlaveData in plugins/inputs/modbus/modbus.go, 1.40).
    """
    told(f"a hole that a device refuses, at {baud} baud")
    hurried = {name: mixes.with_periods(profile, HURRY) for name, profile in profiles.items()}
    places = mixes.places(mixes.MIXES[MIX], hurried)
    with folder() as path:
        async with rig(EmulatedBus(name="bus", path=path / "bus", places=places, baud=baud)) as running:
            await asyncio.sleep(seconds / 4)
            running.wire.fault("bus", UNIT, refused=frozenset({HOLE}))
            meeting = (await running.window(seconds / 2))["bus"]
            after = (await running.window(seconds / 2))["bus"]
    touching = [read for read in plans.ours(places, Line(baud=baud)) if _touches(read)]
    return {
        "baud": baud,
        "ours": {
            "bridged": bool(touching),
            "readings_lost_while_it_learned": meeting.spoilt,
            "readings_lost_afterwards": after.spoilt,
            "ms_a_reading_afterwards": round(1000 * after.account.wire_s / after.readings, 3),
        },
        "telegraf": _telegraf(mixes.places(mixes.MIXES[MIX], profiles)),
    }


def _touches(read: plans.Read) -> bool:
    table, place = HOLE
    return read.unit == UNIT and read.table == table and read.address <= place < read.address + read.count


def _telegraf(places: tuple[Place, ...]) -> dict[str, float]:
    """Readings a second that are never taken, of all; one plugin a poll group."""
    wanted = plans.fields(places)
    failed = {read.every for read in plans.reads(wanted, plans.telegraf) if _touches(read)}
    lost = sum(len(each.spots) / each.every for each in wanted if each.unit == UNIT and each.every in failed)
    return {"readings_lost_a_second": round(lost, 3), "of": round(plans.readings_a_second(places), 3)}
