"""The spools of all nodes of a process, in one SQLite file: a pack is there before its node counts it, and until it is
stored. One transaction takes the packs of many nodes, as one fsync would be too much for each of ten thousand.
"""

import contextlib
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

Pack = tuple[int, int, int, int, bytes]  # node, number, event (0 or 1), ms since 1970 of its readings, payload

_SCHEMA = """
CREATE TABLE IF NOT EXISTS packs (
    node INTEGER, sq INTEGER, event INTEGER, time INTEGER, body BLOB, PRIMARY KEY (node, sq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dropped (node INTEGER, sq INTEGER, PRIMARY KEY (node, sq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acts (step INTEGER, pole INTEGER, what TEXT, value REAL);
CREATE TABLE IF NOT EXISTS state (salt TEXT, step INTEGER, moment INTEGER);
"""


class Spool:
    """Numbers are from 1 and without gaps for each node; who takes them is the caller."""

    def __init__(self, *, path: Path) -> None:
        """Raises sqlite3.Error."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # a commit is on the disk, as in a node's own spool
        self._db.executescript(_SCHEMA)
        if self._db.execute("SELECT count(*) FROM state").fetchone()[0] == 0:
            self._db.execute("INSERT INTO state VALUES (?, -1, 0)", (secrets.token_hex(8),))
        salt, step, moment = self._db.execute("SELECT salt, step, moment FROM state").fetchone()
        self.salt = str(salt)  # the epochs of the nodes come from it
        self.done = int(step), int(moment)  # the packs of before this moment, ms after the step's beginning, are here
        self._gone: list[tuple[int, int]] = []

    def append(self, packs: Iterable[Pack], step: int, moment: int) -> None:
        """All of them or none, durable when it returns. Raises sqlite3.Error, as on a full disk."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany("INSERT OR REPLACE INTO packs VALUES (?, ?, ?, ?, ?)", packs)
            db.executemany("DELETE FROM packs WHERE node = ? AND sq = ?", self._gone)
            db.execute("UPDATE state SET step = ?, moment = ?", (step, moment))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._gone.clear()

    def stored(self, node: int, numbers: Iterable[int]) -> None:
        """The database has them: they go with the next append. Until then a crash only makes them be sent again."""
        self._gone += [(node, number) for number in numbers]

    def drop(self, node: int, number: int) -> None:
        """Given up, and counted: the spool of its node is full."""
        self._db.execute("INSERT OR IGNORE INTO dropped VALUES (?, ?)", (node, number))
        self._gone.append((node, number))

    def pack(self, node: int, number: int) -> tuple[int, int, bytes] | None:
        """(event, time, payload) of a pack that is here."""
        row = self._db.execute("SELECT event, time, body FROM packs WHERE node = ? AND sq = ?", (node, number))
        found: tuple[int, int, bytes] | None = row.fetchone()
        return found

    def pending(self) -> Iterator[tuple[int, int, int]]:
        """(node, number, event) of every pack, in order."""
        yield from self._db.execute("SELECT node, sq, event FROM packs ORDER BY node, sq")

    def dropped(self) -> Iterator[tuple[int, int]]:
        """(node, number) of what was given up, in order."""
        yield from self._db.execute("SELECT node, sq FROM dropped ORDER BY node, sq")

    def act(self, step: int, pole: int, what: str, value: float) -> None:
        """A command is carried out from this step on: whoever goes through the world anew has to know."""
        self._db.execute("INSERT INTO acts VALUES (?, ?, ?, ?)", (step, pole, what, value))

    def acts(self) -> list[tuple[int, int, str, float]]:
        """(step, pole, what, value) in the order in which they came."""
        return self._db.execute("SELECT step, pole, what, value FROM acts ORDER BY rowid").fetchall()

    def flush(self) -> None:
        """What is stored leaves the disk now. Raises sqlite3.Error."""
        self.append([], *self._progress())

    def close(self) -> None:
        """Also after an error."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def _progress(self) -> tuple[int, int]:
        step, moment = self._db.execute("SELECT step, moment FROM state").fetchone()
        return step, moment
