"""What poles read, as runs for a store: a good many steps at once, in the order that suits it.

SQLite appends to one series after the other; a line of an InfluxDB is what one device said at one instant.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

from ingest.rows import Bad, Names, Place, Run, Shape, Value
from simulators.fleet.production import Readings
from simulators.sensing.columns import Column, Table
from simulators.world.arrays import IntArray
from simulators.world.city_map import CityMap
from wire.packs import QUALITIES


class Rows:
    """Collects readings until somebody takes them. by_instant: all points of a pole at one time, then the next time."""

    def __init__(self, *, city: CityMap, tables: Sequence[Table], by_instant: bool) -> None:
        self.readings = 0
        self._by_instant = by_instant
        self._city = city
        self._tables = tables
        self._names = Names()
        self._shapes = [self._of_columns(table.columns) for table in tables]
        self._parts: dict[int, list[tuple[int, Readings]]] = {}

    def add(self, began_ms: int, readings: Readings) -> None:
        """began_ms: of the step, ms since 1970."""
        self._parts.setdefault(readings.table, []).append((began_ms, readings))
        self.readings += readings.raw.size

    def take(self) -> list[Run]:
        """All of them; then it is empty."""
        runs: list[Run] = []
        for number, parts in sorted(self._parts.items()):
            runs += self._of_table(number, parts)
        self._parts.clear()
        self.readings = 0
        return runs

    def _of_columns(self, columns: Sequence[Column]) -> list[tuple[Shape, list[int]]]:
        """What is told together, and which columns that is."""
        alike = groupby(
            range(len(columns)),
            key=lambda index: (columns[index].device, columns[index].function, 0 if self._by_instant else index),
        )
        together = [list(some) for _, some in alike]
        return [
            (Shape([self._names.rule(columns[index].function, columns[index].point) for index in some]), some)
            for some in together
        ]

    def _of_table(self, number: int, parts: Sequence[tuple[int, Readings]]) -> Iterator[Run]:
        columns = self._tables[number].columns
        pole = np.concatenate([each.poles for _, each in parts])
        time_ms = np.concatenate([each.stamp_ms + began_ms for began_ms, each in parts])
        raw = np.concatenate([each.raw for _, each in parts])
        quality = np.concatenate([each.quality for _, each in parts])
        order = np.lexsort((time_ms, pole))
        starts = np.flatnonzero(np.diff(pole[order], prepend=-1)).tolist()
        for first, end in zip(starts, [*starts[1:], len(order)], strict=True):
            mine = order[first:end]
            index = int(pole[mine[0]])
            area, name = self._city.area[index], self._city.names[index]
            times: list[int] = time_ms[mine].tolist()
            each_shape = [
                _runs(
                    self._names.place(area, name, columns[some[0]].device), shape, times,
                    [_values(columns[one], raw[mine, one], quality[mine, one]) for one in some],
                )
                for shape, some in self._shapes[number]
            ]  # fmt: skip
            for runs in zip(*each_shape, strict=True) if self._by_instant else each_shape:
                yield from runs


def _values(column: Column, raw: IntArray, quality: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> list[Value]:
    told: list[Value] = (raw != 0).tolist() if column.kind == "bool" else (raw / 10**column.decimals).tolist()
    for place in np.flatnonzero(quality).tolist():
        told[place] = Bad(QUALITIES[quality[place] - 1])
    return told


def _runs(place: Place, shape: Shape, times: list[int], told: list[list[Value]]) -> Iterator[Run]:
    for time_ms, values in zip(times, zip(*told, strict=True), strict=True):
        yield place, shape, time_ms, list(values), not any(isinstance(value, str) for value in values)


def series(tables: Sequence[Table]) -> Mapping[str, int]:
    """How many series the readings of all poles are: in SQLite, where a point is one, and in an InfluxDB, where all
    points of one function of a device are."""
    points = sum(len(table.poles) * len(table.columns) for table in tables)
    devices = sum(len(table.poles) * len({(each.function, each.device) for each in table.columns}) for table in tables)
    return {"sqlite": points, "influx": devices}
