"""Street lamps: on at dusk circuit by circuit, dimmed late, off at dawn; what they draw is the feeders' load."""

from collections.abc import Sequence

import numpy as np

from simulators.causes import Cause
from simulators.world.arrays import BoolArray, FloatArray
from simulators.world.effects import effects
from simulators.world.noise import chance
from simulators.world.present import STEP_S, Present
from simulators.world.sun import Sun

DUSK_DEG = -1.5  # the sun's elevation at which lamps are lit; clouds bring it forward
_RATED_W = np.array([60.0, 120.0, 200.0, 250.0])  # LED, by road
_PLAN = ((0.0, 60.0), (1.0, 40.0), (5.5, 80.0), (12.0, 100.0), (23.0, 60.0))  # from an hour on, %
_GEAR_W, _IDLE_W = 5.0, 0.5  # the driver itself; its standby (EU 2019/2020 allows 0.5 W)


class Lamps:
    """Offers lamp_level (%), lamp_on, lamp_power (W), lamp_energy (kWh) and lamp_hours."""

    def __init__(self, *, present: Present, causes: Sequence[Cause], sun: Sun) -> None:
        city, seed = present.city, present.seed
        self._present, self._sun = present, sun
        self._orders = effects(causes, "lamps", city, seed)
        self._by_hand = np.full(city.poles, np.nan)  # a level that somebody asked for
        self._early_deg: FloatArray = (0.8 * chance(seed, "dusk", np.arange(city.circuit.max() + 1)) - 0.4)[
            city.circuit
        ]
        self._rated: FloatArray = _RATED_W[city.road]
        self.dusk: BoolArray = np.zeros(city.poles, dtype=np.bool_)  # whose circuits the sky has switched on
        self.level = np.zeros(city.poles)
        self.power = np.zeros(city.poles)
        years = 3.0 * chance(seed, "lamp age", present.index)
        self._hours: FloatArray = np.round(4_100.0 * years, 1)  # a year's night hours
        self._energy: FloatArray = np.round(self._hours * self._rated * 0.7 / 1000.0, 2)
        present.offer(
            lamp_level=self.level.copy, lamp_on=lambda: (self.level > 0).astype(np.float64),
            lamp_power=self.power.copy, lamp_energy=self._energy.copy, lamp_hours=self._hours.copy,
        )  # fmt: skip

    def by_hand(self, pole: int, level: float | None) -> None:
        """A level that holds until `None` gives the lamp back to its schedule."""
        self._by_hand[pole] = np.nan if level is None else min(max(level, 0.0), 100.0)

    def advance(self, powered: BoolArray) -> None:
        self.dusk = self._sun.height < DUSK_DEG + self._early_deg + 2.0 * self._cloudy()
        level = np.where(self.dusk, self._planned(), 0.0)
        for order in self._orders:
            if order.now(self._present.second):
                level[order.met(self._present.second)] = order.cause.number_of("level")
        level = np.where(np.isnan(self._by_hand), level, self._by_hand)
        self.level[:] = np.where(powered, level, 0.0)
        drawn = np.where(self.level > 0, _GEAR_W + (self._rated - _GEAR_W) * self.level / 100.0, _IDLE_W)
        self.power[:] = np.where(powered, drawn, 0.0)
        self._hours += np.where(self.level > 0, STEP_S / 3600.0, 0.0)
        self._energy += self.power * (STEP_S / 3_600_000.0)

    def _planned(self) -> float:
        return next(level for hour, level in reversed(_PLAN) if hour <= self._present.hour)

    def _cloudy(self) -> float:
        """The sky over the city as its switches see it, 0 to 1."""
        return float(self._present["cloud"].mean()) if -8.0 < self._sun.height < 6.0 else 0.0
