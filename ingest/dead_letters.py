"""What could not be stored, with its reason: kept in SQLite, really synced, until somebody replays or deletes it.

A message that comes again (its node did not hear that it was kept) is counted and not kept twice.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ingest import durable
from ingest.accept import Refusal
from ingest.errors import Unavailable

# AUTOINCREMENT: who has looked at all up to an id finds what is new by its id, whatever was deleted meanwhile.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB UNIQUE, topic TEXT, body BLOB,
    first_ms INTEGER, last_ms INTEGER, times INTEGER);
CREATE TABLE IF NOT EXISTS refusals (
    message INTEGER, record INTEGER, reason TEXT, detail TEXT, PRIMARY KEY (message, record)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_topic ON messages (topic);
"""
# A message that comes again is counted. Its id comes back in both cases.
_MESSAGE = """
INSERT INTO messages (digest, topic, body, first_ms, last_ms, times) VALUES (?, ?, ?, ?, ?, 1)
    ON CONFLICT (digest) DO UPDATE SET last_ms = excluded.last_ms, times = times + 1 RETURNING id
"""
# Of one node: its topics stand together in the index, and each of them in the order of the ids.
_OF_NODE = """
SELECT id, topic, body, first_ms, last_ms, times FROM messages
    WHERE topic > ? AND topic < ? AND (topic, id) > (?, ?) AND id > ?
    AND EXISTS (SELECT 1 FROM refusals WHERE message = id AND reason IN (SELECT value FROM json_each(?)))
    ORDER BY topic, id LIMIT ?
"""
_TOPICS = """
SELECT DISTINCT topic FROM messages JOIN refusals ON id = message
    WHERE id > ? AND id <= ? AND reason IN (SELECT value FROM json_each(?))
"""
_LAST = "SELECT coalesce(max(id), ?) FROM (SELECT id FROM messages WHERE id > ? ORDER BY id LIMIT ?)"
_RECOVER = "a new one begins, and `sqlite3 FILE .recover` shows what can be read of the old one"
_WHOLE = -1  # a refusal of the whole message stands where a record's index would


Place = tuple[str, int]  # topic and id; ("", 0) is before all


class Letter(NamedTuple):
    """A message that was refused, as a whole or some of its records. Times count milliseconds from 1970."""

    id: int
    topic: str
    body: bytes
    first_ms: int
    last_ms: int
    times: int
    refused: list[Refusal]


class DeadLetters:
    """Every call raises Unavailable when the file cannot be read or written, or has reached its bound."""

    def __init__(self, *, path: Path, megabytes: int = 256) -> None:
        self._path = path
        self._megabytes = megabytes
        self._db: sqlite3.Connection | None = None

    def keep(self, letters: list[tuple[str, bytes, list[Refusal]]]) -> None:
        """Keeps (topic, body, refusals) durably, all or none."""
        now_ms = time.time_ns() // 1_000_000
        with self._transaction() as db:
            self._check_size(db)
            for topic, body, refused in letters:
                _keep(db, topic, body, refused, now_ms)

    def all(self) -> list[Letter]:
        """Oldest first."""
        with self._transaction(writing=False) as db:
            rows = db.execute("SELECT id, topic, body, first_ms, last_ms, times FROM messages ORDER BY id").fetchall()
            return [Letter._make((*row, _refusals(db, row[0]))) for row in rows]

    def of_node(
        self, area: str, node: str, reasons: Sequence[str], *, after: Place = ("", 0), newer: int = 0, most: int
    ) -> list[Letter]:
        """Some of those that have a refusal for one of these reasons: the next after a place, by topic and id.

        newer: only letters with a greater id.
        """
        if not self._there():
            return []
        start = f"poles/{area}/{node}/"
        found = (start, start[:-1] + "0", *after, newer, json.dumps(reasons), most)  # "0" is the character after "/"
        with self._transaction(writing=False) as db:
            return [Letter._make((*row, _refusals(db, row[0]))) for row in db.execute(_OF_NODE, found).fetchall()]

    def topics(self, reasons: Sequence[str], *, newer: int = 0, most: int) -> tuple[list[str], int]:
        """Of the next letters with a greater id, so many of them: the topics of those that have a refusal for one of
        these reasons, and the id of the last that was looked at; `newer` where there are no more."""
        if not self._there():
            return [], newer
        with self._transaction(writing=False) as db:
            last: int = db.execute(_LAST, (newer, newer, most)).fetchone()[0]
            return [topic for (topic,) in db.execute(_TOPICS, (newer, last, json.dumps(reasons)))], last

    def replace(self, judged: list[tuple[Letter, list[Refusal]]]) -> None:
        """What became of a replay: nothing refused any more deletes a letter, else it keeps the new reasons."""
        with self._transaction() as db:
            for letter, refused in judged:
                db.execute("DELETE FROM refusals WHERE message = ?", (letter.id,))
                if refused:
                    _add(db, letter.id, refused)
                else:
                    db.execute("DELETE FROM messages WHERE id = ?", (letter.id,))

    def _there(self) -> bool:
        # Who only looks makes no file.
        return self._db is not None or self._path.exists()

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _check_size(self, db: sqlite3.Connection) -> None:
        pages, free, size = (db.execute(f"PRAGMA {what}").fetchone()[0] for what in _SIZES)
        if (pages - free) * size > self._megabytes * 1_000_000:
            raise Unavailable(
                f"dead letters: {self._path} holds its {self._megabytes} MB (dead_letter_megabytes); look with"
                " `pole ingest dead-letters list`, then replay or delete. Until then what is refused stays on the nodes"
            )

    def _transaction(self, *, writing: bool = True) -> "_Transaction":
        return _Transaction(self, "BEGIN IMMEDIATE" if writing else "BEGIN")

    def open(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = durable.open_file(self._path, _SCHEMA)
        return self._db


_SIZES = ("page_count", "freelist_count", "page_size")


class _Transaction:
    # BEGIN … COMMIT, and every error of SQLite as Unavailable; the file is opened anew after one.
    def __init__(self, letters: DeadLetters, begin: str) -> None:
        self._letters = letters
        self._begin = begin

    def __enter__(self) -> sqlite3.Connection:
        try:
            db = self._letters.open()
            db.execute(self._begin)
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return db

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None:
            try:
                self._letters.open().execute("COMMIT")
            except sqlite3.Error as failed:
                raise self._failed(failed) from failed
        elif isinstance(error, sqlite3.Error):
            raise self._failed(error) from error
        else:
            self._letters.open().execute("ROLLBACK")

    def _failed(self, error: sqlite3.Error) -> Unavailable:
        self._letters.close()
        return Unavailable(f"dead letters: {durable.told(self._letters._path, error, then=_RECOVER)}")


def _keep(db: sqlite3.Connection, topic: str, body: bytes, refused: list[Refusal], now_ms: int) -> None:
    # A pack may come again as backfill: the channel is no part of what it is.
    name = topic.rpartition("/")[0].encode(errors="surrogatepass")
    digest = hashlib.sha256(name + b"\0" + body).digest()
    message: int = db.execute(_MESSAGE, (digest, topic, body, now_ms, now_ms)).fetchone()[0]
    _add(db, message, refused)


def _add(db: sqlite3.Connection, message: int, refused: list[Refusal]) -> None:
    rows = [(message, _WHOLE if index is None else index, reason, _plain(detail)) for index, reason, detail in refused]
    db.executemany("INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?)", rows)


def _plain(text: str) -> str:
    # A detail may quote what it refuses, half surrogate pairs included.
    return text.encode(errors="replace").decode()[:500]


def _refusals(db: sqlite3.Connection, message: int) -> list[Refusal]:
    rows = db.execute("SELECT record, reason, detail FROM refusals WHERE message = ? ORDER BY record", (message,))
    return [Refusal(None if record == _WHOLE else record, reason, detail) for record, reason, detail in rows]
