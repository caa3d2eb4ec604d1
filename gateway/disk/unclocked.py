"""Readings of a machine that does not know the time: on the disk, without a number, until they can be given one.

A row holds readings that were written together: JSON of (device, point, time_ms, value, quality), where time_ms counts
from the start of the machine, or is what the device itself told (gateway.clock.WALL_FROM_MS tells them apart).
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.clock import GRID_MS, WALL_FROM_MS, Boot, Stamps, believed
from gateway.disk import rows
from gateway.disk.leaves import Leaves
from gateway.reading import Reading

ROWS_AT_ONCE = 64  # get their time in one commit


@dataclass
class Taken:
    """What leaves the table: rows, the readings in them, and these with their times (is it an event ->)."""

    rows: int
    readings: int = 0
    damaged: int = 0  # rows
    timed: dict[bool, list[Reading]] = field(default_factory=lambda: {True: [], False: []})


class Unclocked:
    """What is known of the table. insert(), take() and drop_oldest() are part of a transaction of the spool's."""

    def __init__(self) -> None:
        self.readings = 0
        self._lengths: dict[str, int] = {}  # boot -> how long it was when the last row was written, oldest boot first
        self._marked: set[tuple[str, str, str]] = set()  # boot, device, point: told that the times are estimates
        self._newly_marked: set[tuple[str, str, str]] = set()
        self._stamps = Stamps()

    def load(self, db: sqlite3.Connection) -> None:
        self.readings, self._lengths = 0, {}
        for columns in db.execute("SELECT * FROM unclocked ORDER BY id"):
            if (row := rows.unclocked_of(columns)) is not None:
                self.inserted(row.boot, row.boot_ms, row.readings)

    def insert(self, db: sqlite3.Connection, boot: str, boot_ms: int, event: bool, readings: list[Reading]) -> int:
        """Returns how many bytes the row has."""
        number = db.execute("SELECT coalesce(max(id), 0) + 1 FROM unclocked").fetchone()[0]
        body = json.dumps(readings, separators=(",", ":")).encode()
        rows.write_unclocked(db, rows.Unclocked(number, boot, boot_ms, event, len(readings), body))
        return len(body)

    def inserted(self, boot: str, boot_ms: int, readings: int) -> None:
        """An insert is committed."""
        self._lengths[boot] = max(boot_ms, self._lengths.get(boot, 0))
        self.readings += readings

    def oldest(self, db: sqlite3.Connection, now: Boot) -> int | None:
        """The earliest time that a reading will get; None where none waits."""
        for row in self._first(db):
            if row is not None:
                times = [reading[2] for reading in _readings(row.body) if reading[2] < WALL_FROM_MS]
                return self._began(now)[row.boot] + min([*times, row.boot_ms]) - GRID_MS  # where `clock` may stand
        return None

    def take(self, db: sqlite3.Connection, now: Boot) -> Taken:
        """The oldest rows leave the table, with their times."""
        taken = Taken(rows=0)
        self._newly_marked = set()
        began = self._began(now)
        for row in self._first(db):
            taken.rows += 1
            if row is None:
                taken.damaged += 1
                continue
            taken.readings += row.readings
            taken.timed[row.event] += self._timed(row, began[row.boot], estimated=row.boot != now.id)
        db.execute("DELETE FROM unclocked WHERE id IN (SELECT id FROM unclocked ORDER BY id LIMIT ?)", (taken.rows,))
        return taken

    def drop_oldest(self, db: sqlite3.Connection, most: int) -> Taken:
        """Telemetry goes, never an event."""
        oldest = db.execute(
            "SELECT id, readings FROM unclocked WHERE event = 0 ORDER BY id LIMIT ?", (most,)
        ).fetchall()
        db.executemany("DELETE FROM unclocked WHERE id = ?", [(number,) for number, _ in oldest])
        return Taken(rows=len(oldest), readings=sum(readings for _, readings in oldest))

    def left(self, taken: Taken) -> None:
        """It is committed that these left."""
        self._marked |= self._newly_marked
        self.readings -= taken.readings

    def _first(self, db: sqlite3.Connection) -> list[rows.Unclocked | None]:
        found = db.execute("SELECT * FROM unclocked ORDER BY id LIMIT ?", (ROWS_AT_ONCE,)).fetchall()
        return [rows.unclocked_of(columns) for columns in found]

    def _began(self, now: Boot) -> dict[str, int]:
        """Boot -> when it began, ms since 1970; an earlier one ended, at the latest, when the next began."""
        began = {now.id: now.began_ms}
        end = now.began_ms
        for boot, length in reversed(self._lengths.items()):
            if boot not in began:
                began[boot] = end = end - length - GRID_MS
        return began

    def _timed(self, row: rows.Unclocked, began_ms: int, *, estimated: bool) -> Iterator[Reading]:
        for device, point, time_ms, value, quality in _readings(row.body):
            if time_ms < WALL_FROM_MS:
                stamp = began_ms + time_ms
            else:
                told = believed(time_ms, began_ms + row.boot_ms)
                stamp = self._stamps.unlike(device, point, began_ms + row.boot_ms) if told is None else told
            mark = (row.boot, device, point)
            if estimated and mark not in self._marked and mark not in self._newly_marked:
                self._newly_marked.add(mark)
                yield device, point, stamp - GRID_MS, None, "clock"
            yield device, point, stamp, value, quality


def restore(db: sqlite3.Connection, leaves: Leaves) -> None:
    """What can still be read of a damaged spool's table, in its order."""
    whole = (rows.unclocked_of((number, *columns[1:])) for number, columns in leaves.rows(7))
    found = {row.number: row for row in whole if row is not None}
    for number in sorted(found):
        rows.write_unclocked(db, found[number])


def _readings(body: bytes) -> list[Reading]:
    return [(device, point, time_ms, value, quality) for device, point, time_ms, value, quality in json.loads(body)]
