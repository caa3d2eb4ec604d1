"""Advertising screens: on from early morning to late evening, as bright as the daylight asks for."""

import numpy as np

from simulators.world.arrays import BoolArray, FloatArray, IntArray
from simulators.world.kits import KITS
from simulators.world.present import Present

_HOURS = (6.5, 23.5)
_NIGHT, _DAY = 30.0, 90.0  # % of brightness: a screen that is read in the sun dazzles at night
_OFF_W, _ON_W, _FULL_W = 12.0, 60.0, 600.0


class Screens:
    """Offers screen_on and screen_brightness (%); power: W by screen, at the poles `at`."""

    def __init__(self, *, present: Present) -> None:
        self._present = present
        with_screen = [number for number, kit in enumerate(KITS) if kit.device("screen")]
        self.at: IntArray = np.flatnonzero(np.isin(present.city.kit, with_screen))
        self._place = {int(pole): place for place, pole in enumerate(self.at)}
        self._on_by_hand: FloatArray = np.full(len(self.at), np.nan)
        self._brightness_by_hand: FloatArray = np.full(len(self.at), np.nan)
        self._on: FloatArray = np.zeros(len(self.at))
        self._brightness: FloatArray = np.zeros(len(self.at))
        self.power: FloatArray = np.zeros(len(self.at))
        present.offer(
            screen_on=lambda: self._spread(self._on), screen_brightness=lambda: self._spread(self._brightness)
        )

    def place(self, pole: int) -> int:
        """Of a pole's screen in the arrays. Raises KeyError where the pole has none."""
        return self._place[pole]

    def switch(self, pole: int, on: float) -> None:
        self._on_by_hand[self._place[pole]] = float(on > 0)

    def dim(self, pole: int, brightness: float) -> None:
        self._brightness_by_hand[self._place[pole]] = min(max(brightness, 0.0), 100.0)

    def advance(self, live: BoolArray, height: float) -> None:
        """live: the poles whose screen has power. height: the sun's, degrees."""
        usual = 1.0 if _HOURS[0] <= self._present.hour < _HOURS[1] else 0.0
        fitting = _NIGHT + (_DAY - _NIGHT) * min(max((height + 4.0) / 24.0, 0.0), 1.0)
        on = np.where(np.isnan(self._on_by_hand), usual, self._on_by_hand)
        self._on[:] = on * live[self.at]
        bright = np.where(np.isnan(self._brightness_by_hand), fitting, self._brightness_by_hand)
        self._brightness[:] = bright * self._on
        lit = _ON_W + (_FULL_W - _ON_W) * self._brightness / 100.0
        self.power[:] = np.where(self._on > 0, lit, _OFF_W) * live[self.at]

    def _spread(self, values: FloatArray) -> FloatArray:
        out = self._present.everywhere(0.0)
        out[self.at] = values
        return out
