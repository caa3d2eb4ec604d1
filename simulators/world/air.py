"""Air quality: the month's background, what traffic adds, what rain washes out, plumes that the wind carries.

All in ug/m3 but CO2, which is in ppm. For the order of it: HJ 633-2026 calls a day of 60 (PM2.5) or 120 (PM10) AQI 100.
"""

from collections.abc import Sequence

import numpy as np

from simulators.causes import Cause
from simulators.world import climate
from simulators.world.arrays import FloatArray
from simulators.world.noise import Field, wave
from simulators.world.plumes import Plume
from simulators.world.present import STEP_S, Present, by_hour
from simulators.world.sun import Sun, clear_sky

_DAY = ((0.0, 1.08), (5.0, 1.02), (8.0, 1.15), (11.0, 1.05), (15.0, 0.80), (18.0, 0.9), (21.0, 1.1))
_WASHED_S = 7_200.0  # the air is dirty again so long after rain
_WASH = 2e-5  # of the dust, by each mm/h in a second (Seinfeld and Pandis: 1e-5 to 1e-3 in all)


class Air:
    """Offers pm1, pm2_5, pm10, tsp, no, no2, so2, o3, co, co2."""

    def __init__(self, *, present: Present, causes: Sequence[Cause], sun: Sun) -> None:
        city, seed = present.city, present.seed
        self._present, self._sun = present, sun
        self._plumes = [Plume(cause=cause, present=present) for cause in causes if cause.kind == "plume"]
        self._haze = Field(seed=seed, stream="haze", x=city.x, y=city.y, scale_m=3_500.0, period_s=5_400.0)
        self._washed = np.zeros(city.poles)  # 0: as dry, towards 1: clean
        present.offer(
            pm1=lambda: 0.72 * present["pm2_5"], pm2_5=self._pm2_5, pm10=self._pm10,
            tsp=lambda: 1.35 * present["pm10"] + 8.0, no=self._no, no2=self._no2, so2=self._so2, o3=self._o3,
            co=self._co, co2=self._co2, calm=self._calm,
        )  # fmt: skip

    def advance(self, raining: bool) -> None:
        if raining:
            self._washed += (1.0 - self._washed) * (1.0 - np.exp(-_WASH * STEP_S * self._present["rain_rate"]))
        self._washed *= 1.0 - STEP_S / _WASHED_S

    def _calm(self) -> FloatArray:
        """How much of what traffic gives off stays in the street: 1 in still air."""
        return 1.0 / (1.0 + 0.45 * self._present["wind_speed"])

    def _plume(self, pollutant: str) -> FloatArray | float:
        return sum((plume.now() for plume in self._plumes if plume.pollutant == pollutant), 0.0)

    def _traffic(self) -> FloatArray:
        out: FloatArray = self._present["vehicles"] * self._present["calm"]
        return out

    def _pm2_5(self) -> FloatArray:
        present = self._present
        usual = climate.normal_of(climate.PM2_5, present.local) * by_hour(present.hour, _DAY)
        usual *= 1.0 + 0.35 * wave(present.seed, "haze days", present.second, 130_000.0)
        dry = usual * (1.0 + 0.15 * self._haze.at(present.second)) + 0.28 * self._traffic()
        out: FloatArray = dry * (1.0 - 0.75 * self._washed) + self._plume("pm2_5")
        return out

    def _pm10(self) -> FloatArray:
        """PM2.5 is about 0.6 of PM10 in Chengdu; dry wind and wheels raise the rest."""
        dust = 1.0 + 0.02 * self._present["wind_speed"] ** 2
        coarse = (0.55 * self._present["pm2_5"] + 0.5 * self._traffic() + 4.0) * dust
        out: FloatArray = self._present["pm2_5"] + coarse * (1.0 - 0.6 * self._washed) + self._plume("pm10")
        return out

    def _no(self) -> FloatArray:
        return 2.0 + 0.8 * self._traffic()

    def _no2(self) -> FloatArray:
        bleached = 1.0 - 0.25 * self._bright()
        out: FloatArray = (14.0 + 1.9 * self._traffic()) * bleached + self._plume("no2")
        return out

    def _so2(self) -> FloatArray:
        out: FloatArray = 4.0 + 1.2 * self._haze.at(self._present.second + 9_000.0) + self._plume("so2")
        return out

    def _o3(self) -> FloatArray:
        """Made by sunlight, used up by fresh NO."""
        month = climate.normal_of(climate.OZONE, self._present.local)
        made = month * (0.45 + 1.2 * self._present["solar_radiation"] / 800.0)
        out: FloatArray = np.maximum(made - 0.9 * self._present["no"], 3.0) + self._plume("o3")
        return out

    def _co(self) -> FloatArray:
        out: FloatArray = 420.0 + 5.0 * self._present["pm2_5"] + 16.0 * self._traffic() + self._plume("co")
        return out

    def _co2(self) -> FloatArray:
        out: FloatArray = 424.0 + 1.6 * self._traffic() + 0.12 * self._present["people"] + 14.0 * (1.0 - self._bright())
        return out

    def _bright(self) -> float:
        return clear_sky(self._sun.height) / 1_000.0
