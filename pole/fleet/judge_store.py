"""What a store holds of a run, series by series: a SQLite file is read directly, any other store through ingest."""

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.rows import Packs, Row
from ingest.sqlite_store import SqliteStore
from ingest.stores import Store, Wanted
from pole.demo.store import reading
from pole.fleet.judge import Found
from pole.fleet.judge_series import BOOL, CODE, NUMBER, TEXT, Group, Name, keys
from simulators.world.arrays import FloatArray, IntArray
from wire.packs import QUALITIES

_AT_ONCE = 200_000  # rows that are Python objects at one time
_EVERYTHING = 1 << 40  # no limit

Span = tuple[int, int]  # ms since 1970, both included
EVER: Span = (0, 1 << 62)
Strange = tuple[Name, int, object]  # series, ms since 1970, value or code


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Of a group. strange: the first rows of series that none of its poles has; strangers: how many there are."""

    found: Found
    strange: list[Strange]
    strangers: int


class Source(Protocol):
    """A store to be judged. Raises Unavailable, sqlite3.Error."""

    def stored(self, group: Group, names: dict[str, int], *, others: bool) -> Stored:
        """names: pole -> index. others: also what stands there of poles that are not in names."""

    def rows(self, poles: list[str]) -> Iterator[Row]:
        """All of some poles, by time."""

    def packs(self) -> list[Packs]:
        """The ledger, without epochs of which nothing was read in the span."""

    def close(self) -> None: ...


class Codes:
    """Numbers for the texts of qualities, as the truth has them; those that it never tells get higher ones."""

    def __init__(self) -> None:
        self.texts = ["", *QUALITIES]

    def number(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)


class SqliteSource:
    """The file is only read; ingest may still run. span: what lies outside is somebody else's."""

    def __init__(self, *, path: Path, codes: Codes, span: Span = EVER) -> None:
        self._path = path
        self._span = span
        self._codes = codes

    def stored(self, group: Group, names: dict[str, int], *, others: bool) -> Stored:
        with reading(self._path) as db:
            known, strange = self._series(db, group, names, others)
            found = _ordered(self._blocks(db, known))
            rows, count = self._strange(db, strange)
            return Stored(found=found, strange=rows, strangers=count)

    def rows(self, poles: list[str]) -> Iterator[Row]:
        with reading(self._path) as db:
            for *name, time_ms, value, code in db.execute(_ROWS, (json.dumps(poles), *self._span)):
                yield (*name, time_ms, bool(value) if isinstance(value, int) else value, code)

    def packs(self) -> list[Packs]:
        return _within(asyncio.run(_packs(SqliteStore(path=self._path))), self._span)

    def close(self) -> None:
        """Nothing is held open."""

    def _series(
        self, db: sqlite3.Connection, group: Group, names: dict[str, int], others: bool
    ) -> tuple[dict[int, int], dict[int, Name]]:
        """(id -> number of those of the group, id -> name of those that nobody has)."""
        known: dict[int, int] = {}
        strange: dict[int, Name] = {}
        for key, *name in db.execute("SELECT id, function, area, pole, device, point FROM series"):
            number = group.number.get(tuple(name))
            pole = names.get(name[2])
            if number is not None:
                known[key] = number
            elif others if pole is None else group.poles[pole]:
                strange[key] = tuple(name)
        return known, strange

    def _blocks(self, db: sqlite3.Connection, known: dict[int, int]) -> Iterator["_Block"]:
        ids = json.dumps(list(known))
        numbers = np.full(max(known, default=0) + 1, -1, dtype=np.int64)
        numbers[list(known)] = list(known.values())
        cursor = db.execute(_POINTS, (ids, *self._span))
        while rows := cursor.fetchmany(_AT_ONCE):
            series, time_ms, content, kind = np.array(rows, dtype=np.float64).T
            yield numbers[series.astype(np.int64)], time_ms.astype(np.int64), content, kind.astype(np.uint8)
        cursor = db.execute(_QUALITIES, (ids, *self._span))
        while rows := cursor.fetchmany(_AT_ONCE):
            cells = [(series, time_ms, self._codes.number(str(code))) for series, time_ms, code in rows]
            series, time_ms, content = np.array(cells, dtype=np.float64).T
            kind = np.full(len(rows), CODE, dtype=np.uint8)
            yield numbers[series.astype(np.int64)], time_ms.astype(np.int64), content, kind

    def _strange(self, db: sqlite3.Connection, strange: dict[int, Name]) -> tuple[list[Strange], int]:
        rows: list[Strange] = []
        count = 0
        for key, name in strange.items():
            for table, column in (("points", "value"), ("quality", "code")):
                its = f"FROM {table} WHERE series = ? AND time BETWEEN ? AND ?"
                count += db.execute(f"SELECT count(*) {its}", (key, *self._span)).fetchone()[0]
                found = db.execute(f"SELECT time, {column} {its} LIMIT 20", (key, *self._span))
                rows += [(name, time_ms, value) for time_ms, value in found if len(rows) < 20]
        return rows, count


_POINTS = f"""
SELECT series, time, CASE WHEN typeof(points.value) IN ('real', 'integer') THEN points.value ELSE 0.0 END,
    CASE typeof(points.value) WHEN 'real' THEN {NUMBER} WHEN 'integer' THEN {BOOL} ELSE {TEXT} END
FROM json_each(?) AS wanted CROSS JOIN points ON points.series = wanted.value WHERE time BETWEEN ? AND ?"""
_ROWS = """
SELECT function, area, pole, device, point, time, readings.value, quality
FROM readings WHERE pole IN (SELECT json_each.value FROM json_each(?)) AND time BETWEEN ? AND ? ORDER BY time"""
_QUALITIES = """
SELECT series, time, code
FROM json_each(?) AS wanted CROSS JOIN quality ON quality.series = wanted.value WHERE time BETWEEN ? AND ?"""


class StoreSource:
    """span: what lies outside is somebody else's."""

    def __init__(self, *, store: Store, codes: Codes, span: Span = EVER) -> None:
        self._store = store
        self._codes = codes
        self._span = span
        self._runner = asyncio.Runner()

    def stored(self, group: Group, names: dict[str, int], *, others: bool) -> Stored:
        parts: list[_Row] = []
        strange: list[Strange] = []
        count = 0
        for row in self._rows(group, others):
            name, time_ms, value, code = row[:5], row[5], row[6], row[7]
            number = group.number.get(name)
            pole = names.get(row[2])
            if number is not None:
                parts.append((number, time_ms, *self._cell(value, code)))
            elif others if pole is None else group.poles[pole]:
                count += 1
                strange += [(name, time_ms, value if code is None else code)] if len(strange) < 20 else []
        cells = np.array(parts, dtype=np.float64).reshape(-1, 4).T
        block = (cells[0].astype(np.int64), cells[1].astype(np.int64), cells[2], cells[3].astype(np.uint8))
        return Stored(found=_ordered([block]), strange=strange, strangers=count)

    def rows(self, poles: list[str]) -> Iterator[Row]:
        yield from sorted((row for pole in poles for row in self._ask(pole)), key=lambda row: row[5])

    def packs(self) -> list[Packs]:
        return _within(self._runner.run(self._store.packs()), self._span)

    def close(self) -> None:
        self._runner.run(self._store.close())
        self._runner.close()

    def _rows(self, group: Group, others: bool) -> Iterator[Row]:
        if others:  # everything at once, to see what nobody has
            yield from self._ask(None)
            return
        for pole in np.flatnonzero(group.poles).tolist():
            yield from self._ask(f"P{pole + 1:05}")

    def _ask(self, pole: str | None) -> Iterator[Row]:
        first_ms, last_ms = self._span
        rows = self._runner.run(self._store.readings(Wanted(pole=pole, since_ms=first_ms, limit=_EVERYTHING)))
        return (row for row in rows if row[5] <= last_ms)

    def _cell(self, value: object, code: str | None) -> tuple[float, int]:
        if code is not None:
            return self._codes.number(code), CODE
        if isinstance(value, bool):
            return float(value), BOOL
        return (float(value), NUMBER) if isinstance(value, float) else (0.0, TEXT)


_Row = tuple[int, int, float, int]
_Block = tuple[IntArray, IntArray, FloatArray, NDArray[np.uint8]]  # series, ms since 1970, content, kind


def _ordered(blocks: Iterable[_Block]) -> Found:
    nothing = np.zeros(0, dtype=np.int64)
    parts = [(nothing, nothing, nothing.astype(np.float64), nothing.astype(np.uint8)), *blocks]
    series, time_ms, content, kind = (np.concatenate([part[column] for part in parts]) for column in range(4))
    key = keys(series, kind == CODE, time_ms)
    order = np.argsort(key, kind="stable")
    return Found(key=key[order], content=content[order], kind=kind[order])


def _within(packs: list[Packs], span: Span) -> list[Packs]:
    return [each for each in packs if span[0] <= each.newest_ms <= span[1]]


async def _packs(store: Store) -> list[Packs]:
    try:
        return await store.packs()
    finally:
        await store.close()
