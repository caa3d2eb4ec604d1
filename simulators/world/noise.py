"""Chance that is the same on every run: a counter-based generator, no state.

SplitMix64's finaliser (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators") over seed, stream,
index and step, in integers only: no order of calls, no thread and no array's length changes a draw.
"""

import math
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from simulators.world.arrays import FloatArray, IntArray

_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_ALL = (1 << 64) - 1
_ROW = 1 << 20  # lattice points of one row of a field, more than any map has
_QUARTER = np.uint64(0xFFFF)
_FIRST = np.array([0], dtype=np.int64)


def chance(seed: int, stream: str, index: IntArray, step: int = 0) -> FloatArray:
    """0 <= value < 1, one for each index, uniform. Same seed, stream, index and step: same value."""
    out: FloatArray = (_bits(seed, stream, index, step) >> np.uint64(11)).astype(np.float64)
    out *= 2.0**-53
    return out


def normal(seed: int, stream: str, index: IntArray, step: int = 0) -> FloatArray:
    """Mean 0, variance 1, within ±3.5: the sum of four chances of 16 bits, so nothing but integers before the scale."""
    bits = _bits(seed, stream, index, step)
    together = (bits & _QUARTER) + ((bits >> np.uint64(16)) & _QUARTER)
    together += ((bits >> np.uint64(32)) & _QUARTER) + (bits >> np.uint64(48))
    out: FloatArray = (together.astype(np.float64) - 131_070.0) * (math.sqrt(3.0) / 65_536.0)
    return out


class Field:
    """Smooth value noise in [-1, 1] over places that stay; it changes smoothly in time too.

    x, y: metres, 0 or more. scale_m and period_s: over about what distance and time values have nothing in common.
    """

    def __init__(
        self, *, seed: int, stream: str, x: FloatArray, y: FloatArray, scale_m: float, period_s: float
    ) -> None:
        self._seed, self._stream, self._period_s = seed, stream, period_s
        column, self._across = _split(x / scale_m)
        row, self._up = _split(y / scale_m)
        self._columns = int(column.max(initial=0)) + 2
        rows = int(row.max(initial=0)) + 2
        self._lattice = (np.arange(rows)[:, None] * _ROW + np.arange(self._columns)[None, :]).ravel()
        self._corner = (row * self._columns + column).astype(np.int32)
        self._turn = -(1 << 62)
        self._before = self._after = self._across

    def at(self, time_s: float) -> FloatArray:
        """One value a place."""
        turn = math.floor(time_s / self._period_s)
        part = _smooth(time_s / self._period_s - turn)
        if turn != self._turn:  # the lattice of a turn serves many steps
            self._turn = turn
            self._before, self._after = (
                2.0 * chance(self._seed, self._stream, self._lattice, knot) - 1.0 for knot in (turn, turn + 1)
            )
        lattice = self._before * (1.0 - part) + self._after * part
        west = _between(lattice, self._corner, self._columns, self._up)
        east = _between(lattice, self._corner + 1, self._columns, self._up)
        out: FloatArray = west + (east - west) * self._across
        return out


def field(
    seed: int, stream: str, x: FloatArray, y: FloatArray, time_s: float, *, scale_m: float, period_s: float
) -> FloatArray:
    """As Field, for places that are asked for once."""
    return Field(seed=seed, stream=stream, x=x, y=y, scale_m=scale_m, period_s=period_s).at(time_s)


def wave(seed: int, stream: str, time_s: float, period_s: float) -> float:
    """Smooth noise in [-1, 1] of time alone: what a whole city has in common."""
    turn = math.floor(time_s / period_s)
    part = _smooth(time_s / period_s - turn)
    return _knot(seed, stream, turn) * (1.0 - part) + _knot(seed, stream, turn + 1) * part


def _bits(seed: int, stream: str, index: IntArray, step: int) -> NDArray[np.uint64]:
    start = _mixed_int(_key(seed, stream) + (step & _ALL) * _GOLDEN)
    bits: NDArray[np.uint64] = index.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(start)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(_MIX_1)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(_MIX_2)
    return bits ^ (bits >> np.uint64(31))


@lru_cache(maxsize=4096)
def _key(seed: int, stream: str) -> int:
    return int.from_bytes(blake2b(f"{seed}/{stream}".encode(), digest_size=8).digest(), "big")


def _mixed_int(bits: int) -> int:
    bits &= _ALL
    bits = ((bits ^ (bits >> 30)) * _MIX_1) & _ALL
    bits = ((bits ^ (bits >> 27)) * _MIX_2) & _ALL
    return bits ^ (bits >> 31)


@lru_cache(maxsize=4096)
def _knot(seed: int, stream: str, turn: int) -> float:
    return 2.0 * float(chance(seed, stream, _FIRST, turn)[0]) - 1.0


def _split(value: FloatArray) -> tuple[IntArray, FloatArray]:
    whole = np.floor(value)
    part = value - whole
    return whole.astype(np.int64), part * part * (3.0 - 2.0 * part)


def _smooth(part: float) -> float:
    return part * part * (3.0 - 2.0 * part)


def _between(lattice: FloatArray, corner: NDArray[np.int32], columns: int, up: FloatArray) -> FloatArray:
    below = lattice[corner]
    out: FloatArray = below + (lattice[corner + columns] - below) * up
    return out
