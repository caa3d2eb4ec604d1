"""What happens to single poles: a blow that leaves one leaning, a cover that is opened, somebody who calls for help."""

from collections.abc import Sequence

import numpy as np

from simulators.causes import Cause
from simulators.world.arrays import BoolArray, FloatArray
from simulators.world.effects import effects
from simulators.world.noise import chance, normal
from simulators.world.present import STEP_S, Present

GRAVITY = 9.80665
_STANDS_DEG = 0.6  # how crooked a pole may have been put up: 1 % of its height
_SWAY_DEG = 0.0012  # by each (m/s)^2 of a gust
_FELT_STEPS = 3  # a sensor shows a blow for so long
_ANSWERED_S, _TALK_S = 20, 180  # the control room picks up, and the call goes on after the button is let go
_LIFTED_DEG = (35.0, 85.0)


class Incidents:
    """Offers angle, angle_x, angle_y (deg), acceleration_z (m/s2), impact, cover_open, cover_angle, sos_*, call_*."""

    def __init__(self, *, present: Present, causes: Sequence[Cause]) -> None:
        city, seed, index = present.city, present.seed, present.index
        self._present = present
        self._hits, self._covers, self._calls = (
            effects(causes, kind, city, seed) for kind in ("hit", "cover", "sos")
        )  # fmt: skip
        away = 2 * np.pi * chance(seed, "leans to", index)
        stands = _STANDS_DEG * chance(seed, "stands", index)
        self._stands_x: FloatArray = stands * np.cos(away)
        self._stands_y: FloatArray = stands * np.sin(away)
        least, most = _LIFTED_DEG
        self._lifted: FloatArray = least + (most - least) * chance(seed, "lifted", index)
        present.offer(
            angle=self._angle, angle_x=lambda: self._lean(self._stands_x, 0), impact=self._impact,
            angle_y=lambda: self._lean(self._stands_y, 1), acceleration_z=self._acceleration_z,
            cover_open=self._cover_open, cover_angle=lambda: self._lifted * present["cover_open"],
            sos_pressed=self._sos_pressed, call_active=self._call_active,
        )  # fmt: skip

    def _lean(self, stands: FloatArray, axis: int) -> FloatArray:
        """How it was put up, how gusts sway it, and how a blow has bent it."""
        present = self._present
        sway = normal(present.seed, f"sway {axis}", present.index, present.step)
        out = stands + _SWAY_DEG * present["wind_gust"] ** 2 * sway
        for hit in self._hits:
            met = hit.met(present.second)
            if met.any():
                way = 2 * np.pi * chance(present.seed, f"{hit.cause.stream} way", present.index)
                out[met] += hit.cause.number_of("angle") * (np.cos(way) if axis == 0 else np.sin(way))[met]
        return np.clip(out, -89.0, 89.0)

    def _angle(self) -> FloatArray:
        """Between the pole and the vertical, of the two together."""
        across, along = (np.tan(np.radians(self._present[name])) for name in ("angle_x", "angle_y"))
        out: FloatArray = np.degrees(np.arctan(np.hypot(across, along)))
        return out

    def _acceleration_z(self) -> FloatArray:
        shaken = 4.0 * normal(self._present.seed, "blow", self._present.index, self._present.step)
        out: FloatArray = GRAVITY * np.cos(np.radians(self._present["angle"])) + shaken * self._present["impact"]
        return out

    def _impact(self) -> FloatArray:
        second = self._present.second
        felt = np.zeros(self._present.city.poles, dtype=np.bool_)
        for hit in self._hits:
            felt |= (hit.begin <= second) & (second < hit.begin + _FELT_STEPS * STEP_S)
        return felt.astype(np.float64)

    def _cover_open(self) -> FloatArray:
        opened: BoolArray = np.zeros(self._present.city.poles, dtype=np.bool_)
        for cover in self._covers:
            opened |= cover.met(self._present.second)
        return opened.astype(np.float64)

    def _sos_pressed(self) -> FloatArray:
        pressed: BoolArray = np.zeros(self._present.city.poles, dtype=np.bool_)
        for call in self._calls:
            pressed |= call.met(self._present.second)
        return pressed.astype(np.float64)

    def _call_active(self) -> FloatArray:
        second = self._present.second
        talks: BoolArray = np.zeros(self._present.city.poles, dtype=np.bool_)
        for call in self._calls:
            talks |= (call.begin + _ANSWERED_S <= second) & (second < call.end + _TALK_S)
        return talks.astype(np.float64)
