"""`pole bench bus`: what the gateway makes of a serial bus, on an emulated wire that keeps a wire's own time."""

import asyncio
import os
import platform
import time
from collections.abc import Callable
from typing import Any

from bench import bus_commands, bus_faults, bus_plans, bus_refusal, bus_saturation, bus_view
from bench.bus_saturation import HARSH_S
from bench.wire import real_time
from device_profiles import loader

BAUDS = (9600, 115200)
TIMES_LESS = 5.0  # than one request a register, on the demo pole
GROWTH = 0.05  # of the others' period by one dead device
ROUNDING = 0.0005  # ms
NOISE = 0.02  # of a period, from one window to the next


def run(*, quick: bool = False, told: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Everything in one run, some five minutes; quick: half a minute, too short for figures. told: what it is at.

    "verdicts" says of each promise whether it is kept.
    """
    began = time.monotonic()
    usual = os.sched_getscheduler(0), os.sched_getparam(0)
    priority = real_time()  # the gateway is measured here, and not what else this machine does
    try:
        result = asyncio.run(_parts(quick, told))
    finally:
        os.sched_setscheduler(0, *usual)
    result["verdicts"] = verdicts(result)
    result["machine"] = {
        "cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0], "priority": priority,
    }  # fmt: skip
    result["quick"] = quick
    result["seconds"] = round(time.monotonic() - began, 1)
    return result


show = bus_view.show


async def _parts(quick: bool, told: Callable[[str], None]) -> dict[str, Any]:
    profiles = loader.profiles()
    saturation: dict[str, Any] = {"seconds": 0.7, "rounds": 1, "cases": bus_saturation.QUICK} if quick else {
        "seconds": 1.5, "rounds": 3,
    }  # fmt: skip
    long = 3.0 if quick else 20.0
    flaky = [] if quick else [bus_faults.EVERY_2ND, bus_faults.EVERY_3RD]
    commands = [(9600, HARSH_S), (115200, HARSH_S)] if quick else [(9600, None), (9600, HARSH_S), (115200, HARSH_S)]
    return {
        "saturation": await bus_saturation.measure(profiles, **saturation, told=told),
        "planned": bus_plans.planned(profiles, BAUDS),
        "measured": await bus_plans.measured(
            profiles, names=["demo pole"], bauds=BAUDS[:1] if quick else BAUDS, seconds=3 if quick else 10, told=told
        ),
        "refusal": await bus_refusal.measure(profiles, baud=BAUDS[1], seconds=6 if quick else 20, told=told),
        "dead": await bus_faults.measure(
            profiles, faults=[bus_faults.DEAD], baud=9600, seconds=long, settle=long * 0.4, told=told
        ),
        "flaky": await bus_faults.measure(profiles, faults=flaky, baud=9600, seconds=10, settle=5, told=told),
        "commands": [
            await bus_commands.measure(
                profiles, baud=baud, latency=latency, count=15 if quick else 200, seconds=40, told=told
            )
            for baud, latency in commands
        ],
    }


def verdicts(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What was promised, what it should be, what it is, and whether that is kept."""
    found = [_share(result, baud) for baud in BAUDS]
    found += [_least(result), _times_less(result, "demo pole"), _times_less(result, "demo bus")]
    lost = result["refusal"]["ours"]["readings_lost_afterwards"]
    found.append(_verdict("a refused hole: readings lost once it is known", 0, lost, most=True))
    dead = result["dead"][0]
    found.append(_verdict("one dead device of 16: the others' period grows", GROWTH, dead["others_period"], most=True))
    other = None if dead["unit_1_of_the_other_bus"] is None else abs(dead["unit_1_of_the_other_bus"])
    found.append(_verdict("a dead unit 1: unit 1 of another bus changes", NOISE, other, most=True))
    between = max(row["begun_in_between"]["p99"] for row in result["commands"])
    found.append(_verdict("transactions that begin before an issued command (p99)", 1, between, most=True))
    return found


def _share(result: dict[str, Any], baud: int) -> dict[str, Any]:
    """The worst case; of its rounds the one that the machine's other work disturbed least, as timeit has it."""
    least = min(row["share_most"] for row in result["saturation"] if row["baud"] == baud)
    what = f"saturated bus at {baud} baud: time on the wire / elapsed, the worst case"
    return _verdict(what, bus_saturation.WANTED[baud], least)


def _least(result: dict[str, Any]) -> dict[str, Any]:
    worse = [
        f"{row['mix']} at {row['baud']}: {way}"
        for row in result["planned"]
        for way, spent in row["ms_a_reading"].items()
        if spent < row["ms_a_reading"][bus_plans.OURS] - ROUNDING
    ]
    kept = _verdict("mixes and single profiles on which another way needs less bus time", 0, len(worse), most=True)
    return {**kept, "which": worse}


def _times_less(result: dict[str, Any], mix: str) -> dict[str, Any]:
    row = next(row for row in result["planned"] if row["mix"] == mix and row["baud"] == BAUDS[0])
    spent = row["ms_a_reading"]
    times = spent["one request a register"] / spent[bus_plans.OURS]
    what = f"{mix} at {BAUDS[0]} baud: bus time a reading, times less than one request a register"
    return _verdict(what, TIMES_LESS, times)


def _verdict(what: str, wanted: float, got: float | None, *, most: bool = False) -> dict[str, Any]:
    """got: None where the time was too short to see it."""
    kept = got is not None and (got <= wanted if most else got >= wanted)
    return {"what": what, "wanted": wanted, "got": None if got is None else round(got, 4), "kept": kept}
