"""How much of a bus's time the gateway uses when it is asked for more than the bus can carry."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench import mixes
from bench.rig import Window, folder, rig
from bench.wire import EmulatedBus
from device_profiles.schema import Profile

HARSH_S = 0.0015  # a device that answers as soon as the silence allows: the gateway's own delays weigh most
TOO_SHORT = 0.001  # of the profiles' periods: no bus can carry that
WARM_S = 0.6
Case = tuple[str, int, float | None]  # mix, baud, latency (None: each profile's own)
CASES: tuple[Case, ...] = (
    ("demo bus", 9600, None),
    ("32 units", 9600, None),
    ("demo bus", 9600, HARSH_S),
    ("32 units", 9600, HARSH_S),
    ("demo bus", 115200, None),
    ("32 units", 115200, None),
    ("meters", 115200, HARSH_S),
    ("demo bus", 115200, HARSH_S),
    ("32 units", 115200, HARSH_S),
)
QUICK = CASES[2:3] + CASES[-2:-1]
WANTED = {9600: 0.95, 115200: 0.85}


async def measure(
    profiles: Mapping[str, Profile],
    *,
    cases: Sequence[Case] = CASES,
    seconds: float,
    rounds: int,
    told: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Each case `rounds` times for `seconds`, in turn, so that a busy moment of the machine hits all alike.

    "share" is the median of the rounds.
    """
    found: list[list[dict[str, Window]]] = [[] for _ in cases]
    for number in range(rounds):
        for index, case in enumerate(cases):
            told(f"saturated bus {number + 1}/{rounds}: {case[0]} at {case[1]} baud")
            found[index].append(await _once(profiles, *case, seconds=seconds))
    return [_row(case, [each["bus"] for each in windows]) for case, windows in zip(cases, found, strict=True)]


async def _once(
    profiles: Mapping[str, Profile], mix: str, baud: int, latency: float | None, *, seconds: float
) -> dict[str, Window]:
    hurried = {name: mixes.with_periods(profile, TOO_SHORT) for name, profile in profiles.items()}
    places = mixes.places(mixes.MIXES[mix], hurried, latency)
    with folder() as path:
        async with rig(EmulatedBus(name="bus", path=path / "bus", places=places, baud=baud)) as running:
            await running.window(WARM_S)
            return await running.window(seconds)


def _row(case: Case, windows: list[Window]) -> dict[str, Any]:
    mix, baud, latency = case
    shares = [window.share for window in windows]
    count = sum(window.account.transactions for window in windows)
    return {
        "mix": mix, "baud": baud, "latency_ms": None if latency is None else 1000 * latency,
        "share": round(statistics.median(shares), 4), "share_least": round(min(shares), 4),
        "share_most": round(max(shares), 4), "wanted": WANTED[baud],
        "transactions": count,
        "wire_ms": round(1000 * sum(window.account.wire_s for window in windows) / count, 3),
        "lost_ms": round(1000 * statistics.median(window.lost_s for window in windows), 3),
        "kept_waiting_ms": round(1000 * sum(window.waited_s for window in windows) / count, 3),
        "cpu_us": round(1e6 * sum(window.cpu_s for window in windows) / count),
        "violations": sum(window.account.violations for window in windows),
        "unanswered": sum(not each.answered for window in windows for each in window.transactions[:-1]),
        "emulator_late_ms": round(1000 * max(w.account.late_s / max(1, w.account.answered) for w in windows), 4),
    }  # fmt: skip
