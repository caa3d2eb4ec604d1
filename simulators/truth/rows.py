"""What a step holds: for each kit the poles that took a reading, when, and what every column said.

Values are stored as differences from the pole's reading before, so writer and reader keep the last one of each.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.truth.coding import pack, unpack
from simulators.world.arrays import IntArray

_HEAD = struct.Struct("<HI?")  # table, rows, whether any quality is bad


class Taken(NamedTuple):
    """One kit's readings of a step; r rows of c columns.

    rows: row numbers in the table, each once, in any order. offset_ms[r]: from the step's beginning to the time on the
    wire, so with the error of the node's clock in it. raw[r, c]: value * 10**decimals, a bool 0 or 1, and 0 where the
    quality is bad. quality[r, c]: 0 good, else 1 + index in wire.packs.QUALITIES.
    """

    table: int
    rows: IntArray
    offset_ms: IntArray
    raw: IntArray
    quality: NDArray[np.uint8]


class Rows:
    """The codec of steps. tables: those of the header; a codec reads what one in the same state has written."""

    def __init__(self, *, tables: Sequence[Mapping[str, Any]]) -> None:
        sizes = [(len(table["poles"]), len(table["columns"])) for table in tables]
        self._raw = [np.zeros(size, dtype=np.int64) for size in sizes]
        self._offset = [np.zeros(rows, dtype=np.int64) for rows, _ in sizes]

    def encode(self, tables: Sequence[Taken]) -> bytes:
        """Raises ValueError where an array has another shape than its table."""
        return b"".join(self._encode(*table) for table in tables)

    def decode(self, data: memoryview) -> list[Taken]:
        """Raises ValueError where the bytes are no step of these tables."""
        out: list[Taken] = []
        at = 0
        while at < len(data):
            taken, at = self._decode(data, at)
            out.append(taken)
        return out

    def _encode(
        self, table: int, rows: IntArray, offset_ms: IntArray, raw: IntArray, quality: NDArray[np.uint8]
    ) -> bytes:
        bad = bool(quality.any())
        last = self._raw[table][rows]
        if not (raw.shape == quality.shape == last.shape and offset_ms.shape == rows.shape):
            raise ValueError(f"table {table}: {raw.shape} values and {quality.shape} qualities, not {last.shape}")
        new = np.where(quality == 0, raw, last) if bad else raw
        parts = [
            _HEAD.pack(table, len(rows), bad),
            pack(np.diff(rows, prepend=0)),
            pack(offset_ms - self._offset[table][rows]),
            pack((new - last).T.ravel()),  # column by column: the numbers of one quantity are alike
        ]
        if bad:
            parts.append(quality.T.tobytes())
        self._raw[table][rows] = new
        self._offset[table][rows] = offset_ms
        return b"".join(parts)

    def _decode(self, data: memoryview, at: int) -> tuple[Taken, int]:
        table, count, bad = _HEAD.unpack_from(_enough(data, at, _HEAD.size))
        if table >= len(self._raw):
            raise ValueError(f"a step names table {table}, and the header has {len(self._raw)}")
        columns = self._raw[table].shape[1]
        steps, at = unpack(data, at + _HEAD.size, count)
        rows = np.cumsum(steps)
        moved, at = unpack(data, at, count)
        changed, at = unpack(data, at, count * columns)
        quality = np.zeros((count, columns), dtype=np.uint8)
        if bad:
            plane = _enough(data, at, count * columns)
            quality = np.frombuffer(plane, dtype=np.uint8).reshape(columns, count).T.copy()
            at += count * columns
        new = self._raw[table][rows] + changed.reshape(columns, count).T
        self._raw[table][rows] = new
        self._offset[table][rows] += moved
        return Taken(table, rows, self._offset[table][rows], np.where(quality == 0, new, 0), quality), at


def _enough(data: memoryview, at: int, size: int) -> memoryview:
    if at + size > len(data):
        raise ValueError(f"a step ends after {len(data)} bytes, in the middle of a table")
    return data[at : at + size]
