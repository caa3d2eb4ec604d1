"""The sun: where it stands, what it sends through the clouds, and what light is left after it has set."""

import math
from datetime import datetime

import numpy as np

from simulators.world.arrays import FloatArray
from simulators.world.city_map import CENTRE
from simulators.world.present import Present

UTC_OFFSET_H = 8
_EFFICACY = 115.0  # lm/W of daylight (Littlefair 1985: 105 to 130 between overcast and clear)
_LAMP_LX = 12.0  # what a lamp leaves at the sensor on its own pole; CJJ 45-2015 asks for 8 to 30 lx on the road
# Illuminance outdoors by the sun's elevation, log10 of lx (RCA Electro-Optics Handbook 1974, natural illuminance).
_TWILIGHT = ((-18.0, -12.0, -6.0, -0.83, 5.0), (-3.1, -2.1, 0.53, 2.60, 3.6))


def elevation(local: datetime) -> float:
    """Degrees above the horizon of the city's centre, without refraction. local: naive, UTC+8.

    NOAA Global Monitoring Laboratory, "General Solar Position Calculations" (Spencer's series of 1971).
    """
    minutes = local.hour * 60 + local.minute + local.second / 60
    days = 366 if local.year % 4 == 0 and (local.year % 100 != 0 or local.year % 400 == 0) else 365
    turn = 2 * math.pi / days * (local.timetuple().tm_yday - 1 + (minutes / 60 - 12) / 24)
    sun_time = 229.18 * (
        0.000075 + 0.001868 * math.cos(turn) - 0.032077 * math.sin(turn)
        - 0.014615 * math.cos(2 * turn) - 0.040849 * math.sin(2 * turn)
    )  # fmt: skip
    declination = (
        0.006918 - 0.399912 * math.cos(turn) + 0.070257 * math.sin(turn) - 0.006758 * math.cos(2 * turn)
        + 0.000907 * math.sin(2 * turn) - 0.002697 * math.cos(3 * turn) + 0.00148 * math.sin(3 * turn)
    )  # fmt: skip
    angle = math.radians((minutes + sun_time + 4 * CENTRE[1] - 60 * UTC_OFFSET_H) / 4 - 180)
    north = math.radians(CENTRE[0])
    up = math.sin(north) * math.sin(declination) + math.cos(north) * math.cos(declination) * math.cos(angle)
    return math.degrees(math.asin(max(-1.0, min(1.0, up))))


def clear_sky(height: float) -> float:
    """Global radiation, W/m2, of a clear sky by the sun's elevation (Haurwitz 1945)."""
    up = math.sin(math.radians(height))
    return 1098.0 * up * math.exp(-0.057 / up) if up > 0.001 else 0.0


class Sun:
    """Offers sun_elevation, solar_radiation and illuminance."""

    def __init__(self, *, present: Present) -> None:
        self._present = present
        self._at = -1
        self._height = 0.0
        present.offer(
            sun_elevation=lambda: present.everywhere(self.height),
            solar_radiation=self._radiation,
            illuminance=self._illuminance,
        )

    @property
    def height(self) -> float:
        """The sun's elevation, degrees, the same over the whole city."""
        if self._at != self._present.step:
            self._at, self._height = self._present.step, elevation(self._present.local)
        return self._height

    def _radiation(self) -> FloatArray:
        """Kasten and Czeplak 1980: a sky that is all cloud lets a quarter through; one that rains hard less yet."""
        through = (1.0 - 0.75 * self._present["cloud"] ** 3.4) * (1.0 - 0.7 * self._gloom())
        out: FloatArray = clear_sky(self.height) * through
        return out

    def _illuminance(self) -> FloatArray:
        heights, logarithms = _TWILIGHT
        sky: float = 10.0 ** float(np.interp(self.height, heights, logarithms))
        shade = (1.0 - 0.6 * self._present["cloud"] ** 3.4) * (1.0 - 0.7 * self._gloom())
        daylight = np.maximum(_EFFICACY * self._present["solar_radiation"], sky * shade)
        out: FloatArray = daylight + _LAMP_LX / 100.0 * self._present["lamp_level"]
        return out

    def _gloom(self) -> FloatArray:
        out: FloatArray = 1.0 - np.exp(-self._present["rain_rate"] / 15.0)
        return out
