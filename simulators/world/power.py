"""The mains: poles load their circuit, circuits and the houses load their feeder, and the voltage sags with the load.

Low voltage: 220 V, and GB/T 12325-2008 allows +7 % and -10 % of it (198 to 235.4 V) on one phase.
"""

from collections.abc import Sequence

import numpy as np

from simulators.causes import Cause
from simulators.world.arrays import BoolArray, FloatArray
from simulators.world.charging import NOMINAL_V, Charging
from simulators.world.effects import effects
from simulators.world.kits import KITS
from simulators.world.lamps import Lamps
from simulators.world.noise import chance, normal, wave
from simulators.world.present import STEP_S, Present, by_hour
from simulators.world.screens import Screens

_HEAD = 1.035  # of the nominal voltage, at the transformer
_HOUSES = 0.055  # of it, that the houses' evening load takes
_LINE = 0.02 / 15_000.0  # of it a watt, at the end of a circuit: 35 mm2 of aluminium, some 300 m
_LEAST, _MOST = 0.60, 1.07
_HOME = ((0.0, 0.45), (4.0, 0.35), (8.0, 0.65), (12.0, 0.75), (15.0, 0.65), (19.5, 1.0), (22.0, 0.8))
_DEVICE_W = {"camera": 9.0, "wifi": 14.0, "air": 4.0, "sos": 2.0, "level": 1.0, "charger": 8.0, "leakage": 3.0}
_NODE_W = 6.0  # gateway or controller, and the meter
_LAMP_VAR, _SCREEN_VAR, _IDLE_VAR, _EV_VAR = 0.33, 0.48, 1.2, 0.10  # var a watt
_BAD_SHARE = 0.03  # of the poles have an insulation that water gets into
_SOAKED_MM, _DRIES_S = 3.0, 5_400.0  # rain that soaks a joint, and how long it takes to dry
TRIPS_MA, RESETS_MA = 500.0, 250.0  # detectors against fire by leakage warn at 300 mA and alarm at 500 mA


class Power:
    """Offers voltage, current, active_power, power_factor, frequency, energy_total, leakage_current, tripped."""

    def __init__(
        self, *, present: Present, causes: Sequence[Cause], lamps: Lamps, screens: Screens, charging: Charging
    ) -> None:
        city, seed = present.city, present.seed
        self._present, self._lamps, self._screens, self._charging = present, lamps, screens, charging
        self._sags = effects(causes, "sag", city, seed)
        self._standby: FloatArray = np.array(
            [_NODE_W + sum(_DEVICE_W.get(name.rpartition("-")[0], 0.0) for name, _ in kit.devices) for kit in KITS]
        )[city.kit]
        self._circuits, self._feeders = int(city.circuit.max()) + 1, int(city.feeder.max()) + 1
        self._houses: FloatArray = 0.8 + 0.4 * chance(seed, "houses", np.arange(self._feeders))
        self._powered: BoolArray = np.ones(city.poles, dtype=np.bool_)
        self.voltage = present.everywhere(NOMINAL_V)
        self._energy: FloatArray = np.round(9_000.0 * chance(seed, "metered", present.index), 2)
        self._usual_ma: FloatArray = 5.0 + 12.0 * chance(seed, "leaks", present.index)
        bad = chance(seed, "bad insulation", present.index)
        self._bad_ma: FloatArray = np.where(bad < _BAD_SHARE, 120.0 + 600.0 * bad / _BAD_SHARE, 0.0)
        self._damp = np.zeros(city.poles)
        self.tripped: BoolArray = np.zeros(city.poles, dtype=np.bool_)
        present.offer(
            voltage=self.voltage.copy, active_power=self._active_power, current=self._current,
            power_factor=self._power_factor, reactive_power=self._reactive_power, frequency=self._frequency,
            energy_total=self._energy.copy, leakage_current=self._leakage,
            tripped=lambda: self.tripped.astype(np.float64),
        )  # fmt: skip

    def advance(self, powered: BoolArray, mild: float, raining: bool) -> None:
        """After lamps, screens and chargers have taken this step's state. mild: temperature of the city."""
        self._powered = powered
        self.voltage[:] = np.where(powered, self._volts(mild), 0.0)
        self._charging.count(self.voltage)
        self._energy += self._present["active_power"] * (STEP_S / 3_600_000.0)
        if raining:
            soaks = 1.0 - np.exp(-self._present["rain_rate"] * (STEP_S / 3600.0 / _SOAKED_MM))
            self._damp += (1.0 - self._damp) * soaks
        self._damp *= 1.0 - STEP_S / _DRIES_S
        leak = self._present["leakage_current"]
        self.tripped = np.where(self.tripped, (leak > RESETS_MA) | ~powered, leak > TRIPS_MA)

    def _volts(self, mild: float) -> FloatArray:
        city, present = self._present.city, self._present
        load = np.bincount(city.circuit, weights=self._nominal(), minlength=self._circuits)[city.circuit]
        share = by_hour(present.hour, _HOME) * (1.0 + 0.05 * max(mild - 26.0, 0.0) + 0.03 * max(8.0 - mild, 0.0))
        flicker = 0.004 * normal(present.seed, "feeder", np.arange(self._feeders), present.step // 3)
        part = _HEAD - (_HOUSES * share * self._houses + flicker)[city.feeder] - _LINE * load * city.far
        for sag in self._sags:
            if sag.now(present.second):
                part *= 1.0 - sag.cause.number_of("percent") / 100.0 * sag.strength(present.second)
        out: FloatArray = NOMINAL_V * np.clip(part, _LEAST, _MOST)
        return out

    def _steady(self) -> FloatArray:
        """W that a pole draws whatever the voltage: all but the charging car."""
        drawn = self._lamps.power + self._standby * self._powered
        drawn[self._screens.at] += self._screens.power
        return drawn

    def _nominal(self) -> FloatArray:
        drawn = self._steady() * self._powered
        drawn[self._charging.at] += self._charging.amperes * NOMINAL_V
        return drawn

    def _active_power(self) -> FloatArray:
        drawn = self._steady()
        at = self._charging.at
        drawn[at] += self._charging.amperes * self.voltage[at]
        return drawn

    def _reactive_power(self) -> FloatArray:
        drawn = _LAMP_VAR * self._lamps.power + _IDLE_VAR * self._standby * self._powered
        drawn[self._screens.at] += _SCREEN_VAR * self._screens.power
        at = self._charging.at
        drawn[at] += _EV_VAR * self._charging.amperes * self.voltage[at]
        return drawn

    def _apparent(self) -> FloatArray:
        out: FloatArray = np.hypot(self._present["active_power"], self._present["reactive_power"])
        return out

    def _power_factor(self) -> FloatArray:
        """1 where nothing is drawn."""
        apparent = self._apparent()
        out: FloatArray = np.where(apparent > 0, self._present["active_power"] / np.maximum(apparent, 1e-9), 1.0)
        return out

    def _current(self) -> FloatArray:
        out: FloatArray = np.where(self.voltage > 0, self._apparent() / np.maximum(self.voltage, 1.0), 0.0)
        return out

    def _frequency(self) -> FloatArray:
        """One for the whole grid; GB/T 15945-2008 allows 50 ± 0.2 Hz."""
        present = self._present
        swing = 0.018 * wave(present.seed, "frequency", present.second, 47.0)
        return present.everywhere(50.0 + swing + 0.02 * wave(present.seed, "frequency slow", present.second, 610.0))

    def _leakage(self) -> FloatArray:
        """mA of residual current: a little always, more in the wet, a lot where water stands in bad joints."""
        wet = self._bad_ma * np.minimum(self._damp + 4.0 * self._present["ponding"], 1.4)
        out: FloatArray = (self._usual_ma * (1.0 + 2.0 * self._damp) + wet) * self._powered
        return out
