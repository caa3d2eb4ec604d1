"""SQLite files whose every commit has reached the disk when it returns."""

import sqlite3
from pathlib import Path

# The file is damaged, no SQLite file at all, or one of somebody else with other tables.
_LASTING = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def open_file(path: Path, schema: str) -> sqlite3.Connection:
    """WAL and synchronous=FULL; transactions are the caller's. Raises sqlite3.Error."""
    db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(schema)
    except sqlite3.Error:
        db.close()
        raise
    return db


def told(file: object, error: Exception, *, then: str) -> str:
    """What went wrong with a file, and what to do where no waiting mends it. then: what follows when it is done."""
    code = error.sqlite_errorcode & 0xFF if isinstance(error, sqlite3.Error) else sqlite3.SQLITE_CORRUPT
    remedy = f". Move the file away, its -wal and -shm with it, while ingest is stopped: {then}"
    return f"{file}: {error}{remedy if code in _LASTING else ''}"
