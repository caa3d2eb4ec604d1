"""What poles read, as readings of a store: a good many steps at once, in the order that suits it.

SQLite appends to one series after the other; a line of an InfluxDB is what one device said at one instant.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ingest.rows import Names, Place, Reading, Rule
from simulators.fleet.production import Readings
from simulators.sensing.columns import Column, Table
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
        self._parts: dict[int, list[tuple[int, Readings]]] = {}

    def add(self, began_ms: int, readings: Readings) -> None:
        """began_ms: of the step, ms since 1970."""
        self._parts.setdefault(readings.table, []).append((began_ms, readings))
        self.readings += readings.raw.size

    def take(self) -> list[Reading]:
        """All of them; then it is empty."""
        rows: list[Reading] = []
        for number, parts in sorted(self._parts.items()):
            rows += self._of_table(self._tables[number], parts)
        self._parts.clear()
        self.readings = 0
        return rows

    def _of_table(self, table: Table, parts: Sequence[tuple[int, Readings]]) -> Iterator[Reading]:
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
            each_point = [
                _series(
                    self._names.place(area, name, column.device), self._names.rule(column.function, column.point),
                    times, _values(column, cells), codes.tolist() if codes.any() else [],
                )
                for column, cells, codes in zip(table.columns, raw[mine].T, quality[mine].T, strict=True)
            ]  # fmt: skip
            for some in zip(*each_point, strict=True) if self._by_instant else each_point:
                yield from some


def _values(column: Column, raw: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[float] | list[bool]:
    if column.kind == "bool":
        flags: list[bool] = (raw != 0).tolist()
        return flags
    numbers: list[float] = (raw / 10**column.decimals).tolist()
    return numbers


def _series(
    place: Place, rule: Rule, times: list[int], values: list[float] | list[bool], codes: list[int]
) -> Iterator[Reading]:
    if not codes:
        return ((place, rule, at, value, None) for at, value in zip(times, values, strict=True))
    return (
        (place, rule, at, None if code else value, QUALITIES[code - 1] if code else None)
        for at, value, code in zip(times, values, codes, strict=True)
    )


def series(tables: Sequence[Table]) -> Mapping[str, int]:
    """How many series the readings of all poles are: in SQLite, where a point is one, and in an InfluxDB, where all
    points of one function of a device are."""
    points = sum(len(table.poles) * len(table.columns) for table in tables)
    devices = sum(len(table.poles) * len({(each.function, each.device) for each in table.columns}) for table in tables)
    return {"sqlite": points, "influx": devices}
