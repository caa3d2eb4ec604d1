"""What a device can say of a value: its smallest step, and its least and greatest number."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device_profiles import items, registers, wired
from device_profiles.schema import Point
from protocols import dlt645
from simulators.world.arrays import BoolArray, FloatArray, IntArray

# Where a device sends floats, the digits after the point that it is worth to tell; a float32 holds some seven in all.
_DIGITS = {"A": 3, "m": 3, "/": 3, "V": 1, "W": 1, "VA": 1, "var": 1, "mA": 1, "hPa": 1, "%RH": 1, "deg": 1, "mm": 1}
_OTHER_DIGITS = 2
_MOST_DIGITS = 4  # DALI's 100/254 has no end
_BITS = {"uint8": (0, 8), "int8": (1, 8), "uint16": (0, 16), "int16": (1, 16), "uint32": (0, 32), "int32": (1, 32)}
_UNKNOWN = float(1 << 50)  # counts: as good as no limit, and exact in a float


@dataclass(frozen=True, kw_only=True)
class Scale:
    """value = zero + count * step. low to high: the counts that the profile's range allows; floor to ceiling: those
    that the device can hold. A count between the two is a reading out of range."""

    step: float
    zero: float
    low: float
    high: float
    floor: float
    ceiling: float
    decimals: int

    @property
    def span(self) -> float:
        """Of the range, in the point's unit; 0 where there is none."""
        return 0.0 if self.high - self.low > _UNKNOWN else (self.high - self.low) * self.step

    @property
    def spike(self) -> float:
        """The count of a reading that is far off: beyond the range, or on its end where the device cannot say more."""
        return min(self.high + _margin(self.low, self.high), self.ceiling)


def scale(point: Point) -> Scale:
    """Of a number or a bool."""
    if point.kind == "bool":
        return Scale(step=1.0, zero=0.0, low=0.0, high=1.0, floor=0.0, ceiling=1.0, decimals=0)
    step, zero = _step(point), _zero(point)
    if not step:
        step, zero = 10.0 ** -_DIGITS.get(point.unit, _OTHER_DIGITS), 0.0
    low, high = _allowed(point, step, zero)
    floor, ceiling = _held(point) or (low - _margin(low, high) if low else 0.0, high + _margin(low, high))
    return Scale(
        step=step, zero=zero, low=max(low, floor), high=min(high, ceiling), floor=floor, ceiling=ceiling,
        decimals=_decimals(step, zero),
    )  # fmt: skip


def _allowed(point: Point, step: float, zero: float) -> tuple[float, float]:
    """Counts within the range; one that misses its edge by a hair is on it."""
    if point.range is None:
        return (min(point.values), max(point.values)) if point.values else (-_UNKNOWN, _UNKNOWN)
    return math.ceil((point.range[0] - zero) / step - 1e-9), math.floor((point.range[1] - zero) / step + 1e-9)


def _margin(low: float, high: float) -> float:
    """A twentieth of the range, in counts: more than any rounding, and no digit more than the range has."""
    return max(1.0, math.floor((high - low) / 20))


def _step(point: Point) -> float:
    """0 where the device sends floats."""
    if point.at is not None:
        return registers.resolution(point.at)
    return items.resolution(point.item) if point.item is not None else wired.resolution(point)


def _zero(point: Point) -> float:
    place = point.at or point.item or point.i2c or point.adc
    return place.offset if place is not None else 0.0


def _held(point: Point) -> tuple[float, float] | None:
    """The least and the greatest count of the number's type; None where it has none that we know."""
    if point.item is not None and re.fullmatch(dlt645.NAMES, point.item.name):
        return _digits(point.item.name)
    kind: str | None = None
    if point.at is not None:
        kind = point.at.type
    elif point.item is not None:
        kind = point.item.number
    elif point.i2c is not None:
        kind = point.i2c.number
    if kind not in _BITS:
        return None
    signed, bits = _BITS[kind]
    return (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)


def _digits(item: str) -> tuple[float, float] | None:
    """What a DL/T 645 meter has digits for; the highest bit of a signed number is its sign."""
    width, signed = dlt645.width_of(item), dlt645.is_signed(item)
    if width is None:
        return None
    most = (8 if signed else 10) * 10.0 ** (2 * width - 1) - 1
    return -most if signed else 0.0, most


def _decimals(step: float, zero: float) -> int:
    """Digits after the point that tell one step from the next, and say it exactly where four of them can."""
    for digits in range(_MOST_DIGITS + 1):
        if all(abs(value * 10**digits - round(value * 10**digits)) < 1e-6 for value in (step, zero)):
            return digits
    return min(_MOST_DIGITS, math.ceil(-math.log10(step)) + 1)


class Scales:
    """Those of a table's columns, as arrays by column."""

    def __init__(self, scales: Sequence[Scale]) -> None:
        def row(name: str) -> FloatArray:
            return np.array([getattr(each, name) for each in scales], dtype=np.float64)

        self.step, self._zero, self._low, self._high = row("step"), row("zero"), row("low"), row("high")
        self._floor, self._ceiling, self.spike, self.span = row("floor"), row("ceiling"), row("spike"), row("span")
        self._tens = 10.0 ** row("decimals")

    def counts(self, values: FloatArray) -> FloatArray:
        """values[r, c] -> the device's counts, within the range."""
        out: FloatArray = np.rint((values - self._zero) / self.step)
        return np.clip(out, self._low, self._high, out=out)

    def held(self, values: FloatArray, columns: IntArray) -> FloatArray:
        """Of some columns, as far as the device's numbers reach."""
        count = np.rint((values - self._zero[columns]) / self.step[columns])
        out: FloatArray = np.clip(count, self._floor[columns], self._ceiling[columns])
        return out

    def allows(self, count: FloatArray, columns: IntArray) -> BoolArray:
        """Which counts of some columns are within the range."""
        out: BoolArray = (self._low[columns] <= count) & (count <= self._high[columns])
        return out

    def raw(self, count: FloatArray) -> IntArray:
        """counts[r, c] -> value * 10**decimals."""
        out: IntArray = np.rint((self._zero + count * self.step) * self._tens).astype(np.int64)
        return out
