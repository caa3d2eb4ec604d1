"""A plume: what burns or leaks at one place, carried downwind and spread on its way."""

import numpy as np

from simulators.causes import Cause
from simulators.world.arrays import FloatArray
from simulators.world.present import Present

_WIDTH_M, _WIDENS = 60.0, 0.12  # Briggs' urban sigma-y is 0.11 to 0.32 of the distance (Briggs 1973)
_SLOWEST = 0.5  # m/s: in still air it creeps
_DYING_S = 900.0


class Plume:
    """A bell across the wind that widens along it; it has come as far as the wind has carried it since it began."""

    def __init__(self, *, cause: Cause, present: Present) -> None:
        self.pollutant = cause.text_of("pollutant")
        self._cause, self._present = cause, present
        east, north = cause.where.centre(present.city)
        self._east: FloatArray = present.city.x - east
        self._north: FloatArray = present.city.y - north
        self._nearest = int(np.argmin(np.hypot(self._east, self._north)))

    def now(self) -> FloatArray | float:
        """ug/m3 by pole; 0 where there is no plume."""
        second = self._present.second
        since, after = second - self._cause.begin_s, second - self._cause.end_s
        if since < 0 or after > _DYING_S:
            return 0.0
        wind_east = float(self._present["wind_east"][self._nearest])
        wind_north = float(self._present["wind_north"][self._nearest])
        speed = float(np.hypot(wind_east, wind_north))
        toward = (wind_east / speed, wind_north / speed) if speed > 0 else (0.0, 1.0)
        along = self._east * toward[0] + self._north * toward[1]
        across = self._north * toward[0] - self._east * toward[1]
        width = _WIDTH_M + _WIDENS * np.maximum(along, 0.0)
        bell = np.exp(-0.5 * (across / width) ** 2) * np.exp(-0.5 * (np.minimum(along, 0.0) / _WIDTH_M) ** 2)
        arrived = np.clip((since - np.maximum(along, 0.0) / max(speed, _SLOWEST)) / 300.0 + 0.1, 0.0, 1.0)
        left = 1.0 - max(0.0, after) / _DYING_S
        out: FloatArray = bell * (_WIDTH_M / width) * arrived * (self._cause.number_of("strength") * left)
        return out
