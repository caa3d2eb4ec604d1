"""The SQLite file of a spool: how it is opened, what its errors mean, and the room that is kept for a full disk."""

import contextlib
import fcntl
import os
import secrets
import shutil
import sqlite3
import threading
from pathlib import Path

import structlog

from gateway.disk import rows, write_ahead_log
from gateway.disk.rows import State

log = structlog.get_logger("spool")

PAGE = write_ahead_log.PAGE
WAL_BYTES = 1 << 20  # kept allocated, so that a full disk still has room for the commit that makes room
BALLAST_BYTES = 1 << 20  # given up when the disk is full, for the same end
RESERVE_BYTES = 2 << 20  # of the disk is not filled: a log that grows, and what a checkpoint moves out of it
CHECK_S = 2.0  # for looking at a whole backlog at the start; on a slow card the rest is looked at when it is sent

_HEADERS = [  # of a file with a log, and of one without
    b"SQLite format 3\0" + PAGE.to_bytes(2, "big") + bytes((version, version, 0, 64, 32, 32)) for version in (2, 1)
]
_LOCKS = (0x40000000, 512)  # where SQLite locks a file (sqlite.org, os.h): offset, bytes


def open_file(path: Path, *, max_pages: int, journal: str = "WAL") -> sqlite3.Connection:
    """A checked spool, made where there is none. Raises sqlite3.DatabaseError."""
    _check_bytes(path)
    db = sqlite3.connect(path, timeout=5, check_same_thread=False)
    try:
        db.execute(f"PRAGMA page_size = {PAGE}")
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # two gateways on one spool would number packs twice
        db.execute(f"PRAGMA journal_mode = {journal}")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_BYTES // PAGE}")
        db.execute(f"PRAGMA max_page_count = {max_pages}")
        db.executescript(f"BEGIN; {rows.SCHEMA} COMMIT;")
        _check(path, db)
    except UnicodeDecodeError as error:  # of a message that quotes a damaged schema
        db.close()
        raise sqlite3.DatabaseError("its schema is damaged") from error
    except BaseException:
        db.close()
        raise
    return db


def _check_bytes(path: Path) -> None:
    # Before SQLite opens the file, because it would fold into it what it makes of the log, or take it for read-only.
    if not path.exists():
        return
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKS[1], _LOCKS[0])
        except OSError:
            return  # somebody has it open, and SQLite will say so
        found = write_ahead_log.read(path)
        if found.lost:
            raise sqlite3.DatabaseError("its write-ahead log is damaged")
        header = found.pages.get(1) or file.read(24)
        if header and header[:24] not in _HEADERS:
            raise sqlite3.DatabaseError("its header is damaged")


def _check(path: Path, db: sqlite3.Connection) -> None:
    watch = threading.Timer(CHECK_S, db.interrupt)
    watch.start()
    try:
        _check_schema(db)
        state = _check_state(db)
        _check_all(db, state)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "") != "SQLITE_INTERRUPT":
            raise
        log.info("a large backlog on a slow disk: looked at as it is sent", spool=str(path), checked_s=CHECK_S)
    finally:
        watch.cancel()
        watch.join()


def _check_all(db: sqlite3.Connection, state: State) -> None:
    if (verdict := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(verdict)
    counted = db.execute("SELECT (SELECT count(*) FROM telemetry) + (SELECT count(*) FROM events)").fetchone()[0]
    if counted != state.pending:
        raise sqlite3.DatabaseError(f"it holds {counted} packs, and should hold {state.pending}")


def _check_schema(db: sqlite3.Connection) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as good:
        good.executescript(rows.SCHEMA)
        query = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema"
        if db.execute(query).fetchall() != good.execute(query).fetchall():
            raise sqlite3.DatabaseError("its schema is damaged, or of another version")


def _check_state(db: sqlite3.Connection) -> State:
    if (verdict := db.execute("PRAGMA quick_check(state)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(verdict)
    state = rows.read_state(db)
    last = max(db.execute(f"SELECT coalesce(max(sq), 0) FROM {table}").fetchone()[0] for table in rows.TABLES)
    if state is None and not last:
        state = State(secrets.token_hex(4))
        rows.write_state(db, state)
        db.commit()
    if state is None or last > state.head:
        raise sqlite3.DatabaseError("its counts are missing or older than its packs")
    return state


def fit_to_disk(db: sqlite3.Connection, path: Path, *, max_pages: int) -> None:
    """The file is full before the disk is: on a full disk not even a checkpoint is possible, and so no room is made."""
    pages: int = db.execute("PRAGMA page_count").fetchone()[0]
    free = shutil.disk_usage(path.parent).free - RESERVE_BYTES
    db.execute(f"PRAGMA max_page_count = {min(max_pages, pages + max(0, free) // PAGE)}")


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
_DAMAGED = (
    "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ",
    "SQLITE_ERROR",  # a table that is not there although the file was opened as a spool
    "SQLITE_CONSTRAINT",  # a number that is there already
    "SQLITE_CANTOPEN_DIRTYWAL",
)  # fmt: skip


def is_full(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(_NO_ROOM)


def is_damaged(error: sqlite3.DatabaseError) -> bool:
    # No name: the verdict of a check.
    return getattr(error, "sqlite_errorname", "SQLITE_CORRUPT").startswith(_DAMAGED)
