"""The embedded store: one SQLite file. Readings, ledger and new series of a batch are one transaction.

A value's SQLite type is its kind: REAL a number, INTEGER true or false, TEXT a text.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain, groupby, repeat
from operator import itemgetter
from pathlib import Path
from time import time_ns
from typing import TypeVar

from ingest import durable, sqlite_upkeep
from ingest.errors import Refused, Unavailable
from ingest.rows import Bad, Counts, Ledger, Packs, Place, Row, Rule, Run, Shape
from ingest.sqlite_upkeep import BUSY_S, IDLE_S, Upkeep, merged, within
from ingest.store_options import DEFAULT, Options
from ingest.stores import Wanted
from ingest.worker import Worker

T = TypeVar("T")

# Each series has a page of its own that grows, and a write meets it again soon: what is held need not be read again,
# and what is written late is written once. Half of the time of a write goes away, the CPU of a reading from 9 to 6 us.
CACHE_KB = 65_536
LOG_PAGES = 4000  # of 4 kB; more make the write that empties the log longer than a tenth of a second

_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, function TEXT, area TEXT, pole TEXT, device TEXT, point TEXT,
    UNIQUE (function, area, pole, device, point));
CREATE TABLE IF NOT EXISTS points (series INTEGER, time INTEGER, value, PRIMARY KEY (series, time)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quality (series INTEGER, time INTEGER, code TEXT, PRIMARY KEY (series, time)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS packs (
    area TEXT, node TEXT, epoch TEXT, number INTEGER, readings INTEGER, refused INTEGER, latency_ms INTEGER,
    time INTEGER, PRIMARY KEY (area, node, epoch, number)) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS readings AS
    SELECT time, function, area, pole, device, point, value, NULL AS quality FROM points JOIN series ON series = id
    UNION ALL
    SELECT time, function, area, pole, device, point, NULL, code FROM quality JOIN series ON series = id;
"""
# Python gives its lock away and takes it back around each statement: with one for each row, whoever receives and judges
# meanwhile made a row wait several times as long.
ROWS = 32  # of one statement


def _insert(table: str, columns: int, *, again: str) -> tuple[str, str]:
    # For many rows, and for one. again: what becomes of a row that is there.
    row = f"({', '.join('?' * columns)})"
    return (
        f"INSERT INTO {table} VALUES {', '.join([row] * ROWS)} ON CONFLICT DO UPDATE SET {again}",
        f"INSERT INTO {table} VALUES {row} ON CONFLICT DO UPDATE SET {again}",
    )


_POINTS = _insert("points", 3, again="value = excluded.value")
_QUALITIES = _insert("quality", 3, again="code = excluded.code")
# A pack that comes again keeps the latency of its first arrival; a replay changes what was refused.
_PACKS = _insert("packs", 8, again="readings = excluded.readings, refused = excluded.refused")
_SERIES = "INSERT OR IGNORE INTO series (function, area, pole, device, point) VALUES (?, ?, ?, ?, ?)"
_SERIES_ID = "SELECT id FROM series WHERE function = ? AND area = ? AND pole = ? AND device = ? AND point = ?"

REMEMBERED = 3_000_000  # numbers of series; a device is counted as three, which its table takes
DEVICE = 3
_RECOVER = "a new one begins, and `sqlite3 FILE .recover` shows what can be read of the old one"

_Cells = tuple[int, int, float | bool | str | None]


class SqliteStore:
    """Opens lazily, so that a folder that is not there yet is waited for like a server that is down."""

    flights = 1  # a file has one writer

    def __init__(self, *, path: Path, options: Options = DEFAULT) -> None:
        self.name = f"SQLite {path}"
        self._path = path
        self._upkeep = Upkeep(options=options)
        self._worker = Worker(name="sqlite-store")
        self._db: sqlite3.Connection | None = None
        self._series: dict[Place, dict[Rule, int]] = {}
        self._remembered = 0

    async def write(self, runs: list[Run], ledgers: list[Ledger]) -> None:
        await self._worker.run(self._guard, lambda db: self._write(db, runs, ledgers))

    async def readings(self, wanted: Wanted) -> list[Row]:
        return await self._worker.run(self._guard, lambda db: _readings(db, wanted))

    async def packs(self) -> list[Packs]:
        return await self._worker.run(self._guard, _packs)

    async def counts(self) -> Counts:
        return await self._worker.run(self._guard, _counts)

    async def close(self) -> None:
        await self._worker.close(self._close)

    def _guard(self, call: Callable[[sqlite3.Connection], T]) -> T:
        # Every error of SQLite becomes one of ours: a value it cannot hold is refused, anything else may pass.
        try:
            return call(self._open())
        except (
            sqlite3.IntegrityError,
            sqlite3.DataError,
            sqlite3.InterfaceError,
            UnicodeError,
            OverflowError,
        ) as error:
            raise Refused("value", f"{self.name}: {error}") from error
        except sqlite3.Error as error:
            self._close()
            raise Unavailable(durable.told(self.name, error, then=_RECOVER)) from error

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = durable.open_file(self._path, _SCHEMA + sqlite_upkeep.SCHEMA)
            self._db.execute(f"PRAGMA cache_size=-{CACHE_KB}")
            self._db.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
        return self._db

    def _close(self) -> None:
        self._forget()
        self._upkeep.stop()
        if self._db is not None:
            self._db.close()
            self._db = None

    def _forget(self) -> None:
        self._series.clear()
        self._remembered = 0

    def _write(self, db: sqlite3.Connection, runs: list[Run], ledgers: list[Ledger]) -> None:
        db.execute("BEGIN IMMEDIATE")
        try:
            points, qualities = self._split(db, runs)
            points.sort(key=itemgetter(0))  # what goes into one page goes one after the other
            _put(db, _POINTS, points)
            _put(db, _QUALITIES, qualities)
            _put(db, _PACKS, ledgers)
            db.execute("COMMIT")
        except BaseException:
            self._forget()  # ids of this transaction are void
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._upkeep.step(db, time_ns() // 1_000_000, BUSY_S if runs else IDLE_S)

    def _split(self, db: sqlite3.Connection, runs: list[Run]) -> tuple[list[_Cells], list[_Cells]]:
        points: list[_Cells] = []
        qualities: list[_Cells] = []
        for place, shape, time_ms, values, numbers in runs:
            ids = self._ids(db, place, shape)
            if numbers:
                points += zip(ids, repeat(time_ms), values)
                continue
            for series, value in zip(ids, values, strict=True):
                if isinstance(value, Bad):
                    qualities.append((series, time_ms, str(value)))
                else:
                    points.append((series, time_ms, value))
        return points, qualities

    def _ids(self, db: sqlite3.Connection, place: Place, shape: Shape) -> list[int]:
        known = self._series.get(place)
        if known is not None:
            try:
                return [known[rule] for rule in shape.rules]
            except KeyError:
                pass
        if self._remembered >= REMEMBERED:  # devices and profiles that are no more, or ever new ones
            self._forget()
            known = None
        if known is None:
            known = self._series[place] = {}
            self._remembered += DEVICE
        for rule in shape.rules:
            if rule in known:
                continue
            key = (rule.function, place.area, place.pole, place.device, rule.point)
            db.execute(_SERIES, key)
            known[rule] = db.execute(_SERIES_ID, key).fetchone()[0]
            self._remembered += 1
        return [known[rule] for rule in shape.rules]


def _put(db: sqlite3.Connection, insert: tuple[str, str], rows: Sequence[tuple[object, ...]]) -> None:
    many, one = insert
    whole = len(rows) // ROWS * ROWS
    for first in range(0, whole, ROWS):
        db.execute(many, tuple(chain.from_iterable(rows[first : first + ROWS])))
    db.executemany(one, rows[whole:])


def _readings(db: sqlite3.Connection, wanted: Wanted) -> list[Row]:
    # Each series by itself from its newest point on: the primary key gives that order without sorting everything.
    chosen = {"function": wanted.function, "pole": wanted.pole, "device": wanted.device, "point": wanted.point}
    named = {column: text for column, text in chosen.items() if text is not None}
    where = " AND ".join(f"{column} = :{column}" for column in named) or "1"
    found: list[Row] = []
    for series, *names in db.execute(
        f"SELECT id, function, area, pole, device, point FROM series WHERE {where}", named
    ):
        for table, column in (("points", "value"), ("quality", "code")):
            sql = f"SELECT time, {column} FROM {table} WHERE series = ? AND time >= ? ORDER BY time DESC LIMIT ?"
            for time_ms, content in db.execute(sql, (series, wanted.since_ms, wanted.limit)):
                value, quality = (_value(content), None) if table == "points" else (None, content)
                found.append((*names, time_ms, value, quality))
    found.sort(key=lambda row: (-row[5], row[:5]))
    return found[: wanted.limit]


def _value(content: object) -> float | bool | str:
    return bool(content) if isinstance(content, int) else content  # type: ignore[return-value]


def _packs(db: sqlite3.Connection) -> list[Packs]:
    # A number that is summed up already and came again counts once.
    old = {
        (area, node, epoch): (json.loads(told), readings, refused, newest)
        for area, node, epoch, told, readings, refused, newest in db.execute("SELECT * FROM old_packs")
    }
    sql = "SELECT area, node, epoch, number, readings, refused, time FROM packs ORDER BY area, node, epoch, number"
    out = []
    for key, rows in groupby(db.execute(sql), key=lambda row: row[:3]):
        spans, readings, refused, newest = old.pop(key, ([], 0, 0, 0))
        found = [row for row in rows if not within(spans, row[3])]
        readings += sum(row[4] for row in found)
        refused += sum(row[5] for row in found)
        newest = max([newest, *(row[6] for row in found)])
        out.append(Packs(key[0], key[1], key[2], merged(spans, [row[3] for row in found]), readings, refused, newest))
    return sorted([*out, *(Packs(*key, *told) for key, told in old.items())])


def _counts(db: sqlite3.Connection) -> Counts:
    packs = _packs(db)
    return Counts(
        db.execute("SELECT count(*) FROM points").fetchone()[0],
        db.execute("SELECT count(*) FROM quality").fetchone()[0],
        sum(last - first + 1 for pack in packs for first, last in pack.ranges),
        sum(pack.readings for pack in packs),
        sum(pack.refused for pack in packs),
    )
