"""What became of each command, on disk: the reason why none is ever carried out twice.

A command is `accepted` on disk before anybody hears so, and `started` before its device is touched. Whatever is not
finished when the log is opened was interrupted, and stays so.
"""

import json
import sqlite3
from pathlib import Path

KEEP_MS = 24 * 3600 * 1000  # beyond its expiry: a repetition that comes even later is expired anyway
MAX_COMMANDS = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS command (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, reply TEXT NOT NULL, expires INTEGER NOT NULL
) WITHOUT ROWID
"""
_NOT_TOUCHED = "interrupted: the gateway stopped before it touched the device; send a new command"
_UNKNOWN = "interrupted: the gateway stopped while it wrote; nobody knows whether the device obeyed"


class CommandLog:
    """Not for two threads at once. Every change is synced before the call returns.

    interrupted: id and last reply of each command that the stop before this start broke off; nobody was told yet.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_SCHEMA)
        self.interrupted: list[tuple[str, dict[str, object]]] = []
        for state, reason in (("accepted", _NOT_TOUCHED), ("started", _UNKNOWN)):
            reply: dict[str, object] = {"state": "failed", "reason": reason}
            rows = self._db.execute("SELECT id FROM command WHERE state = ?", (state,)).fetchall()
            self.interrupted += [(row[0], reply) for row in rows]
            for (command,) in rows:
                self.finish(command, reply)

    def find(self, command: str) -> dict[str, object] | None:
        """The last reply to this command (state, and what belongs to it), or None for one that was never seen."""
        row = self._db.execute("SELECT reply FROM command WHERE id = ?", (command,)).fetchone()
        return json.loads(row[0]) if row else None

    def accept(self, command: str, *, expires: int, now_ms: int) -> bool:
        """False when the log is full of commands that must not be forgotten yet."""
        self._db.execute("DELETE FROM command WHERE expires < ?", (now_ms - KEEP_MS,))
        if self._db.execute("SELECT count(*) FROM command").fetchone()[0] >= MAX_COMMANDS:
            return False
        reply = json.dumps({"state": "accepted"})
        self._db.execute("INSERT INTO command VALUES (?, 'accepted', ?, ?)", (command, reply, expires))
        return True

    def start(self, command: str) -> None:
        """The device is about to be touched."""
        self._db.execute("UPDATE command SET state = 'started' WHERE id = ?", (command,))

    def finish(self, command: str, reply: dict[str, object]) -> None:
        """reply: state (done, failed or expired), and reason and read_back where there are any."""
        self._db.execute(
            "UPDATE command SET state = ?, reply = ? WHERE id = ?", (reply["state"], json.dumps(reply), command)
        )

    def close(self) -> None:
        self._db.close()
