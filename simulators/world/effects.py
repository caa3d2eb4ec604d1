"""Causes as they meet the poles: when each begins and ends for each pole, and how strong it is now."""

from collections.abc import Sequence

import numpy as np

from simulators.causes import Cause
from simulators.world.arrays import BoolArray, FloatArray, IntArray
from simulators.world.city_map import CityMap


class Effect:
    """One cause in one city. begin and end: seconds by pole, FOREVER for a pole that it never meets."""

    def __init__(self, *, cause: Cause, city: CityMap, seed: int) -> None:
        self.cause = cause
        self.begin: IntArray
        self.end: IntArray
        self.begin, self.end = cause.spans(city, seed)
        self._first = int(self.begin.min())
        self._last = int(self.end[self.begin < self.end].max(initial=0))

    def now(self, second: int) -> bool:
        """Whether it meets any pole."""
        return self._first <= second < self._last

    def met(self, second: int) -> BoolArray:
        out: BoolArray = (self.begin <= second) & (second < self.end)
        return out

    def strength(self, second: int) -> FloatArray:
        """0 where it is not, up to 1 where it is, rising and falling over its fade, each half of its length at most."""
        if not self.cause.fade_s:
            return self.met(second).astype(np.float64)
        rising, falling = second - self.begin, self.end - second
        fade = np.clip((self.end - self.begin) / 2, 1, self.cause.fade_s)
        out: FloatArray = np.clip(np.minimum(rising, falling) / fade, 0.0, 1.0)
        return out


def effects(causes: Sequence[Cause], kind: str, city: CityMap, seed: int) -> list[Effect]:
    return [Effect(cause=cause, city=city, seed=seed) for cause in causes if cause.kind == kind]
