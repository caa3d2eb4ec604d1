"""SQLite files whose every commit has reached the disk when it returns."""

import sqlite3
from pathlib import Path


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
