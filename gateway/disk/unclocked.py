"""Readings of a machine that does not know the time: on the disk, without a number, until they can be given one.

A row holds readings that were written together: JSON of (device, point, time_ms, value, quality), where time_ms counts
from the start of the machine, or is what the device itself told (gateway.clock.WALL_FROM_MS tells them apart). A row of
no boot ("") has its times already, and queues behind the others to keep the order.
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
    """What leaves the table, and the readings with their times (is it an event ->)."""

    rows: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    readings: int = 0
    damaged: int = 0  # rows
    timed: dict[bool, list[Reading]] = field(default_factory=lambda: {True: [], False: []})


class Unclocked:
    """What is known of the table. insert(), take() and drop_oldest() are part of a transaction of the spool's."""

    def __init__(self) -> None:
        self.readings = 0
        self.rows = {True: 0, False: 0}  # is it an event ->
        self._lengths: dict[str, int] = {}  # boot -> how long it was when the last row was written, oldest boot first
        self._marked: set[tuple[str, str, str]] = set()  # boot, device, point: told that the times are estimates
        self._newly_marked: set[tuple[str, str, str]] = set()
        self._stamps = Stamps()

    def load(self, db: sqlite3.Connection) -> None:
        self.readings, self.rows, self._lengths = 0, {True: 0, False: 0}, {}
        for columns in db.execute("SELECT * FROM unclocked ORDER BY id"):
            if (row := rows.unclocked_of(columns)) is not None:
                self.inserted(row.boot, row.boot_ms, row.event, row.readings)
            else:
                self.rows[columns[3] == 1] += 1

    def insert(self, db: sqlite3.Connection, boot: str, boot_ms: int, event: bool, readings: list[Reading]) -> int:
        """Returns how many bytes the row has."""
        number = db.execute("SELECT coalesce(max(id), 0) + 1 FROM unclocked").fetchone()[0]
        body = json.dumps(readings, separators=(",", ":")).encode()
        rows.write_unclocked(db, rows.Unclocked(number, boot, boot_ms, event, len(readings), body))
        return len(body)

    def inserted(self, boot: str, boot_ms: int, event: bool, readings: int) -> None:
        """An insert is committed."""
        if boot:
            self._lengths[boot] = max(boot_ms, self._lengths.get(boot, 0))
        self.rows[event] += 1
        self.readings += readings

    def oldest(self, db: sqlite3.Connection, now: Boot) -> int | None:
        """The earliest time that a reading will get; None where none waits."""
        for row in map(rows.unclocked_of, db.execute("SELECT * FROM unclocked ORDER BY id")):
            if row is not None and row.boot:
                times = [reading[2] for reading in _readings(row.body) if reading[2] < WALL_FROM_MS]
                return self._began(now)[row.boot] + min([*times, row.boot_ms]) - GRID_MS  # where `clock` may stand
        return None

    def take(self, db: sqlite3.Connection, now: Boot) -> Taken:
        """The oldest rows leave the table, with their times: all events before any telemetry."""
        taken = Taken()
        self._newly_marked = set()
        began = self._began(now)
        event = self.rows[True] > 0
        query = f"SELECT * FROM unclocked WHERE event {'=' if event else '!='} 1 ORDER BY id LIMIT ?"
        for columns in db.execute(query, (ROWS_AT_ONCE,)).fetchall():
            db.execute("DELETE FROM unclocked WHERE id = ?", (columns[0],))
            taken.rows[event] += 1
            if (row := rows.unclocked_of(columns)) is None:
                taken.damaged += 1
                continue
            taken.readings += row.readings
            taken.timed[event] += self._timed(row, began.get(row.boot, 0), estimated=row.boot not in ("", now.id))
        return taken

    def drop_oldest(self, db: sqlite3.Connection, most: int) -> Taken:
        """Telemetry goes, never an event."""
        oldest = db.execute(
            "SELECT id, readings FROM unclocked WHERE event != 1 ORDER BY id LIMIT ?", (most,)
        ).fetchall()
        db.executemany("DELETE FROM unclocked WHERE id = ?", [(number,) for number, _ in oldest])
        return Taken(rows={True: 0, False: len(oldest)}, readings=sum(readings for _, readings in oldest))

    def left(self, taken: Taken) -> None:
        """It is committed that these left."""
        self._marked |= self._newly_marked
        self.readings -= taken.readings
        self.rows = {event: self.rows[event] - taken.rows[event] for event in self.rows}

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
            if not row.boot:
                stamp = time_ms
            elif time_ms < WALL_FROM_MS:
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
