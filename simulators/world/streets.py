"""Traffic and people: how many pass each pole, by road, hour and day, with crowds where a scenario has them."""

from collections.abc import Sequence

import numpy as np

from simulators.causes import Cause
from simulators.world.arrays import FloatArray
from simulators.world.effects import effects
from simulators.world.noise import Field, normal
from simulators.world.present import Present, by_hour

# Vehicles a minute at the day's peak, both ways, by road: a main road of six lanes carries some 2,400 an hour.
_VEHICLES = np.array([2.0, 14.0, 40.0, 24.0])
_PEOPLE = np.array([2.0, 6.0, 9.0, 30.0])  # within sight of a pole, at the day's peak
_WORK_DAY = (
    (0.0, 0.10), (4.0, 0.05), (6.0, 0.25), (7.5, 0.95), (9.0, 1.0), (11.0, 0.75), (14.0, 0.75), (17.0, 0.95),
    (18.5, 1.0), (20.0, 0.7), (22.0, 0.4),
)  # fmt: skip
_FREE_DAY = ((0.0, 0.18), (4.0, 0.06), (7.0, 0.2), (10.0, 0.7), (14.0, 0.85), (18.0, 0.9), (21.0, 0.6))
_WALKING = ((0.0, 0.08), (5.0, 0.03), (7.0, 0.35), (8.5, 0.8), (12.0, 0.9), (15.0, 0.7), (18.5, 1.0), (21.0, 0.8))
_LAST_CROWD_M = 2.0  # a crowd thins out as a bell; its radius is twice the bell's width


class Streets:
    """Offers vehicles (a minute), people (within sight) and noise (dB(A))."""

    def __init__(self, *, present: Present, causes: Sequence[Cause]) -> None:
        city, seed = present.city, present.seed
        self._present = present
        self._jams = effects(causes, "traffic", city, seed)
        self._crowds = effects(causes, "crowd", city, seed)
        self._shapes = [_bell(effect.cause, present) for effect in self._crowds]
        self._busy = Field(seed=seed, stream="busy", x=city.x, y=city.y, scale_m=700.0, period_s=1_800.0)
        present.offer(vehicles=self._vehicles, people=self._people, noise=self._noise, crowd=self._crowd)

    def _vehicles(self) -> FloatArray:
        present = self._present
        free = present.local.weekday() >= 5
        usual = _VEHICLES[present.city.road] * by_hour(present.hour, _FREE_DAY if free else _WORK_DAY)
        usual = usual * (1.0 + 0.3 * self._busy.at(present.second))
        for jam in self._jams:
            if jam.now(present.second):
                usual *= 1.0 + (jam.cause.number_of("factor") - 1.0) * jam.strength(present.second)
        usual *= 1.0 - 0.25 * np.minimum(present["rain_rate"] / 40.0, 1.0)
        return _counted(usual, present, "vehicles")

    def _crowd(self) -> FloatArray:
        """People whom the scenario's crowds bring within sight."""
        out = self._present.everywhere(0.0)
        for effect, shape in zip(self._crowds, self._shapes, strict=True):
            if effect.now(self._present.second):
                out += effect.cause.strength(self._present.second) * shape
        return out

    def _people(self) -> FloatArray:
        present = self._present
        usual = _PEOPLE[present.city.road] * by_hour(present.hour, _WALKING)
        usual = usual * (1.0 + 0.4 * self._busy.at(present.second + 7_200.0))
        usual *= 1.0 - 0.7 * np.minimum(present["rain_rate"] / 20.0, 1.0)
        return _counted(usual + present["crowd"], present, "people")

    def _noise(self) -> FloatArray:
        """Sums of powers: a quiet night of 42 dB, traffic (GB 3096 class 4a: 70 dB by day), voices, rain, wind."""
        present = self._present
        power = 10.0**4.2 + 10.0**5.35 * present["vehicles"] + 10.0**3.8 * present["people"]
        power += 10.0**4.6 * present["rain_rate"] + 10.0**1.9 * present["wind_speed"] ** 4
        out: FloatArray = 10.0 * np.log10(power)
        return out


def _bell(cause: Cause, present: Present) -> FloatArray:
    """How many of a crowd are within 30 m of each pole; no more than 1,500, one on two square metres."""
    east, north = cause.where.centre(present.city)
    distance = np.hypot(present.city.x - east, present.city.y - north)
    width = cause.where.radius_m / _LAST_CROWD_M
    a_square_metre = cause.number_of("people") / (2 * np.pi * width**2)
    shape: FloatArray = np.minimum(a_square_metre * np.pi * 30.0**2, 1_500.0) * np.exp(-((distance / width) ** 2) / 2)
    return shape


def _counted(usual: FloatArray, present: Present, stream: str) -> FloatArray:
    """Whole ones, spread about the mean as what comes by chance (Poisson's width)."""
    spread = np.sqrt(usual) * normal(present.seed, stream, present.index, present.step)
    out: FloatArray = np.maximum(np.floor(usual + spread + 0.5), 0.0)
    return out
