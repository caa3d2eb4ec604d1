"""EV charging: cars come and stay by the hour, take what the charger gives, and taper off when they are almost full."""

from collections.abc import Sequence

import numpy as np

from simulators.causes import Cause
from simulators.world.arrays import BoolArray, FloatArray, IntArray
from simulators.world.effects import effects
from simulators.world.kits import KITS
from simulators.world.noise import chance
from simulators.world.present import STEP_S, Present, by_hour

NOMINAL_V = 220.0
MOST_A = 32.0  # GB/T 18487.1, mode 3 on one phase: 7 kW
_LEAST_A = 6.0  # no pilot signal says less
_COMING = ((0.0, 0.05), (5.0, 0.05), (8.0, 0.35), (12.0, 0.45), (17.0, 0.5), (19.0, 0.6), (22.0, 0.3))  # cars an hour
_TAPERS_AT = 0.93  # state of charge


class Charging:
    """Offers ev_connected, ev_charging, ev_current, ev_power, ev_energy_session, ev_energy_total, ev_soc (%), ev_limit
    (A), ev_enabled.

    State: arrays over the poles that have a charger, `at`. The numbers of other poles are 0.
    """

    def __init__(self, *, present: Present, causes: Sequence[Cause]) -> None:
        city, seed = present.city, present.seed
        self._present = present
        self._rushes = effects(causes, "charging", city, seed)
        with_charger = [number for number, kit in enumerate(KITS) if kit.device("charger")]
        self.at: IntArray = np.flatnonzero(np.isin(city.kit, with_charger))
        self._place = {int(pole): place for place, pole in enumerate(self.at)}
        self._enabled: BoolArray = np.ones(len(self.at), dtype=np.bool_)
        self._limit: FloatArray = np.full(len(self.at), MOST_A)
        self._connected: BoolArray = np.zeros(len(self.at), dtype=np.bool_)
        self._leaves: IntArray = np.zeros(len(self.at), dtype=np.int64)
        self._soc, self._holds = np.zeros(len(self.at)), np.ones(len(self.at))
        self._session, self.amperes = np.zeros(len(self.at)), np.zeros(len(self.at))
        self._total: FloatArray = np.round(15_000.0 * chance(seed, "charged before", self.at), 1)
        self._arrive(chance(seed, "plugged in", self.at) < 0.25)
        present.offer(
            ev_connected=lambda: self._spread(self._connected), ev_charging=lambda: self._spread(self.amperes > 0),
            ev_current=lambda: self._spread(self.amperes), ev_soc=lambda: self._spread(100.0 * self._soc),
            ev_power=lambda: present["ev_current"] * present["voltage"],
            ev_energy_session=lambda: self._spread(self._session), ev_energy_total=lambda: self._spread(self._total),
            ev_limit=lambda: self._spread(self._limit), ev_enabled=lambda: self._spread(self._enabled),
        )  # fmt: skip

    def place(self, pole: int) -> int:
        """Of a pole's charger in the arrays. Raises KeyError where the pole has none."""
        return self._place[pole]

    def limit_to(self, pole: int, amperes: float) -> None:
        self._limit[self._place[pole]] = min(max(amperes, 0.0), MOST_A)

    def enable(self, pole: int, enabled: float) -> None:
        self._enabled[self._place[pole]] = enabled > 0

    def advance(self, live: BoolArray) -> None:
        """live: the poles whose charger has power."""
        step = self._present.step
        draw = chance(self._present.seed, "cars", self.at, step)
        self._connected &= step < self._leaves
        self._arrive(~self._connected & (draw < self._coming() * STEP_S / 3600.0))
        taper = np.clip((1.0 - self._soc) / (1.0 - _TAPERS_AT), 0.0, 1.0)
        flows = self._connected & self._enabled & live[self.at] & (self._soc < 0.999) & (self._limit >= _LEAST_A)
        self.amperes[:] = np.where(flows, np.maximum(self._limit * taper, _LEAST_A), 0.0)

    def count(self, voltage: FloatArray) -> None:
        """Adds what this step charges. voltage: by pole."""
        energy = self.amperes * voltage[self.at] * (STEP_S / 3_600_000.0)
        self._session += energy
        self._total += energy
        self._soc = np.minimum(self._soc + energy / self._holds, 1.0)

    def _arrive(self, coming: BoolArray) -> None:
        if not coming.any():
            return
        step = max(self._present.step, 0)
        seed, at = self._present.seed, self.at[coming]
        self._connected[coming] = True
        self._soc[coming] = 0.1 + 0.6 * chance(seed, "soc", at, step)
        self._holds[coming] = 40.0 + 40.0 * chance(seed, "car battery", at, step)
        self._session[coming] = 0.0
        stays = 1.0 + 6.0 * chance(seed, "stays", at, step) ** 2
        self._leaves[coming] = step + (stays * 3600.0 / STEP_S).astype(np.int64)

    def _coming(self) -> FloatArray:
        """Cars an hour at a charger that is free."""
        out = np.full(len(self.at), by_hour(self._present.hour, _COMING))
        for rush in self._rushes:
            if rush.now(self._present.second):
                out *= 1.0 + (rush.cause.number_of("factor") - 1.0) * rush.strength(self._present.second)[self.at]
        return out

    def _spread(self, values: FloatArray | BoolArray) -> FloatArray:
        out = self._present.everywhere(0.0)
        out[self.at] = values
        return out
