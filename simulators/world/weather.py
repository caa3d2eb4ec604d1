"""Weather over the city: the month's normals, days that differ, fronts, what a scenario adds; neighbours agree.

Temperature, pressure, cloud, wind and rain are functions of place and time; humidity and dew point follow by Magnus.
"""

import math
from collections.abc import Sequence

import numpy as np

from simulators.causes import Cause
from simulators.world import climate
from simulators.world.arrays import FloatArray
from simulators.world.effects import effects
from simulators.world.fronts import Front
from simulators.world.noise import Field, wave
from simulators.world.present import STEP_S, Present

_DAY_S = 86_400.0
# Alduchov and Eskridge 1996, "Improved Magnus form approximation of saturation vapor pressure".
_MAGNUS_A, _MAGNUS_B = 17.625, 243.04
_ISLAND_K, _ISLAND_M = 1.2, 6_000.0  # the centre is warmer by night
_MOIST_S = 600.0
_FROM_DEG = 25.0  # north-north-east is the wind that Chengdu has most often


class Weather:
    """Offers cloud, temperature, humidity, dew_point, pressure, wind_*, rain_rate and rain."""

    def __init__(self, *, present: Present, causes: Sequence[Cause]) -> None:
        city, seed = present.city, present.seed
        self._present = present
        self.fronts = [Front(cause=cause, city=city, seed=seed) for cause in causes if cause.kind == "front"]
        self._changes = effects(causes, "weather", city, seed)
        self._fields = {
            name: Field(seed=seed, stream=name, x=city.x, y=city.y, scale_m=scale, period_s=period)
            for name, scale, period in (
                ("temperature", 2_500.0, 3_600.0), ("cloud", 5_000.0, 2_400.0), ("wind", 1_500.0, 600.0),
                ("gust", 400.0, 40.0), ("rain", 1_200.0, 1_200.0),
            )
        }  # fmt: skip
        middle = np.hypot(city.x - city.width_m / 2, city.y - city.height_m / 2)
        self._island: FloatArray = _ISLAND_K * np.exp(-((middle / _ISLAND_M) ** 2))
        self.fallen = np.zeros(city.poles)  # mm since the start
        self._moist = np.zeros(city.poles)  # 0, to 1: the rain has filled the air
        present.offer(
            cloud=self._cloud, temperature=self._temperature, humidity=self._humidity, dew_point=self._dew_point,
            pressure=self._pressure, wind_east=self._wind_east, wind_north=self._wind_north,
            wind_speed=self._wind_speed, wind_gust=self._wind_gust, wind_direction=self._wind_direction,
            rain_rate=self._rain_rate, rain=self.fallen.copy,
        )  # fmt: skip

    def advance(self) -> None:
        if not self.raining():
            self._moist *= 1.0 - STEP_S / _MOIST_S
            return
        rain = self._present["rain_rate"]
        self.fallen += rain * (STEP_S / 3600.0)
        self._moist += (1.0 - np.exp(-rain / 3.0) - self._moist) * (STEP_S / _MOIST_S)

    def raining(self) -> bool:
        """Whether it rains anywhere; False costs nothing."""
        second = self._present.second
        return any(front.rains(second) for front in self.fronts) or any(
            effect.now(second) and effect.cause.number_of("rain") for effect in self._changes
        )

    def mild(self) -> float:
        """The city's temperature without its fronts and places, degrees Celsius: what its people heat and cool by."""
        return self._base() + sum(
            effect.cause.strength(self._present.second) * effect.cause.number_of("temperature")
            for effect in self._changes
        )

    def _near(self) -> list[Front]:
        return [front for front in self.fronts if front.near(self._present.second)]

    def _added(self, value: str) -> FloatArray | float:
        """What the scenario's `weather` adds."""
        second = self._present.second
        return sum(
            (
                effect.strength(second) * effect.cause.number_of(value)
                for effect in self._changes
                if effect.cause.number_of(value) and effect.now(second)
            ),
            0.0,
        )

    def _wave(self, name: str, period_s: float) -> float:
        return wave(self._present.seed, name, self._present.second, period_s)

    def _base(self) -> float:
        """Normals, days that differ, and a day's course with its highest at 15 and its lowest at about 6."""
        local, hour = self._present.local, self._present.hour
        since = (hour - 6.0) % 24.0
        course = -math.cos(math.pi * since / 9.0) if since < 9.0 else math.cos(math.pi * (since - 9.0) / 15.0)
        course *= 0.5 * climate.normal_of(climate.DAY_RANGE, local)
        return climate.normal_of(climate.TEMPERATURE, local) + course + 2.2 * self._wave("days", 2.3 * _DAY_S)

    def _cloud(self) -> FloatArray:
        usual = climate.normal_of(climate.CLOUD, self._present.local) + 0.3 * self._wave("cloudy", 0.7 * _DAY_S)
        cloud = usual + 0.15 * self._fields["cloud"].at(self._present.second) + self._added("cloud")
        for front in self._near():
            cloud = np.maximum(cloud, front.cloud(self._present.second))
        out: FloatArray = np.clip(np.maximum(cloud, 1.0 - np.exp(-self._present["rain_rate"])), 0.0, 1.0)
        return out

    def _temperature(self) -> FloatArray:
        night = 0.5 - 0.5 * math.cos(2 * math.pi * (self._present.hour - 15.0) / 24.0)
        out = self._base() + self._island * night + 0.4 * self._fields["temperature"].at(self._present.second)
        out = out + self._added("temperature")
        for front in self._near():
            out = out - front.cooling(self._present.second)
        return out

    def _humidity(self) -> FloatArray:
        """The air holds what it holds for a day; rain brings it close to full."""
        local = self._present.local
        day = climate.normal_of(climate.TEMPERATURE, local) + 2.2 * self._wave("days", 2.3 * _DAY_S)
        held = climate.normal_of(climate.HUMIDITY, local) + 6.0 * self._wave("moist", 1.1 * _DAY_S)
        steam = held * math.exp(_MAGNUS_A * day / (_MAGNUS_B + day))
        warm = self._present["temperature"]
        humidity = steam / np.exp(_MAGNUS_A * warm / (_MAGNUS_B + warm))
        humidity = np.minimum(humidity, 97.0)
        humidity += np.maximum(96.0 - humidity, 0.0) * self._moist
        out: FloatArray = np.clip(humidity + self._added("humidity"), 8.0, 100.0)
        return out

    def _dew_point(self) -> FloatArray:
        warm = self._present["temperature"]
        gamma = np.log(self._present["humidity"] / 100.0) + _MAGNUS_A * warm / (_MAGNUS_B + warm)
        out: FloatArray = _MAGNUS_B * gamma / (_MAGNUS_A - gamma)
        return out

    def _pressure(self) -> FloatArray:
        """A half-daily tide with its highest at 10 and 22 o'clock, days that differ, fronts."""
        usual = climate.normal_of(climate.PRESSURE, self._present.local) + 4.0 * self._wave("pressure", 2.9 * _DAY_S)
        out = self._present.everywhere(usual + 1.2 * math.cos(4 * math.pi * (self._present.hour - 10.0) / 24.0))
        for front in self._near():
            out += front.pressure(self._present.second)
        return out

    def _calm(self) -> tuple[FloatArray, float]:
        """Speed of the wind that the month has, by pole, and where it blows to, radians from north."""
        course = 1.0 + 0.35 * math.cos(2 * math.pi * (self._present.hour - 15.0) / 24.0)
        usual = climate.normal_of(climate.WIND, self._present.local) * course
        usual *= 1.0 + 0.5 * self._wave("windy", 0.4 * _DAY_S)
        speed = usual * (1.0 + 0.3 * self._fields["wind"].at(self._present.second)) + self._added("wind")
        toward = math.radians(_FROM_DEG + 180.0 + 70.0 * self._wave("wind from", 0.5 * _DAY_S))
        return np.maximum(speed, 0.0), toward

    def _wind_east(self) -> FloatArray:
        speed, toward = self._calm()
        return self._with_fronts(speed * math.sin(toward), 0)

    def _wind_north(self) -> FloatArray:
        speed, toward = self._calm()
        return self._with_fronts(speed * math.cos(toward), 1)

    def _with_fronts(self, wind: FloatArray, axis: int) -> FloatArray:
        for front in self._near():
            wind = wind + front.wind(self._present.second) * front.toward[axis]
        return wind

    def _wind_speed(self) -> FloatArray:
        """Of this step: the wind, and how it blows now harder and now softer."""
        steady = np.hypot(self._present["wind_east"], self._present["wind_north"])
        out: FloatArray = steady * (1.0 + 0.25 * self._fields["gust"].at(self._present.second))
        return out

    def _wind_gust(self) -> FloatArray:
        """The strongest three seconds, about half as strong again (WMO-No. 8 defines a gust by three seconds)."""
        steady = np.hypot(self._present["wind_east"], self._present["wind_north"])
        gust = steady * (1.55 + 0.15 * self._fields["gust"].at(self._present.second))
        out: FloatArray = np.maximum(gust, self._present["wind_speed"])
        return out

    def _wind_direction(self) -> FloatArray:
        """Where it comes from, degrees from north, 0 <= direction < 360."""
        toward = np.degrees(np.arctan2(self._present["wind_east"], self._present["wind_north"]))
        swing = 12.0 * self._fields["wind"].at(self._present.second)
        out: FloatArray = (toward + 180.0 + swing) % 360.0
        out[out >= 360.0] = 0.0  # the remainder of a number just below 0 is rounded to 360
        return out

    def _rain_rate(self) -> FloatArray:
        second = self._present.second
        rain = self._present.everywhere(0.0)
        if self.raining():
            rain += self._added("rain") * (1.0 + 0.3 * self._fields["rain"].at(second))
        for front in self.fronts:
            if front.rains(second):
                rain += front.rain(second)
        return rain
