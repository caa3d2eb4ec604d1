"""What a scenario does to sensors: they drift, stick, spike, grow noisy, die."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulators.causes import STEP_S, Cause
from simulators.sensing.columns import Column
from simulators.sensing.scale import Scales
from simulators.world.arrays import BoolArray, FloatArray, IntArray
from simulators.world.city_map import CityMap
from simulators.world.noise import chance, normal
from wire.packs import QUALITIES

TIMEOUT = 1 + QUALITIES.index("timeout")
RANGE = 1 + QUALITIES.index("range")
Qualities = NDArray[np.uint8]
_FOR_EVER = np.iinfo(np.int32).max
_MEASURED = ("drift", "spikes", "noise")  # a contact, a code, a setting has none of these
_HOUR = 3600


class Spell:
    """One cause, and the steps between which it has each pole."""

    def __init__(self, *, cause: Cause, city: CityMap, seed: int) -> None:
        begin, end = (np.minimum(each // STEP_S, _FOR_EVER).astype(np.int32) for each in cause.spans(city, seed))
        self.cause = cause
        self.begin = begin
        self._end = end

    def has(self, poles: IntArray, step: int) -> BoolArray:
        """Which of the poles it has now."""
        out: BoolArray = (self.begin[poles] <= step) & (step < self._end[poles])
        return out


class Rot:
    """One cause of rot, on the columns of one table that it takes."""

    def __init__(
        self, *, spell: Spell, seed: int, columns: IntArray, scales: Scales, span: FloatArray,
        answers: BoolArray, rows: int,
    ) -> None:  # fmt: skip
        """By column of `columns`: span, what a percent is of, in the point's unit; answers, whether the point says that
        the device does. rows: of the table."""
        self._spell = spell
        self._how = spell.cause.text_of("how")
        self._rate = spell.cause.number_of("rate")
        self._stream = spell.cause.stream
        self._seed = seed
        self._scales = scales
        self._columns = columns
        self._span = span
        self._answers = answers
        self._kept = np.full((rows, len(columns)) if self._how == "stuck" else (0, 0), np.nan)

    def spoil(
        self,
        *,
        rows: IntArray,
        poles: IntArray,
        sensors: IntArray,
        every: IntArray,
        values: FloatArray,
        count: FloatArray,
        quality: Qualities,
        step: int,
    ) -> None:
        """Changes what a reading of these rows says. It may leave the range, as far as the device can say that.

        sensors[r, c]: their numbers; values[r, c] and count[r, c]: before and after the device's steps.
        """
        met = np.flatnonzero(self._spell.has(poles, step))
        if not met.size:
            return
        cells = np.ix_(met, self._columns)
        if self._how == "dead":
            quality[cells] = np.where(self._answers, 0, TIMEOUT)
            count[cells] = np.where(self._answers, 0, count[cells])
        elif self._how == "stuck":
            count[cells] = self._stuck(rows[met], count[cells])
        else:
            if self._how == "spikes":
                held = self._spiked(sensors[cells], every[met], count[cells], step)
            else:
                values[cells] += self._bend(sensors[cells], poles[met], step)
                held = self._scales.held(values[cells], self._columns)
            count[cells] = held
            quality[cells] = np.where(self._scales.allows(held, self._columns), quality[cells], RANGE)

    def _stuck(self, rows: IntArray, count: FloatArray) -> FloatArray:
        kept = self._kept[rows]
        kept = np.where(np.isnan(kept), count, kept)
        self._kept[rows] = kept
        return kept

    def _spiked(self, sensors: IntArray, every: IntArray, count: FloatArray, step: int) -> FloatArray:
        often = 1.0 - np.exp(-self._rate * every * STEP_S / _HOUR)
        hit = chance(self._seed, self._stream + " spikes", sensors, step) < often[:, None]
        return np.where(hit, self._scales.spike[self._columns], count)

    def _bend(self, sensors: IntArray, poles: IntArray, step: int) -> FloatArray:
        share = self._rate / 100 * self._span
        if self._how == "noise":
            return normal(self._seed, self._stream + " noise", sensors, step) * share
        hours = (step - self._spell.begin[poles]) * (STEP_S / _HOUR)
        return hours[:, None] * share


def takes(cause: Cause, columns: Sequence[Column], measured: BoolArray) -> IntArray:
    """The columns that a rot has. measured: which ones are of a sensor."""
    wanted = {key: cause.text_of(key) for key in ("device", "point", "function")}
    only_measured = cause.text_of("how") in _MEASURED
    return np.array(
        [
            number
            for number, column in enumerate(columns)
            if all(not text or text == getattr(column, key) for key, text in wanted.items())
            and (measured[number] or not only_measured)
        ],
        dtype=np.int64,
    )


def spells(causes: Sequence[Cause], city: CityMap, seed: int) -> list[Spell]:
    """What rots, in the order in which it counts: who is dead says nothing more."""
    rots = sorted((cause for cause in causes if cause.kind == "rot"), key=lambda cause: cause.text_of("how") == "dead")
    return [Spell(cause=cause, city=city, seed=seed) for cause in rots]
