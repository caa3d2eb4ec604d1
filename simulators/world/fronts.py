"""Weather fronts: a band that crosses the map, with wind ahead of it, rain in it and cooler air behind it."""

import math

import numpy as np

from simulators.causes import STEP_S, Cause
from simulators.world.arrays import FloatArray
from simulators.world.city_map import CityMap
from simulators.world.noise import Field

_AHEAD_S = 3_600  # clouds come so long before the edge
_AFTER_S = 6 * 3_600  # and nothing is left of it so long after its end
_DYING_S = 900.0  # a front that ends over the city fades
_MIXING_M = 6_000.0  # over which the air behind the edge cools: neighbours never differ by much


class Front:
    """One front over one city. Everything about it follows from `passed`: for how long its edge has been past a pole.

    Its shape, gust and pressure jump first, then rain, then a slow recovery, is that of a squall line (Houze 2004,
    "Mesoscale convective systems", Reviews of Geophysics 42).
    """

    def __init__(self, *, cause: Cause, city: CityMap, seed: int) -> None:
        bearing = math.radians(cause.number_of("from_deg"))
        self.toward = (-math.sin(bearing), -math.cos(bearing))  # metres east and north, of length 1
        corners_x, corners_y = (0.0, city.width_m, 0.0, city.width_m), (0.0, 0.0, city.height_m, city.height_m)
        along = [self._along(x, y) for x, y in zip(corners_x, corners_y, strict=True)]
        self.speed = cause.number_of("speed")
        self.lasts = cause.number_of("width_m") / self.speed
        self.cause = cause
        self._arrives: FloatArray = cause.begin_s + (city.x * self.toward[0] + city.y * self.toward[1] - min(along)) / (
            self.speed
        )
        crossed = cause.begin_s + (max(along) - min(along)) / self.speed + self.lasts
        self.leaves_s = math.ceil(crossed / STEP_S) * STEP_S  # the first step without its rain
        self._cells = Field(
            seed=seed, stream=f"{cause.stream} cells", x=city.x, y=city.y, scale_m=900.0, period_s=900.0
        )  # fmt: skip

    def near(self, second: int) -> bool:
        """Whether it does anything to the city."""
        return self.cause.begin_s - _AHEAD_S <= second < min(self.leaves_s, self.cause.end_s) + _AFTER_S

    def rains(self, second: int) -> bool:
        """Whether it may rain anywhere in the city."""
        return self.cause.begin_s <= second < self.leaves_s

    def rain(self, second: int) -> FloatArray:
        """mm/h: hardest soon after the edge."""
        passed = self._passed(second)
        rising, falling = passed / min(180.0, 0.1 * self.lasts), (self.lasts - passed) / min(300.0, 0.2 * self.lasts)
        shape = np.clip(np.minimum(rising, falling), 0.0, 1.0) * (1.0 - 0.5 * passed / self.lasts)
        cells = 0.8 + 0.4 * self._cells.at(second)
        return shape * cells * (self.cause.number_of("rain") * self._alive(second))

    def wind(self, second: int) -> FloatArray:
        """m/s along `toward`."""
        passed = self._passed(second)
        before = np.exp(-((np.minimum(passed, 0.0) / 300.0) ** 2))
        behind = 0.3 + 0.7 * np.exp(-np.maximum(passed, 0.0) / 700.0)
        return before * behind * self._left(passed, 900.0) * (self.cause.number_of("wind") * self._alive(second))

    def cooling(self, second: int) -> FloatArray:
        """K, above 0."""
        passed = self._passed(second)
        mixing = max(600.0, _MIXING_M / self.speed)
        cooled = 1.0 - np.exp(-np.maximum(passed, 0.0) / mixing)
        out: FloatArray = cooled * self._left(passed, 10_800.0) * self.cause.number_of("cooling")
        return out

    def pressure(self, second: int) -> FloatArray:
        """hPa: falls a little ahead of the edge, jumps at it."""
        passed = self._passed(second)
        ahead = -0.25 * np.exp(np.minimum(passed, 0.0) / 1_200.0)
        jump = 1.25 * (1.0 - np.exp(-np.maximum(passed, 0.0) / 240.0))
        out: FloatArray = (ahead + jump) * self._left(passed, 5_400.0) * self.cause.number_of("pressure")
        return out

    def cloud(self, second: int) -> FloatArray:
        """0 to 1: how much of the sky is its own."""
        passed = self._passed(second)
        out: FloatArray = np.clip((passed + 2_700.0) / 2_100.0, 0.0, 1.0) * self._left(passed, 7_200.0)
        return out

    def _along(self, x: float, y: float) -> float:
        return x * self.toward[0] + y * self.toward[1]

    def _passed(self, second: int) -> FloatArray:
        return second - self._arrives

    def _left(self, passed: FloatArray, fades_s: float) -> FloatArray:
        out: FloatArray = np.exp(-np.maximum(passed - self.lasts, 0.0) / fades_s)
        return out

    def _alive(self, second: int) -> float:
        return max(0.0, min(1.0, 1.0 - (second - self.cause.end_s) / _DYING_S))
