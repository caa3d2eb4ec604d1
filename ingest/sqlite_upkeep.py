"""What SQLite does with what is old, a little after each write: delete, thin, and sum the ledger up.

Of what is older than `keep` the last value of each interval of `thin` stays, as it was read; without `thin` nothing.
Pages that become free are used again, so the file stays as large as it was at most.
"""

import json
import sqlite3
from collections.abc import Iterator
from time import monotonic

from ingest.store_options import Options
from wire.stored import ranges

SCHEMA = """
CREATE TABLE IF NOT EXISTS old_packs (
    area TEXT, node TEXT, epoch TEXT, ranges TEXT, readings INTEGER, refused INTEGER, newest INTEGER,
    PRIMARY KEY (area, node, epoch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS thinned (one INTEGER PRIMARY KEY CHECK (one = 1), until INTEGER);
"""
BUSY_S, IDLE_S = 0.01, 0.3  # of a write's time; of a probe's
PAUSE_S = 3600.0  # between two rounds over all series
LATE_MS = 7 * 86_400_000  # what comes so late is still thinned; what comes later stays as it is
SERIES_AT_ONCE = 100

# The last of each interval stays. "later" is a seek in the primary key.
_THIN = """DELETE FROM points WHERE series = :series AND time >= :from AND time < :to AND EXISTS (
    SELECT 1 FROM points AS later WHERE later.series = points.series AND later.time > points.time
    AND later.time < (points.time / :every + 1) * :every)"""
_NEXT_NODE = (
    "SELECT area, node, epoch FROM packs WHERE (area, node, epoch) > (?, ?, ?) ORDER BY area, node, epoch LIMIT 1"
)
_OLD = "FROM packs WHERE area = ? AND node = ? AND epoch = ? AND time < ?"


class Upkeep:
    """`step` works for a while and goes on where it stopped."""

    def __init__(self, *, options: Options) -> None:
        self._keep_ms = None if options.keep_s is None else options.keep_s * 1000
        self._every_ms = None if options.thin_every_s is None else options.thin_every_s * 1000
        self._most_ms = None if options.thin_keep_s is None else options.thin_keep_s * 1000
        self._work: Iterator[None] | None = None
        self._due = 0.0

    def step(self, db: sqlite3.Connection, now_ms: int, budget_s: float) -> None:
        """One transaction. Raises sqlite3.Error."""
        if self._keep_ms is None or (self._work is None and monotonic() < self._due):
            return
        end = monotonic() + budget_s
        db.execute("BEGIN IMMEDIATE")
        try:
            work = self._work = self._work or self._round(db, now_ms, self._keep_ms)
            while next(work, work) is not work:
                if monotonic() >= end:
                    break
            else:
                self._work, self._due = None, monotonic() + PAUSE_S
            db.execute("COMMIT")
        except BaseException:
            self.stop()
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def stop(self) -> None:
        """The connection is gone, or what it did is void: the next step begins a round."""
        self._work = None

    def _round(self, db: sqlite3.Connection, now_ms: int, keep_ms: int) -> Iterator[None]:
        # Yields often, and holds no cursor meanwhile.
        cutoff = now_ms - keep_ms
        thin_to = cutoff - cutoff % self._every_ms if self._every_ms is not None else None
        thin_from = (db.execute("SELECT until FROM thinned").fetchone() or (LATE_MS,))[0] - LATE_MS
        gone = cutoff if self._every_ms is None else None if self._most_ms is None else now_ms - self._most_ms
        last = -1
        while ids := [id for (id,) in db.execute("SELECT id FROM series WHERE id > ? LIMIT ?", (last, SERIES_AT_ONCE))]:
            for last in ids:
                db.execute("DELETE FROM quality WHERE series = ? AND time < ?", (last, cutoff))
                if gone is not None:
                    db.execute("DELETE FROM points WHERE series = ? AND time < ?", (last, gone))
                if thin_to is not None:
                    span = {"series": last, "from": thin_from, "to": thin_to, "every": self._every_ms}
                    db.execute(_THIN, span)
                yield
        key = ("", "", "")
        while found := db.execute(_NEXT_NODE, key).fetchone():
            key = found
            _sum_up(db, key, cutoff)
            yield
        if thin_to is not None:
            db.execute("INSERT OR REPLACE INTO thinned VALUES (1, ?)", (thin_to,))


def _sum_up(db: sqlite3.Connection, key: tuple[str, str, str], cutoff: int) -> None:
    rows = db.execute(f"SELECT number, readings, refused, time {_OLD}", (*key, cutoff)).fetchall()
    if not rows:
        return
    sql = "SELECT ranges, readings, refused, newest FROM old_packs WHERE area = ? AND node = ? AND epoch = ?"
    told, readings, refused, newest = db.execute(sql, key).fetchone() or ("[]", 0, 0, 0)
    old = json.loads(told)
    fresh = [row for row in rows if not within(old, row[0])]  # a pack that came again counts once
    summed = merged(old, [row[0] for row in fresh])
    readings += sum(row[1] for row in fresh)
    refused += sum(row[2] for row in fresh)
    newest = max(newest, *(row[3] for row in rows))
    values = (*key, json.dumps(summed), readings, refused, newest)
    db.execute("INSERT OR REPLACE INTO old_packs VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    db.execute(f"DELETE {_OLD}", (*key, cutoff))


def within(spans: list[list[int]], number: int) -> bool:
    """Whether a number is in one of the ranges."""
    return any(first <= number <= last for first, last in spans)


def merged(spans: list[list[int]], numbers: list[int]) -> list[list[int]]:
    """Ranges and numbers -> ranges that ascend and do not touch."""
    out: list[list[int]] = []
    for first, last in sorted([*spans, *ranges(numbers)]):
        if out and first <= out[-1][1] + 1:
            out[-1][1] = max(out[-1][1], last)
        else:
            out.append([first, last])
    return out
