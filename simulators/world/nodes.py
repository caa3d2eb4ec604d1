"""The nodes on the poles: whether they have power, a network, software that runs, and a clock that is right."""

from collections.abc import Sequence

import numpy as np

from simulators.causes import Cause
from simulators.world.arrays import BoolArray, FloatArray, IntArray
from simulators.world.effects import Effect, effects
from simulators.world.noise import Field, chance, normal
from simulators.world.present import Present

BUILT_IN = "1.0.0"  # what every node runs until a rollout
_BOOT_LOOP, _SILENT_SENSORS = "boot-loop", "silent-sensors"
_BOOT_STEPS, _LATER_STEPS = 3, 4  # a start takes so many steps, and by chance up to so many more
_LOOP_STEPS, _UP_STEPS = 9, 2  # a boot loop's round, and how much of it the software is up


class Nodes:
    """powered, reachable, running, silent, clock_known, clock_offset_ms, version by pole, of this step.

    Offers camera_alive, battery, rssi and device_temperature.
    """

    def __init__(self, *, present: Present, causes: Sequence[Cause]) -> None:
        city, seed = present.city, present.seed
        self._present = present
        self._kinds = {kind: effects(causes, kind, city, seed) for kind in ("outage", "offline", "rollout", "clock")}
        told = [effect.cause.text_of("version") for effect in self._kinds["rollout"]]
        self.versions: tuple[str, ...] = tuple(dict.fromkeys((BUILT_IN, *told)))
        self._later: IntArray = (chance(seed, "boot", present.index) * (_LATER_STEPS + 1)).astype(np.int64)
        self._boots_until: IntArray = np.zeros(city.poles, dtype=np.int64)
        self.powered, self.reachable, self.running = (np.ones(city.poles, dtype=np.bool_) for _ in range(3))
        self.silent: BoolArray = np.zeros(city.poles, dtype=np.bool_)
        self.clock_known: BoolArray = np.ones(city.poles, dtype=np.bool_)
        self._synced: BoolArray = np.ones(city.poles, dtype=np.bool_)
        self.clock_offset_ms: IntArray = np.zeros(city.poles, dtype=np.int64)
        self.version: IntArray = np.zeros(city.poles, dtype=np.int64)
        self._charge: FloatArray = 55.0 + 45.0 * chance(seed, "battery", present.index)
        self._static_dbm: FloatArray = -88.0 + 9.0 * normal(seed, "rssi", present.index)
        self._fading = Field(seed=seed, stream="fading", x=city.x, y=city.y, scale_m=60.0, period_s=90.0)
        present.offer(
            camera_alive=lambda: self.powered.astype(np.float64), battery=self._battery, rssi=self._rssi,
            device_temperature=self._device_temperature,
        )  # fmt: skip

    def advance(self) -> None:
        step = self._present.step
        before, installed = self.powered, self.version
        self.powered = ~self._met("outage")
        self.reachable = ~self._met("offline")
        looping = self._roll_out()
        starts = (self.powered & ~before) | (self.version != installed)
        self._boots_until[starts] = step + _BOOT_STEPS + self._later[starts]
        self._synced[starts | ~self.powered] = False
        self.running = self.powered & (step >= self._boots_until) & ~looping
        self._synced |= self.running & self.reachable
        self._clocks()

    def _met(self, kind: str) -> BoolArray:
        out = np.zeros(self._present.city.poles, dtype=np.bool_)
        for effect in self._kinds[kind]:
            if effect.now(self._present.second):
                out |= effect.met(self._present.second)
        return out

    def _roll_out(self) -> BoolArray:
        """Sets version and silent. Returns whose software is down in its loop."""
        present = self._present
        self.silent = np.zeros(present.city.poles, dtype=np.bool_)
        self.version = np.zeros(present.city.poles, dtype=np.int64)
        looping = np.zeros(present.city.poles, dtype=np.bool_)
        for effect in self._kinds["rollout"]:
            if not effect.now(present.second):
                continue
            met = effect.met(present.second)
            self.version[met] = self.versions.index(effect.cause.text_of("version"))
            symptom = effect.cause.text_of("symptom")
            if symptom == _SILENT_SENSORS:
                self.silent |= met & self._sick(effect)
            elif symptom == _BOOT_LOOP:
                looping |= met & self._sick(effect) & ((present.step + self._later) % _LOOP_STEPS >= _UP_STEPS)
        return looping

    def _sick(self, effect: Effect) -> BoolArray:
        drawn = chance(self._present.seed, f"{effect.cause.stream} sick", self._present.index)
        out: BoolArray = drawn < effect.cause.number_of("sick")
        return out

    def _clocks(self) -> None:
        second = self._present.second
        self.clock_known = self._synced.copy()
        self.clock_offset_ms = np.zeros(self._present.city.poles, dtype=np.int64)
        for effect in self._kinds["clock"]:
            if not effect.now(second):
                continue
            met, how = effect.met(second), effect.cause.text_of("how")
            if how == "unset":
                self.clock_known &= ~met
            elif how == "step":
                self.clock_offset_ms[met] += round(1000 * effect.cause.number_of("by"))
            else:
                since = second - effect.begin[met]
                self.clock_offset_ms[met] += np.rint(since * effect.cause.number_of("by") / 3.6).astype(np.int64)

    def _battery(self) -> FloatArray:
        """%, of the devices that have one: some last ten years, so an hour is not seen."""
        out: FloatArray = np.floor(self._charge - self._present.second / 3_000_000.0)
        return out

    def _rssi(self) -> FloatArray:
        """dBm at the gateway that hears the pole best; rain hardly matters at 470 MHz, walls and cars do."""
        out: FloatArray = np.clip(self._static_dbm + 4.0 * self._fading.at(self._present.second), -120.0, -50.0)
        return out

    def _device_temperature(self) -> FloatArray:
        """Inside a box on the pole: warmer than the air by its own power, and in the sun."""
        out: FloatArray = self._present["temperature"] + 4.0 + 0.012 * self._present["solar_radiation"]
        return out
