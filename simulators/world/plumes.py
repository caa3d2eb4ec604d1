"""A plume: what burns or leaks at one place, carried downwind and spread on its way."""

import math

import numpy as np

from simulators.causes import Cause
from simulators.world.arrays import FloatArray
from simulators.world.present import STEP_S, Present

_WIDTH_M, _WIDENS = 60.0, 0.12  # Briggs' urban sigma-y is 0.11 to 0.32 of the distance (Briggs 1973)
_SLOWEST = 0.5  # m/s: in still air it creeps


class Plume:
    """A bell across the wind that widens along it. What a pole gets left the source when the wind was there."""

    def __init__(self, *, cause: Cause, present: Present) -> None:
        self.pollutant = cause.text_of("pollutant")
        self._cause, self._present = cause, present
        east, north = cause.where.centre(present.city)
        self._east: FloatArray = present.city.x - east
        self._north: FloatArray = present.city.y - north
        self._gone = cause.end_s + math.hypot(present.city.width_m, present.city.height_m) / _SLOWEST
        self._nearest = int(np.argmin(np.hypot(self._east, self._north)))

    def now(self) -> FloatArray | float:
        """ug/m3 by pole; 0 where there is no plume."""
        second = self._present.second
        if not self._cause.begin_s <= second < self._gone:
            return 0.0
        wind_east = float(self._present["wind_east"][self._nearest])
        wind_north = float(self._present["wind_north"][self._nearest])
        speed = max(math.hypot(wind_east, wind_north), _SLOWEST)
        heading = math.atan2(wind_east, wind_north)
        toward = (math.sin(heading), math.cos(heading))
        along = self._east * toward[0] + self._north * toward[1]
        across = self._north * toward[0] - self._east * toward[1]
        width = _WIDTH_M + _WIDENS * np.maximum(along, 0.0)
        bell = np.exp(-0.5 * (across / width) ** 2) * np.exp(-0.5 * (np.minimum(along, 0.0) / _WIDTH_M) ** 2)
        out: FloatArray = bell * (_WIDTH_M / width) * self._given_off(second - np.maximum(along, 0.0) / speed)
        return out

    def _given_off(self, second: FloatArray) -> FloatArray:
        """ug/m3 at the source then."""
        cause = self._cause
        fade = max(min(cause.fade_s, (cause.end_s - cause.begin_s) / 2), STEP_S)
        part = np.minimum(second - cause.begin_s + STEP_S, cause.end_s - second) / fade
        return np.clip(part, 0.0, 1.0) * cause.number_of("strength")
