"""What the truth says that some poles produced, as arrays: one entry for each reading.

A series is one point of one device. Series and poles are numbered; a reading's key is made of its series, of whether it
has a value or a quality, and of its time: the store holds one reading at most for each key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.causes import STEP_S
from simulators.truth.reader import Reader
from simulators.truth.rows import Taken
from simulators.world.arrays import BoolArray, FloatArray, IntArray
from wire.senml import MAX_TIME_S

Name = tuple[str, str, str, str, str]  # function, area, pole, device, point

NUMBER, BOOL, TEXT, CODE = range(4)  # what a stored reading is
TIME_BITS = (MAX_TIME_S * 1000).bit_length()
MOST_SERIES = 1 << (62 - TIME_BITS)  # so that a key fits 63 bits
CODED = np.int64(1) << TIME_BITS  # the bit of a key that says: a quality, no value


def keys(series: IntArray, coded: BoolArray, time_ms: IntArray) -> IntArray:
    """Ascending by series, values before qualities, and by time. Times outside of what the wire allows are cut."""
    clipped = np.clip(time_ms, 0, MAX_TIME_S * 1000)
    out: IntArray = ((series * 2 + coded) << TIME_BITS) + clipped
    return out


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Arrays of one length n, or lengths of the packs. content: the value, or the number of the quality's code.

    tolerance: half of the last digit that the node wrote. row[n]: index of its pack. pack_*: of each pack.
    """

    key: IntArray
    content: FloatArray
    kind: NDArray[np.uint8]
    tolerance: FloatArray
    row: IntArray
    pack_pole: IntArray
    pack_number: IntArray
    pack_step: IntArray


class Group:
    """The series of some poles. poles: which ones, by index; tables: those of the truth's header."""

    def __init__(self, *, tables: list[Mapping[str, Any]], areas: list[str], poles: BoolArray) -> None:
        self.names: list[Name] = []
        self.poles = poles
        self._first: list[IntArray] = []  # by table and row: number of the first series, -1: of no pole of the group
        self._poles = [np.array(table["poles"], dtype=np.int64) for table in tables]
        self._columns = [len(table["columns"]) for table in tables]
        decimals: list[int] = []
        bools: list[bool] = []
        for table, members in zip(tables, self._poles, strict=True):
            columns = table["columns"]
            first = np.full(len(members), -1, dtype=np.int64)
            chosen = np.flatnonzero(poles[members])
            first[chosen] = len(self.names) + np.arange(len(chosen)) * len(columns)
            self._first.append(first)
            for pole in members[chosen].tolist():
                name = f"P{pole + 1:05}"
                self.names += [(each["function"], areas[pole], name, each["device"], each["point"]) for each in columns]
            is_bool = [each["kind"] == "bool" for each in columns]
            decimals += [0 if yes else each["decimals"] for each, yes in zip(columns, is_bool, strict=True)] * len(
                chosen
            )
            bools += is_bool * len(chosen)
        self.number = {name: index for index, name in enumerate(self.names)}
        self._scale = 10.0 ** np.array(decimals, dtype=np.int64)
        self._bools = np.array(bools, dtype=np.bool_)

    def produced(self, reader: Reader, began_ms: int) -> Readings:
        """Everything that the group's poles took. Raises TruthError."""
        heads = np.zeros(len(self.poles), dtype=np.int64)
        parts = [
            self._part(taken, began_ms + step.step * STEP_S * 1000, step.step, heads)
            for step in reader.steps()
            for taken in step.tables
        ]
        series, time_ms, raw, quality, width, pole, number, step = (
            np.concatenate([part[column] for part in parts] or [np.zeros(0, dtype=np.int64)]) for column in range(8)
        )
        coded = quality != 0
        kind = np.where(coded, CODE, np.where(self._bools[series], BOOL, NUMBER)).astype(np.uint8)
        scale = self._scale[series]
        return Readings(
            key=keys(series, coded, time_ms), content=np.where(coded, quality, raw / scale), kind=kind,
            tolerance=np.where(coded, 0.5, 0.5 / scale), row=np.repeat(np.arange(len(width)), width),
            pack_pole=pole, pack_number=number, pack_step=step,
        )  # fmt: skip

    def _part(self, taken: Taken, began_ms: int, step: int, heads: IntArray) -> tuple[IntArray, ...]:
        first, columns = self._first[taken.table][taken.rows], self._columns[taken.table]
        kept = first >= 0
        pole = self._poles[taken.table][taken.rows[kept]]
        heads[pole] += 1  # a pole is one row of a step at most
        series = (first[kept][:, None] + np.arange(columns)).ravel()
        time_ms = np.repeat(began_ms + taken.offset_ms[kept], columns)
        quality = taken.quality[kept].ravel().astype(np.int64)
        width = np.full(len(pole), columns)
        return series, time_ms, taken.raw[kept].ravel(), quality, width, pole, heads[pole], np.full(len(pole), step)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Of a truth. made, columns: packs, and readings of each pack, by pole. first_ms, last_ms: the earliest and the
    latest stamp, after the beginning of the scenario; 0 where nothing was read."""

    made: IntArray
    columns: IntArray
    last_step: int
    first_ms: int
    last_ms: int


def totals(reader: Reader, poles: int) -> Totals:
    """Raises TruthError."""
    tables = reader.header["tables"]
    members = [np.array(table["poles"], dtype=np.int64) for table in tables]
    made, columns = np.zeros(poles, dtype=np.int64), np.zeros(poles, dtype=np.int64)
    for table, each in zip(tables, members, strict=True):
        columns[each] = len(table["columns"])
    last_step, first_ms, last_ms = -1, 0, 0
    for step in reader.steps():
        last_step = step.step
        for taken in step.tables:
            made[members[taken.table][taken.rows]] += 1
            stamps = taken.offset_ms + step.step * STEP_S * 1000
            first_ms, last_ms = min(first_ms, int(stamps.min())), max(last_ms, int(stamps.max()))
    return Totals(made=made, columns=columns, last_step=last_step, first_ms=first_ms, last_ms=last_ms)
