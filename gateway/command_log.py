"""What became of each command, on disk: the reason why none is ever carried out twice.

A command is `accepted` on disk before anybody hears so, and `started` before its device is touched. Whatever is not
finished when the log is opened was interrupted, and stays so.

CommandLogError     the file cannot be used now (damaged, disk full): what cannot be remembered must not be done
"""

import json
import sqlite3
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger("commands")

KEEP_MS = 24 * 3600 * 1000  # beyond its expiry: a repetition that comes even later is expired anyway
MAX_COMMANDS = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS command (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, reply TEXT NOT NULL, expires INTEGER NOT NULL
) WITHOUT ROWID
"""
_FINISH = "UPDATE command SET state = ?, reply = ? WHERE id = ?"
_NOT_TOUCHED = "interrupted: the gateway stopped before it touched the device; send a new command"
_UNKNOWN = "interrupted: the gateway stopped while it wrote; nobody knows whether the device obeyed"


class CommandLogError(Exception):
    pass


class CommandLog:
    """Not for two threads at once. Every change is synced before the call returns; each call but the first may raise.

    A file that cannot be opened is tried again with each command: readings must not wait for it.
    interrupted: id and last reply of each command that the stop before this start broke off; nobody was told yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self.interrupted: list[tuple[str, dict[str, object]]] = []
        try:
            self._opened()
        except sqlite3.Error as error:
            log.error("the command log cannot be used: commands are refused", file=str(path), error=str(error))

    def find(self, command: str) -> dict[str, object] | None:
        """The last reply to this command (state, and what belongs to it), or None for one that was never seen."""
        rows = self._run("SELECT reply FROM command WHERE id = ?", command)
        return json.loads(rows[0][0]) if rows else None

    def accept(self, command: str, *, expires: int, now_ms: int) -> bool:
        """False when the log is full of commands that must not be forgotten yet."""
        self._run("DELETE FROM command WHERE expires < ?", now_ms - KEEP_MS)
        if self._run("SELECT count(*) FROM command")[0][0] >= MAX_COMMANDS:
            return False
        reply = json.dumps({"state": "accepted"})
        self._run("INSERT INTO command VALUES (?, 'accepted', ?, ?)", command, reply, expires)
        return True

    def start(self, command: str) -> None:
        """The device is about to be touched."""
        self._run("UPDATE command SET state = 'started' WHERE id = ?", command)

    def finish(self, command: str, reply: dict[str, object]) -> None:
        """reply: state (done, failed or expired), and reason and read_back where there are any."""
        self._run(_FINISH, reply["state"], json.dumps(reply), command)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    def _run(self, sql: str, *arguments: object) -> list[Any]:
        try:
            return self._opened().execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise CommandLogError(f"the gateway's command log cannot be used: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute(_SCHEMA)
                self.interrupted += _interrupt(db)
            except sqlite3.Error:
                db.close()
                raise
            self._db = db
        return self._db


def _interrupt(db: sqlite3.Connection) -> list[tuple[str, dict[str, object]]]:
    """Ends what is not finished; id and reply of each."""
    ended: list[tuple[str, dict[str, object]]] = []
    for state, reason in (("accepted", _NOT_TOUCHED), ("started", _UNKNOWN)):
        reply: dict[str, object] = {"state": "failed", "reason": reason}
        for (command,) in db.execute("SELECT id FROM command WHERE state = ?", (state,)).fetchall():
            db.execute(_FINISH, (reply["state"], json.dumps(reply), command))
            ended.append((command, reply))
    return ended
