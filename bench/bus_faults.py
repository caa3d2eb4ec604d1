"""What one device that is dead or flaky costs the others, on its own bus and on another one of the same gateway."""

import asyncio
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench import mixes
from bench.bus_saturation import HARSH_S, TOO_SHORT
from bench.rig import Rig, Window, folder, rig
from bench.wire import EmulatedBus
from device_profiles.schema import Profile

AMONG = 16
ILL, OTHER = "ill", "other"  # the two buses
UNIT = 1
WARM_S = 2.0
DEAD, EVERY_2ND, EVERY_3RD = "dead", "answers every 2nd time", "answers every 3rd time"
FAULTS: dict[str, dict[str, object]] = {
    DEAD: {"silent": True},
    EVERY_2ND: {"answers_every": 2},
    EVERY_3RD: {"answers_every": 3},
}


async def measure(
    profiles: Mapping[str, Profile],
    *,
    faults: Sequence[str],
    baud: int,
    seconds: float,
    settle: float,
    told: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Two buses that are asked for more than they can carry: unit 1 of one of them is ill for `seconds`.

    Before and afterwards all are healthy for half as long, and what is compared with is the mean of both, so that the
    machine's other work is in both. settle: seconds that the gateway has to find it out, told apart. The devices answer
    at once otherwise: a wait for one that does not is long beside the others' exchanges.
    """
    hurried = {name: mixes.with_periods(profile, TOO_SHORT) for name, profile in profiles.items()}
    places = mixes.places(mixes.MIXES["32 units"][:AMONG], hurried, HARSH_S)
    rows = []
    for fault in faults:
        with folder() as path:
            buses = [EmulatedBus(name=name, path=path / name, places=places, baud=baud) for name in (ILL, OTHER)]
            async with rig(*buses) as running:
                rows.append({"baud": baud, **await _ill(running, fault, seconds, settle, told)})
    return rows


async def _ill(running: Rig, fault: str, seconds: float, settle: float, told: Callable[[str], None]) -> dict[str, Any]:
    told(f"one device of {AMONG} {fault}: all healthy")
    await asyncio.sleep(WARM_S)
    before = await running.window(seconds / 2)
    told(f"one device of {AMONG} {fault}: unit {UNIT} is ill")
    running.wire.fault(ILL, UNIT, **FAULTS[fault])
    found_out = await running.window(settle)
    during = await running.window(seconds)
    told(f"one device of {AMONG} {fault}: all healthy again")
    running.wire.fault(ILL, UNIT)
    await asyncio.sleep(settle)
    after = await running.window(seconds / 2)
    healthy = {bus: (before[bus], after[bus]) for bus in (ILL, OTHER)}
    ill = during[ILL].transactions
    return {
        "fault": fault,
        "others_period": growth(healthy[ILL], during[ILL], but=UNIT),
        "others_period_while_found_out": growth(healthy[ILL], found_out[ILL], but=UNIT),
        "unit_1_of_the_other_bus": growth(healthy[OTHER], during[OTHER], only=UNIT),
        "other_bus": growth(healthy[OTHER], during[OTHER]),
        "asked_without_an_answer": sum(not each.answered for each in ill),
        "asked": len(ill),
    }


def growth(healthy: Sequence[Window], during: Window, *, but: int = 0, only: int = 0) -> float | None:
    """The median of the requests' periods now / when healthy, less 1. None where a window held no whole period."""
    usual = [window.periods() for window in healthy]
    now = during.periods()
    ratios = [
        now[key] / statistics.mean(each[key] for each in usual)
        for key in set(now).intersection(*usual)
        if key[0] != but and (not only or key[0] == only)
    ]
    return round(statistics.median(ratios) - 1, 4) if ratios else None
