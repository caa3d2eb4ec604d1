"""Drains: rain runs off into each basin's pipes; what they cannot carry stands in the hollows until they can."""

import math

import numpy as np

from simulators.world.arrays import BoolArray, FloatArray
from simulators.world.noise import chance
from simulators.world.present import STEP_S, Present

_RUNOFF = 0.7  # of the rain; GB 50014-2021: 0.60 to 0.70 where a city is built densely
_CAPACITY_MM_H = (16.0, 30.0)  # run-off that pipes carry, as in quarters built long ago: of rain of 23 to 43 mm/h
_FULL_MM = 1.5  # over the basin: what gullies and pipes hold
_PIPE_M = 0.9  # from the gully's bottom, where the sensor stands, to the road
_GATHERS = 60.0  # a hollow takes the water of so much more area than its own
_DEEPEST_M = 2.5
_WET_M = 0.05  # of water on the road: a pole says that it is flooded
FLOOD_M, DRY_M = 0.15, 0.05  # at a basin's worst pole: when a flood begins and when it has ended


class Drains:
    """Offers water_level (m above the drain's bottom at the pole) and flooded. State: one number a basin."""

    def __init__(self, *, present: Present) -> None:
        city = present.city
        self._present = present
        self.basins = int(city.basin.max()) + 1
        self._poles: FloatArray = np.bincount(city.basin, minlength=self.basins).astype(np.float64)
        least, most = _CAPACITY_MM_H
        self._capacity: FloatArray = least + (most - least) * chance(present.seed, "drain", np.arange(self.basins))
        self._trickle: FloatArray = 0.03 + 0.09 * chance(present.seed, "trickle", present.index)
        self._held = np.zeros(self.basins)  # mm over the basin
        self._deepest = np.zeros(self.basins)
        np.maximum.at(self._deepest, city.basin, city.hollow)
        self.floods: BoolArray = np.zeros(self.basins, dtype=np.bool_)
        present.offer(
            water_level=self._level, ponding=self._ponding, flooded=lambda: (present["ponding"] > _WET_M).astype(float)
        )

    def advance(self, raining: bool) -> None:
        """A basin empties as a linear store, no faster than its pipes carry."""
        if not raining and not self._held.any():
            return
        hours = STEP_S / 3600.0
        if raining:
            rain = np.bincount(self._present.city.basin, weights=self._present["rain_rate"], minlength=self.basins)
            self._held += _RUNOFF * hours * rain / self._poles
        share = 1.0 - math.exp(-STEP_S / 600.0)
        self._held -= np.minimum(self._held * share, self._capacity * hours)
        self._held[self._held < 1e-6] = 0.0
        worst = self._standing(self._deepest, self._held)
        self.floods = np.where(self.floods, worst > DRY_M, worst > FLOOD_M)

    def _standing(self, hollow: FloatArray, held: FloatArray) -> FloatArray:
        """Water on the road, m: the lower a place the more."""
        over = np.maximum(held - _FULL_MM, 0.0) / 1000.0
        out: FloatArray = np.minimum(over * _GATHERS * hollow**3, _DEEPEST_M)
        return out

    def _ponding(self) -> FloatArray:
        return self._standing(self._present.city.hollow, self._held[self._present.city.basin])

    def _level(self) -> FloatArray:
        full = np.minimum(self._held / _FULL_MM, 1.0)[self._present.city.basin]
        pipe = self._trickle + (_PIPE_M - self._trickle) * full**0.7
        out: FloatArray = pipe + self._present["ponding"]
        return out
