"""A bus's actual load against its plan: what bus, poller and units counted IN; figures, and a word when both part, OUT.

Actual is the last minute. It has parted from the plan when it was above it by a margin for that whole minute, or when
periods were longer than planned; then the log says so once, with the reason that can be seen, and once when they meet.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from device_profiles import bus_load
from device_profiles.bus_load import Polled
from gateway.modbus.bus import Bus
from gateway.modbus.poller import Poller
from gateway.modbus.unit import Spent

EVERY_S = 10.0
SAMPLES = 7  # the oldest and the newest are a minute apart
# Above the plan by a quarter of it or ten points, whichever is less, but on a quiet bus by three points at least.
MARGIN_PART, MARGIN_MOST, MARGIN_LEAST = 0.25, 0.10, 0.03
STRETCHED = 1.1
FULL = 0.95  # a bus that is used so much was not waiting for us
MEETS = 0.5  # of a margin: whoever parted is together again below that
REASON_PART = 0.25  # of what is too much: less than that is no reason


@dataclass(frozen=True, slots=True)
class _Sample:
    """All that was counted since the start."""

    at: float
    busy_s: float
    lost_s: float
    wanted_s: float
    planned_s: float
    actual_s: float
    units: dict[int, Spent]


class Load:
    def __init__(self, *, bus: Bus, poller: Poller, log: Any) -> None:
        self._bus = bus
        self._poller = poller
        self._log = log
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._planned: dict[int, Polled] = {}  # unit -> its plan
        self._pace = bus_load.WANTED
        self._plan: tuple[int, ...] = ()  # of which plans of the units that is
        self._parted = False
        self.planned = 0.0

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            self.look(asyncio.get_running_loop().time())
            await asyncio.sleep(EVERY_S)

    @property
    def actual(self) -> float | None:
        """The share of the last minute in which a transaction held the bus; None before anything is known."""
        return self._share(lambda sample: sample.busy_s)

    @property
    def stretch(self) -> float:
        """Real over wanted periods of the last minute; 1.0 where none ended."""
        return self._longer(lambda sample: sample.wanted_s)

    def figures(self) -> dict[str, float]:
        """As the profile `bus` has them: loads in per cent."""
        told = {
            "planned_load": round(100 * self.planned, 1),
            "silent": sum(unit.health.silent for unit in self._poller.units.values()),
            "missed": self._poller.missed,
            "line_down": int(self._poller.is_down),
        }
        actual, lost = self.actual, self._share(lambda sample: sample.lost_s)
        if actual is None or lost is None:
            return told
        return told | {
            "load": round(100 * actual, 1), "lost_share": round(100 * lost, 1), "stretch": round(self.stretch, 3),
        }  # fmt: skip

    def look(self, now: float) -> None:
        """Takes a sample, and compares."""
        self._follow_plan()
        poller = self._poller
        spent = {number: unit.spent.copy() for number, unit in poller.units.items()}
        self._samples.append(
            _Sample(now, self._bus.busy_s, poller.lost_s, poller.wanted_s, poller.planned_s, poller.actual_s, spent)
        )  # fmt: skip
        if len(self._samples) == SAMPLES:
            self._compare()

    def _follow_plan(self) -> None:
        """Units plan anew when they learn; their loads are counted once for each plan."""
        plan = tuple(unit.plans for unit in self._poller.units.values())
        if plan == self._plan:
            return
        first, self._plan, before = not self._planned, plan, self.planned
        self._planned = {
            number: bus_load.of_unit(unit.plan, self._bus.times) for number, unit in self._poller.units.items()
        }
        units = list(self._planned.values())
        self.planned = bus_load.load(units)
        self._pace = bus_load.pace(units)
        for number, unit in self._poller.units.items():
            shares = {share.name: share for share in self._planned[number].shares}
            for turns in unit.turns:
                turns.planned = self._pace.period(shares[turns.group.name])
        if not first and abs(self.planned - before) >= MARGIN_LEAST:
            self._log.info("the plan has changed: units taught how they are to be read", bus=self._bus.name,
                           load=_percent(before), now=_percent(self.planned))  # fmt: skip

    def _compare(self) -> None:
        actual = self.actual or 0.0
        margin = max(MARGIN_LEAST, min(MARGIN_MOST, MARGIN_PART * self.planned))
        above = (actual - self.planned) / margin
        late = (self._longer(lambda sample: sample.planned_s) - 1) / (STRETCHED - 1)
        figures = {
            "bus": self._bus.name, "load": _percent(actual), "planned": _percent(self.planned),
            "stretch": round(self.stretch, 2),
        }  # fmt: skip
        if not self._parted and max(above, late) > 1:
            self._parted = True
            reasons = "; ".join(self._reasons()) or self._no_unit(actual)
            self._log.warning("the bus does not keep to its plan", **figures, because=reasons)
        elif self._parted and max(above, late) < MEETS:
            self._parted = False
            self._log.info("the bus keeps to its plan again", **figures)

    def _reasons(self) -> Iterator[str]:
        """Who takes more of the bus than planned, most first."""
        span = self._span
        first, last = self._samples[0], self._samples[-1]
        spent = {number: last.units[number].since(first.units[number]) for number in last.units}
        more = {number: each.busy_s / span - self._planned[number].at(self._pace) for number, each in spent.items()}
        commands = (last.busy_s - first.busy_s - sum(each.busy_s for each in spent.values())) / span
        whole = sum(max(0.0, each) for each in more.values()) + commands
        if commands >= max(MARGIN_LEAST, REASON_PART * whole):
            yield f"commands and single reads take {_percent(commands)} %"
        for number, excess in sorted(more.items(), key=lambda pair: -pair[1]):
            if excess < max(MARGIN_LEAST / 3, REASON_PART * whole):
                return
            yield self._reason(number, spent[number], excess)

    def _reason(self, number: int, spent: Spent, excess: float) -> str:
        unit = self._poller.units[number]
        who = f"unit {number} ({unit.plan.profile.profile})"
        if spent.lost_s / self._span >= excess / 2:
            text = f"{who} did not answer {spent.failures} requests, which took {_percent(spent.lost_s / self._span)} %"
            return f"{text} of the time"
        modbus = unit.plan.profile.modbus
        if modbus is not None and spent.answers and spent.latency_s / spent.answers > modbus.latency:
            slow_ms = round(1000 * spent.latency_s / spent.answers)
            return f"{who} answers after {slow_ms} ms, its profile says {1000 * modbus.latency:g} ms"
        return f"{who} is asked more than planned"

    def _no_unit(self, actual: float) -> str:
        """Nobody stands out: everybody is a little slower, or nobody came to ask in time."""
        answers = latency = usual = 0.0
        for number, last in self._samples[-1].units.items():
            each = last.since(self._samples[0].units[number])
            modbus = self._poller.units[number].plan.profile.modbus
            answers += each.answers
            latency += each.latency_s
            usual += each.answers * (modbus.latency if modbus is not None else 0.0)
        if actual <= min(self.planned, FULL):
            return "the bus was free when it should have been used: this machine has too much to do"
        late_ms = 1000 * (latency - usual) / max(1.0, answers)
        return f"all units answer {late_ms:.1f} ms later than their profiles say: the adapter, or this machine"

    @property
    def _span(self) -> float:
        return self._samples[-1].at - self._samples[0].at

    def _grown(self, of: Callable[[_Sample], float]) -> float:
        return of(self._samples[-1]) - of(self._samples[0]) if self._samples else 0.0

    def _longer(self, than: Callable[[_Sample], float]) -> float:
        """The real periods of the last minute, in parts of what they should have been; 1.0 where none ended."""
        should = self._grown(than)
        return self._grown(lambda sample: sample.actual_s) / should if should else 1.0

    def _share(self, of: Callable[[_Sample], float]) -> float | None:
        return self._grown(of) / self._span if len(self._samples) > 1 else None


def _percent(share: float) -> float:
    return round(100 * share, 1)
