"""Compares what was produced with what is stored, reading by reading: arrays IN, a verdict for each OUT."""

from bisect import bisect
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pole.fleet.judge_series import CODED, Readings
from simulators.world.arrays import BoolArray, FloatArray, IntArray


class Became(IntEnum):
    """What became of a reading (judge_outcome says each in words). From WRONG on nothing excuses it."""

    RIGHT = 0
    OVERWRITTEN = 1
    PENDING = 2
    DROPPED = 3
    REFUSED = 4
    ENDED = 5
    WRONG = 6
    MOVED = 7
    LOST = 8


MOST_MOVED = 100_000  # stored readings that nobody produced, looked at for a lost one of the same value


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the store holds of a group's series, ascending by key, as in Readings."""

    key: IntArray
    content: FloatArray
    kind: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """became[n]: of each reading. match[n]: index of the stored one that it was compared with, -1: none.
    false: indexes of stored ones that nobody produced."""

    became: NDArray[np.uint8]
    match: IntArray
    false: IntArray


class Fate(Protocol):
    """Of readings, by their index in what was produced."""

    def why(self, absent: IntArray) -> NDArray[np.uint8]:
        """Of those that are not in the store: PENDING, DROPPED, REFUSED, ENDED or LOST."""

    def stored(self, readings: IntArray) -> BoolArray:
        """Whether their packs were written to the store."""


def judge(produced: Readings, found: Found, fate: Fate) -> Judged:
    """A verdict for every reading, and what nobody produced."""
    at, hit = _look_up(produced.key, found.key)
    equal = hit.copy()
    equal[hit] = (np.abs(found.content[at[hit]] - produced.content[hit]) <= produced.tolerance[hit]) & (
        found.kind[at[hit]] == produced.kind[hit]
    )
    chosen = _chosen(produced.key, equal)
    became = np.where(equal, Became.RIGHT, Became.WRONG).astype(np.uint8)
    match = np.where(hit & chosen, at, -1)
    absent = np.flatnonzero(~hit)
    became[absent] = fate.why(absent)
    # Two readings of one series with one time: the store holds one, the other is there no more, or not yet.
    other = np.flatnonzero(hit & ~chosen)
    became[other] = np.where(fate.stored(other), Became.OVERWRITTEN, fate.why(other))
    false = np.flatnonzero(~_look_up(found.key, np.unique(produced.key))[1])
    false = _of_another_kind(produced, found, became, match, false)
    false = _at_another_time(produced, found, became, match, false)
    return Judged(became=became, match=match, false=false)


def _look_up(wanted: IntArray, ascending: IntArray) -> tuple[IntArray, BoolArray]:
    """(where each wanted one stands, whether it is there)."""
    if not len(ascending):
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
    at = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return at, ascending[at] == wanted


def _chosen(key: IntArray, equal: BoolArray) -> BoolArray:
    """One reading of each key: the last one that the store agrees with, else the last."""
    count = len(key)
    out = np.zeros(count, dtype=np.bool_)
    if count:
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=key[order[0]] - 1))
        best = np.maximum.reduceat(equal[order] * count + np.arange(count), starts)
        out[order[best % count]] = True
    return out


def _of_another_kind(
    produced: Readings, found: Found, became: NDArray[np.uint8], match: IntArray, false: IntArray
) -> IntArray:
    """A lost value where a quality stands at its very time, or the other way round, is a wrong one. Gives what is left
    of the false ones."""
    lost = np.flatnonzero(became == Became.LOST)
    at, hit = _look_up(produced.key[lost] ^ CODED, found.key[false])
    became[lost[hit]] = Became.WRONG
    match[lost[hit]] = false[at[hit]]
    return np.delete(false, at[hit])


def _at_another_time(
    produced: Readings, found: Found, became: NDArray[np.uint8], match: IntArray, false: IntArray
) -> IntArray:
    """A lost reading whose value stands at a time when its series had none is one with a wrong time."""
    lost = np.flatnonzero(became == Became.LOST)
    if not len(lost) or not len(false):
        return false
    waiting = _by_value(produced, lost, set((found.key[false[:MOST_MOVED]] // CODED).tolist()))
    left: list[int] = false[MOST_MOVED:].tolist()
    for stored in false[:MOST_MOVED].tolist():
        digit, by_digits = waiting.get(int(found.key[stored] // CODED), (1.0, {}))
        same = by_digits.get(round(found.content[stored] / digit), [])
        if not same:
            left.append(stored)
            continue
        _, reading = same.pop(_nearest(same, int(found.key[stored])))
        became[reading], match[reading] = Became.MOVED, stored
    return np.array(sorted(left), dtype=np.int64)


def _nearest(ascending: list[tuple[int, int]], key: int) -> int:
    after = bisect(ascending, (key, 0))
    beside = range(max(0, after - 1), min(len(ascending), after + 1))
    return min(beside, key=lambda index: abs(ascending[index][0] - key))


_Waiting = dict[int, tuple[float, dict[int, list[tuple[int, int]]]]]


def _by_value(produced: Readings, lost: IntArray, series: set[int]) -> _Waiting:
    """series -> its last digit, and value in such digits -> (key, reading) of those that are lost, ascending."""
    out: _Waiting = {}
    for reading in lost[np.argsort(produced.key[lost], kind="stable")].tolist():
        each = int(produced.key[reading] // CODED)
        if each in series:
            digit, by_digits = out.setdefault(each, (2 * float(produced.tolerance[reading]), {}))
            same = by_digits.setdefault(round(produced.content[reading] / digit), [])
            same.append((int(produced.key[reading]), reading))
    return out
