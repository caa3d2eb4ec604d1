"""Bus time a reading: what the gateway plans and needs, beside the other ways to read the same points."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench import master, mixes, plans
from bench.plans import Read
from bench.rig import folder, rig
from bench.wire import EmulatedBus, Place, Wire
from device_profiles.bus_time import Line
from device_profiles.schema import Profile

OURS, PYMODBUS, BEST = "ours", "pymodbus", "telegraf, best fill"
TOLERANT = "pymodbus, devices that need no silence"
LOAD = 0.3  # of the bus, while the gateway is measured: no turn falls out
WARM_S = 2.0
LONGEST_S = 60.0  # slower polls than this do not come in the time of a measurement; the plan counts them


def planned(profiles: Mapping[str, Profile], bauds: Sequence[int]) -> list[dict[str, Any]]:
    """Milliseconds of bus time a reading by every way, at the profiles' own periods: each mix, each profile alone."""
    alone = {name: (name,) for name, profile in sorted(profiles.items()) if profile.modbus is not None}
    return [
        {"mix": mix, "baud": baud, **_planned(mixes.places(names, profiles), Line(baud=baud))}
        for baud in bauds
        for mix, names in {**mixes.MIXES, **alone}.items()
    ]


def _planned(places: Sequence[Place], line: Line) -> dict[str, Any]:
    ways = {OURS: plans.ours(places, line)}
    wanted = plans.fields(places)
    ways |= {name: plans.reads(wanted, way) for name, way in plans.WAYS.items()}
    ways[BEST] = plans.telegraf_at_best(wanted, line)
    rate = plans.readings_a_second(places)
    return {
        "ms_a_reading": {name: round(1000 * plans.load(line, reads) / rate, 3) for name, reads in ways.items()},
        "requests_an_hour": {name: round(sum(3600 / read.every for read in reads)) for name, reads in ways.items()},
    }


async def measured(
    profiles: Mapping[str, Profile],
    *,
    names: Sequence[str],
    bauds: Sequence[int],
    seconds: float,
    told: Callable[[str], None],
) -> list[dict[str, Any]]:
    """The same on the wire: the gateway for `seconds` a mix, every other way once through its list."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    quick = {name: _no_slow_polls(profile) for name, profile in profiles.items()}
    return [
        {"mix": mix, "baud": baud, "ways": await _ways(mix, mixes.places(mixes.MIXES[mix], quick), baud, seconds, told)}
        for mix in names
        for baud in bauds
    ]


async def _ways(
    mix: str, places: Sequence[Place], baud: int, seconds: float, told: Callable[[str], None]
) -> dict[str, Any]:
    told(f"bus time a reading: {mix} at {baud} baud, {OURS}")
    row = {OURS: await _gateway(places, baud, seconds)}
    for name, way in plans.WAYS.items():
        told(f"bus time a reading: {mix} at {baud} baud, {name}")
        row[name] = await _other(places, baud, plans.reads(plans.fields(places), way))
    told(f"bus time a reading: {mix} at {baud} baud, {PYMODBUS}")
    runs = plans.reads(plans.fields(places), plans.each_run)
    row[PYMODBUS] = await _other(places, baud, runs, by_pymodbus=True)
    row[TOLERANT] = await _other(places, baud, runs, by_pymodbus=True, strict=False)
    return row


def _no_slow_polls(profile: Profile) -> Profile:
    kept = {name: group for name, group in profile.polls.items() if group.every <= LONGEST_S}
    points = {name: point for name, point in profile.points.items() if point.poll in kept}
    return profile.model_copy(update={"polls": kept, "points": points, "commands": {}})


async def _gateway(places: Sequence[Place], baud: int, seconds: float) -> dict[str, Any]:
    line = Line(baud=baud)
    factor = plans.load(line, plans.ours(places, line)) / LOAD
    hurried = [
        Place(profile=mixes.with_periods(each.profile, factor), unit=each.unit, channel=each.channel)
        for each in places
    ]  # fmt: skip
    with folder() as path:
        async with rig(EmulatedBus(name="bus", path=path / "bus", places=tuple(hurried), baud=baud)) as running:
            await asyncio.sleep(WARM_S)
            window = (await running.window(seconds))["bus"]
    return {
        "ms_a_reading": round(1000 * window.account.wire_s / window.readings, 3),
        "readings": window.readings,
        "requests": window.account.transactions,
        "violations": window.account.violations,
    }


async def _other(
    places: Sequence[Place], baud: int, reads: Sequence[Read], *, by_pymodbus: bool = False, strict: bool = True
) -> dict[str, Any]:
    with folder() as path:
        bus = EmulatedBus(name="bus", path=path / "bus", places=tuple(places), baud=baud, strict=strict)
        with Wire(bus) as wire:
            if by_pymodbus:
                outcome = await master.pymodbus(bus, reads)
            else:
                outcome = await asyncio.to_thread(master.plain, bus, reads)
            account = wire.account("bus")
    made = list(account.journal)
    row = {
        "requests": len(reads), "elapsed_s": round(outcome.seconds, 3), "wire_s": round(account.wire_s, 3),
        "violations": account.violations, "refused": len(outcome.refused), "without_an_answer": len(outcome.silent),
    }  # fmt: skip
    if len(made) == len(reads) and not outcome.refused and not outcome.silent:
        busy = sum(each.wire / read.every for each, read in zip(made, reads, strict=True))
        row["ms_a_reading"] = round(1000 * busy / plans.readings_a_second(places), 3)
    return row
