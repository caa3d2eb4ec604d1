"""Rows that came to the demo's store again as they were: with a pack that was sent again, or told twice by a device.

A device that keeps what nobody acknowledged (OCPP, HJ 212) tells it again to a gateway that was killed before its
answer: two packs hold one reading, with one time, and the store one row. Triggers count such rows; ingest knows nothing
of them.
"""

import contextlib
import sqlite3
from pathlib import Path

from ingest.sqlite_store import SqliteStore

_SCHEMA = """
CREATE TABLE IF NOT EXISTS repeats (series INTEGER PRIMARY KEY, rows INTEGER);
CREATE TABLE IF NOT EXISTS resends (area TEXT, node TEXT, readings INTEGER, PRIMARY KEY (area, node)) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS repeated_point AFTER UPDATE ON points WHEN new.value IS old.value BEGIN
    INSERT INTO repeats VALUES (new.series, 1) ON CONFLICT DO UPDATE SET rows = rows + 1; END;
CREATE TRIGGER IF NOT EXISTS repeated_quality AFTER UPDATE ON quality WHEN new.code IS old.code BEGIN
    INSERT INTO repeats VALUES (new.series, 1) ON CONFLICT DO UPDATE SET rows = rows + 1; END;
CREATE TRIGGER IF NOT EXISTS resent_pack AFTER UPDATE ON packs BEGIN
    INSERT INTO resends VALUES (new.area, new.node, old.readings)
    ON CONFLICT DO UPDATE SET readings = readings + excluded.readings; END;
"""


async def count_in(path: Path) -> None:
    """From now on the store counts them. Creates it where it is not there. Raises Unavailable, sqlite3.Error."""
    store = SqliteStore(path=path)
    await store.write([], [])
    await store.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(_SCHEMA)


def devices(db: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """(pole, device, rows that came again as they were)."""
    return db.execute("SELECT pole, device, rows FROM repeats JOIN series ON series = id").fetchall()


def nodes(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """(node, readings of packs that were sent again)."""
    return db.execute("SELECT node, readings FROM resends").fetchall()
