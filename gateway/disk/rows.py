"""What a spool's file holds, each row with a checksum over all of it: SQLite has none, and a card does flip bits."""

import json
import sqlite3
import zlib
from dataclasses import dataclass, field
from typing import Any

TABLES = ("telemetry", "events")  # in the order of a pack's flag
SCHEMA = """
CREATE TABLE IF NOT EXISTS state (
    one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, head INTEGER NOT NULL, stored INTEGER NOT NULL,
    readings INTEGER NOT NULL, dropped TEXT NOT NULL, last_ms INTEGER NOT NULL, set_back INTEGER NOT NULL,
    crc INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    sq INTEGER PRIMARY KEY, newest_ms INTEGER NOT NULL, readings INTEGER NOT NULL, crc INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS telemetry (
    sq INTEGER PRIMARY KEY, newest_ms INTEGER NOT NULL, readings INTEGER NOT NULL, crc INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS unclocked (
    id INTEGER PRIMARY KEY, boot TEXT NOT NULL, boot_ms INTEGER NOT NULL, event INTEGER NOT NULL,
    readings INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE VIEW IF NOT EXISTS packs AS
    SELECT sq, 1 AS event, readings FROM events UNION ALL SELECT sq, 0, readings FROM telemetry;
"""
_STATE = "epoch, head, stored, readings, dropped, last_ms, set_back"


@dataclass
class State:
    """Counts are packs, but for readings. last_ms, set_back: the clock's memory, see gateway/clock.py."""

    epoch: str
    head: int = 0
    stored: int = 0
    readings: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    last_ms: int = 0
    set_back: int = 0

    @property
    def pending(self) -> int:
        return self.head - self.stored - sum(self.dropped.values())


@dataclass(frozen=True)
class Kept:
    """A pack on the disk."""

    number: int
    event: bool
    newest_ms: int
    readings: int
    body: bytes


@dataclass(frozen=True)
class Unclocked:
    """Readings that wait for the time, written together boot_ms after the start of the machine."""

    number: int
    boot: str
    boot_ms: int
    event: bool
    readings: int
    body: bytes


def read_state(db: sqlite3.Connection) -> State | None:
    """None where there is no row. Raises sqlite3.DatabaseError for one that is not what was written."""
    row = db.execute(f"SELECT {_STATE}, crc FROM state").fetchone()
    if row is None:
        return None
    if (state := state_of(row)) is None:
        raise sqlite3.DatabaseError("the spool's counts do not match their checksum")
    return state


def write_state(db: sqlite3.Connection, state: State) -> None:
    row = (
        state.epoch, state.head, state.stored, state.readings,
        json.dumps(state.dropped), state.last_ms, state.set_back,
    )  # fmt: skip
    db.execute(f"REPLACE INTO state (one, {_STATE}, crc) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, _crc(row, b"")))


def state_of(row: tuple[Any, ...]) -> State | None:
    """The columns from epoch to crc -> the state; None where they are not what was written."""
    if _crc(row[:-1], b"") != row[-1]:
        return None
    epoch, head, stored, readings, dropped, last_ms, set_back = row[:-1]
    return State(epoch, head, stored, readings, json.loads(dropped), last_ms, set_back)


def write_pack(db: sqlite3.Connection, pack: Kept) -> None:
    crc = _crc((pack.event, pack.number, pack.newest_ms, pack.readings), pack.body)
    row = (pack.number, pack.newest_ms, pack.readings, crc, pack.body)
    db.execute(f"INSERT INTO {TABLES[pack.event]} VALUES (?, ?, ?, ?, ?)", row)


def pack_of(event: bool, row: tuple[Any, ...]) -> Kept | None:
    """A row of events or telemetry -> the pack; None where it is not what was written."""
    number, newest_ms, readings, crc, body = row
    if not isinstance(body, bytes) or _crc((event, number, newest_ms, readings), body) != crc:
        return None
    return Kept(number, event, newest_ms, readings, body)


def write_unclocked(db: sqlite3.Connection, row: Unclocked) -> None:
    columns = (row.number, row.boot, row.boot_ms, int(row.event), row.readings)
    db.execute("INSERT INTO unclocked VALUES (?, ?, ?, ?, ?, ?, ?)", (*columns, _crc(columns, row.body), row.body))


def unclocked_of(row: tuple[Any, ...]) -> Unclocked | None:
    """A row of unclocked -> what it holds; None where it is not what was written."""
    *columns, crc, body = row
    if not isinstance(body, bytes) or _crc(tuple(columns), body) != crc:
        return None
    number, boot, boot_ms, event, readings = columns
    return Unclocked(number, boot, boot_ms, bool(event), readings, body)


def _crc(columns: tuple[Any, ...], body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(repr(columns).encode()))
