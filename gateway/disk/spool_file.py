"""The SQLite file of a spool: how it is opened, what its errors mean, and the room that is kept for a full disk."""

import os
import secrets
import shutil
import sqlite3
from pathlib import Path

PAGE = 4096
WAL_BYTES = 1 << 20  # kept allocated, so that a full disk still has room for the commit that makes room
BALLAST_BYTES = 1 << 20  # given up when the disk is full, for the same end

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (
    one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, head INTEGER NOT NULL, stored INTEGER NOT NULL,
    readings INTEGER NOT NULL, dropped TEXT NOT NULL, last_ms INTEGER NOT NULL, set_back INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS packs (
    sq INTEGER PRIMARY KEY, event INTEGER NOT NULL, newest_ms INTEGER NOT NULL, readings INTEGER NOT NULL,
    crc INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS telemetry_by_time ON packs (newest_ms, sq) WHERE event = 0;
CREATE INDEX IF NOT EXISTS events ON packs (sq) WHERE event = 1;
"""


def open_file(path: Path, *, max_pages: int, journal: str = "WAL") -> sqlite3.Connection:
    """A checked spool, made where there is none. Raises sqlite3.DatabaseError."""
    db = sqlite3.connect(path, timeout=5, check_same_thread=False)
    try:
        db.execute(f"PRAGMA page_size = {PAGE}")
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # two gateways on one spool would number packs twice
        db.execute(f"PRAGMA journal_mode = {journal}")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_BYTES // PAGE}")
        db.execute(f"PRAGMA max_page_count = {max_pages}")
        db.executescript(_SCHEMA)
        if (verdict := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(verdict)
        db.execute(
            "INSERT OR IGNORE INTO state VALUES (1, ?, 0, 0, 0, '{}', 0, 0)",
            (secrets.token_hex(4),),
        )
        db.commit()
    except BaseException:
        db.close()
        raise
    return db


class Ballast:
    """A file beside the spool that is in nobody's way until the disk is full."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".ballast")
        self._there = False

    def restore(self) -> None:
        """Takes the room again, once there is plenty."""
        if self._there:
            return
        try:
            if not self._path.exists() or self._path.stat().st_size < BALLAST_BYTES:
                if shutil.disk_usage(self._path.parent).free < 4 * BALLAST_BYTES:
                    return
                self._path.write_bytes(os.urandom(BALLAST_BYTES))  # a file system may not store zeros
            self._there = True
        except OSError:
            self.drop()

    def drop(self) -> bool:
        """Gives the room up. False where there was none."""
        was_there = self._path.exists()
        self._path.unlink(missing_ok=True)
        self._there = False
        return was_there


_NO_ROOM = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHMSIZE")
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ", "SQLITE_ERROR")


def is_full(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(_NO_ROOM)


def is_damaged(error: sqlite3.DatabaseError) -> bool:
    # SQLITE_ERROR: a table that is not there although the file was opened as a spool. No name: quick_check's verdict.
    return getattr(error, "sqlite_errorname", "SQLITE_CORRUPT").startswith(_DAMAGED)
