"""Compact zones: poles that stand together share a feeder, a circuit, a network cell or a drain basin."""

from collections.abc import Iterator

import numpy as np

from simulators.world.arrays import FloatArray, IntArray


def zones(x: FloatArray, y: FloatArray, limit: int) -> IntArray:
    """Number of each place's zone, from 0: the map is halved along its longer side until none has more than `limit`."""
    return within(np.zeros(len(x), dtype=np.int64), x, y, limit)


def within(outer: IntArray, x: FloatArray, y: FloatArray, limit: int) -> IntArray:
    """As zones, and none reaches over the border of an outer zone."""
    out = np.zeros(len(x), dtype=np.int64)
    number = 0
    order = np.argsort(outer, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(outer[order])) + 1):
        for part in _halves(members, x, y, limit):
            out[part] = number
            number += 1
    return out


def _halves(members: IntArray, x: FloatArray, y: FloatArray, limit: int) -> Iterator[IntArray]:
    if len(members) <= limit:
        yield members
        return
    along = x if np.ptp(x[members]) >= np.ptp(y[members]) else y
    order = members[np.argsort(along[members], kind="stable")]
    middle = len(order) // 2
    yield from _halves(order[:middle], x, y, limit)
    yield from _halves(order[middle:], x, y, limit)
