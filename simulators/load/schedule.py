"""When each pack is due. It is fixed before the first one is sent, and nothing that happens later moves it.

That is what keeps a stalled broker from hiding its own stall (coordinated omission): packs go on falling due.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of time with one rate, or a rate that changes evenly. Rates are packs a second, above 0."""

    rate: float
    last_rate: float
    seconds: float

    @property
    def count(self) -> int:
        """Packs that fall due in it."""
        return round((self.rate + self.last_rate) / 2 * self.seconds)

    def due(self, index: int) -> float:
        """Seconds from the stage's beginning to its pack `index` (from 0).

        index = rate * t + growth / 2 * t², solved for t in the form that also holds where nothing grows.
        """
        growth = (self.last_rate - self.rate) / self.seconds
        return 2 * index / (self.rate + math.sqrt(max(0.0, self.rate**2 + 2 * growth * index)))


class Schedule:
    """Stages one after the other. Packs are numbered from 0 through all of them."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        self.stages = tuple(stages)
        self.firsts = [0, *accumulate(stage.count for stage in self.stages)]  # number of each stage's first pack
        self.begins = [0.0, *accumulate(stage.seconds for stage in self.stages)]

    @property
    def count(self) -> int:
        """Packs of all stages."""
        return self.firsts[-1]

    @property
    def seconds(self) -> float:
        return self.begins[-1]

    def stage_of(self, number: int) -> int:
        """The stage that a pack falls due in."""
        return bisect_right(self.firsts, number) - 1

    def due(self, number: int) -> float:
        """Seconds from the beginning to a pack."""
        stage = self.stage_of(number)
        return self.begins[stage] + self.stages[stage].due(number - self.firsts[stage])


def steps(rates: Iterable[float], each: float) -> Schedule:
    """Each rate for `each` seconds."""
    return Schedule(Stage(rate=rate, last_rate=rate, seconds=each) for rate in rates)


def ramp(low: float, high: float, seconds: float, slices: int) -> Schedule:
    """From one rate to another, told about in so many slices of equal length."""
    edges = [low + (high - low) * place / slices for place in range(slices + 1)]
    return Schedule(Stage(rate=first, last_rate=last, seconds=seconds / slices) for first, last in pairwise(edges))
