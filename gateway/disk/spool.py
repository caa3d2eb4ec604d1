"""The durable store of a node's packs: a pack has its number when it is on the disk, and leaves when it is stored.

At every moment: head == stored + pending + sum(dropped). SQLite in WAL mode with synchronous=FULL, so that a commit
has reached the disk when it returns (sqlite.org, "Write-Ahead Logging" and "PRAGMA synchronous").

SpoolError          the file cannot be used; str() says what to do
└── SpoolFull       nothing may be dropped for the new pack, or the disk has no room at all
"""

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from gateway.disk.salvage import Salvaged, finish_swap, salvage, successor, swap
from gateway.disk.spool_file import PAGE, Ballast, is_damaged, is_full, open_file
from gateway.reading import Reading
from wire import packs
from wire.errors import PackError

log = structlog.get_logger("spool")

ROW_BYTES = 60  # what a pack costs beside its body, with its place in an index
DROP_AT_ONCE = 64  # packs; dropping one by one would cost a sync for each


class SpoolError(Exception):
    pass


class SpoolFull(SpoolError):
    pass


@dataclass(frozen=True)
class SpoolState:
    """Counts are packs, but for readings: those numbered since the epoch began."""

    epoch: str
    head: int
    stored: int
    pending: int
    dropped: dict[str, int]
    readings: int
    bytes: int
    last_ms: int
    set_back: int


@dataclass(frozen=True)
class Kept:
    """A pack on the disk."""

    number: int
    event: bool
    newest_ms: int
    body: bytes


class Spool:
    """Not thread-safe: one thread at a time. Raises SpoolError where the file cannot be opened at all."""

    def __init__(self, *, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_pages = max(64, max_bytes // PAGE)
        self._ballast = Ballast(path)
        self.written_bytes = 0  # since the file was opened, with what a row costs beside its body
        finish_swap(path)
        try:
            self._db = open_file(path, max_pages=self._max_pages)
        except sqlite3.DatabaseError as error:
            self._begin_again_if_damaged(error)
        self.epoch = self.state().epoch
        self._ballast.restore()

    def close(self) -> None:
        self._db.close()

    def state(self) -> SpoolState:
        row = self._db.execute("SELECT epoch, head, stored, readings, dropped, last_ms, set_back FROM state").fetchone()
        epoch, head, stored, readings, dropped_json, last_ms, set_back = row
        dropped: dict[str, int] = json.loads(dropped_json)
        pending = head - stored - sum(dropped.values())
        return SpoolState(epoch, head, stored, pending, dropped, readings, self._bytes(), last_ms, set_back)

    def append(self, *, event: bool, readings: list[Reading], last_ms: int = 0, set_back: int = 0) -> list[int]:
        """Number the readings and put them on the disk, as one pack or more. Returns the numbers, durable.

        A single reading that breaks the wire's rules is dropped and logged; the others are kept. Raises SpoolFull.
        """
        while True:
            try:
                return self._append(event, readings, last_ms, set_back)
            except sqlite3.DatabaseError as error:
                self._db.rollback()
                if not is_full(error):
                    self._begin_again_if_damaged(error)
                elif not self._make_room(error):
                    raise SpoolFull(f"spool {self.path}: {error}, and nothing may be dropped for it") from error

    def confirm(self, epoch: str, ranges: Iterable[list[int]]) -> int:
        """Delete the packs that are in the database. Returns how many were still here."""
        return self.confirm_all([(epoch, ranges)]) or 0

    def confirm_all(self, messages: Iterable[tuple[str, Iterable[list[int]]]]) -> int | None:
        """As confirm, several messages in one commit; another epoch's are ignored. None where the disk took nothing."""
        try:
            return self._confirm(messages)
        except sqlite3.DatabaseError as error:
            self._db.rollback()
            if not is_full(error):
                self._begin_again_if_damaged(error)
            self._ballast.drop()
            log.warning("confirmation not taken: the packs will be sent again", spool=str(self.path), error=str(error))
            return None

    def events(self, *, after: int, limit: int) -> list[Kept]:
        """Events with a number above after, oldest first."""
        return self._kept("event = 1 AND sq > ? ORDER BY sq LIMIT ?", after, limit)

    def telemetry(self, *, after: int, before: int, limit: int) -> list[Kept]:
        """Telemetry numbered above after and below before, oldest first."""
        return self._kept("event = 0 AND sq > ? AND sq < ? ORDER BY sq LIMIT ?", after, before, limit)

    def pack(self, number: int) -> Kept | None:
        found = self._kept("sq = ?", number)
        return found[0] if found else None

    def first_since(self, time_ms: int) -> int:
        """The number at which telemetry newer than time_ms begins; head + 1 where there is none."""
        rows = self._read(
            "SELECT sq FROM packs WHERE event = 0 AND newest_ms >= ? ORDER BY newest_ms, sq LIMIT 1", time_ms
        )
        return int(rows[0][0]) if rows else self.state().head + 1

    # --- inside ---

    def _begin_again_if_damaged(self, error: sqlite3.DatabaseError) -> None:
        """Begin a new epoch with every pack that can still be read, and then set the damaged file aside."""
        if not is_damaged(error):
            hint = (
                "is another gateway using it?"
                if "locked" in str(error)
                else "check its folder, its rights and the disk"
            )
            raise SpoolError(f"spool {self.path}: {error}: {hint}") from error
        if hasattr(self, "_db"):
            self._db.close()
        self._ballast.drop()
        try:
            old = salvage(self.path)
        except sqlite3.DatabaseError as trouble:
            raise SpoolError(f"spool {self.path} is damaged, and cannot be read now: {trouble}: make room") from trouble
        self._take_over(old)
        aside = swap(self.path)
        self._db = open_file(self.path, max_pages=self._max_pages)
        self.epoch = self.state().epoch
        log.error(
            "spool damaged: set aside, new epoch",
            spool=str(self.path), aside=str(aside), reason=str(error), packs_saved=len(old.packs),
            packs_lost=old.lost if old.lost is not None else "unknown, its state cannot be read",
        )  # fmt: skip

    def _take_over(self, old: Salvaged) -> None:
        """All of it into a new file beside the damaged one. Raises SpoolError where the disk has no room for it."""
        new = successor(self.path)
        new.unlink(missing_ok=True)
        try:
            # Unbounded, for it may be a little longer here; without a log, for until the swap the damaged file counts.
            with contextlib.closing(open_file(new, max_pages=1 << 30, journal="MEMORY")) as self._db:
                self._fill(old)
        except sqlite3.OperationalError as error:
            new.unlink(missing_ok=True)
            raise SpoolError(
                f"spool {self.path} is damaged, and its {len(old.packs)} packs cannot be saved: {error}: make room"
            ) from error

    def _fill(self, old: Salvaged) -> None:
        lost = old.lost or 0
        dropped = json.dumps({"damaged": lost} if lost else {})
        self._db.execute(
            "UPDATE state SET head = ?, dropped = ?, last_ms = ?, set_back = ?",
            (lost, dropped, old.last_ms, old.set_back),
        )
        for event, body in old.packs:
            pack = packs.decode(body)
            kept = [(f"{pole}/{device}", point, ms, value, q) for pole, device, point, ms, value, q, _ in pack.readings]
            self._insert(event, kept)
        self._db.commit()

    def _append(self, event: bool, readings: list[Reading], last_ms: int, set_back: int) -> list[int]:
        numbers = self._insert(event, readings)
        if last_ms:
            self._db.execute("UPDATE state SET last_ms = ?, set_back = ?", (last_ms, set_back))
        self._db.commit()
        self._ballast.restore()
        return numbers

    def _insert(self, event: bool, readings: list[Reading]) -> list[int]:
        epoch, head = self._db.execute("SELECT epoch, head FROM state").fetchone()
        numbers = []
        for part, body in _bodies(epoch, head + 1, readings):
            head += 1
            newest = max(reading[2] for reading in part)
            row = (head, int(event), newest, len(part), zlib.crc32(body), body)
            self._db.execute("INSERT INTO packs VALUES (?, ?, ?, ?, ?, ?)", row)
            self.written_bytes += len(body) + ROW_BYTES
            self._db.execute("UPDATE state SET head = ?, readings = readings + ?", (head, len(part)))
            numbers.append(head)
        return numbers

    def _confirm(self, messages: Iterable[tuple[str, Iterable[list[int]]]]) -> int:
        own = self._db.execute("SELECT epoch FROM state").fetchone()[0]
        gone = 0
        for epoch, ranges in messages:
            if epoch != own:
                continue
            for first, last in ranges:
                gone += self._db.execute("DELETE FROM packs WHERE sq BETWEEN ? AND ?", (first, last)).rowcount
        self._db.execute("UPDATE state SET stored = stored + ?", (gone,))
        self._db.commit()
        return gone

    def _kept(self, where: str, *arguments: int) -> list[Kept]:
        rows = self._read(f"SELECT sq, event, newest_ms, crc, body FROM packs WHERE {where}", *arguments)
        good = []
        for number, event, newest_ms, crc, body in rows:
            if zlib.crc32(body) == crc:
                good.append(Kept(number, bool(event), newest_ms, body))
            else:
                log.error("pack damaged on the disk: dropped", spool=str(self.path), number=number)
                try:
                    self._drop([number], "damaged")
                except sqlite3.OperationalError:  # the disk takes not even that: it is met again
                    self._db.rollback()
        return good

    def _read(self, query: str, *arguments: int) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, arguments).fetchall()
        except sqlite3.DatabaseError as error:
            self._begin_again_if_damaged(error)
            return self._db.execute(query, arguments).fetchall()

    def _make_room(self, error: sqlite3.DatabaseError) -> bool:
        """Drop the oldest telemetry, never an event; give up the ballast where there is no room even for that."""
        if self._drop_oldest(error):
            return True
        more_room = self._ballast.drop()
        return self._drop_oldest(error) or more_room

    def _drop_oldest(self, error: sqlite3.DatabaseError) -> bool:
        try:
            rows = self._db.execute("SELECT sq FROM packs WHERE event = 0 ORDER BY sq LIMIT ?", (DROP_AT_ONCE,))
            oldest = [row[0] for row in rows]
            if oldest:
                self._drop(oldest, "full")
                log.warning(
                    "spool full: oldest telemetry dropped", spool=str(self.path), packs=len(oldest), error=str(error)
                )
        except sqlite3.OperationalError:
            self._db.rollback()
            return False
        return bool(oldest)

    def _drop(self, numbers: list[int], reason: str) -> None:
        dropped: dict[str, int] = json.loads(self._db.execute("SELECT dropped FROM state").fetchone()[0])
        dropped[reason] = dropped.get(reason, 0) + len(numbers)
        self._db.executemany("DELETE FROM packs WHERE sq = ?", [(number,) for number in numbers])
        self._db.execute("UPDATE state SET dropped = ?", (json.dumps(dropped),))
        self._db.commit()

    def _bytes(self) -> int:
        pages: int = self._db.execute("PRAGMA page_count").fetchone()[0]
        free: int = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        return (pages - free) * PAGE


def _bodies(epoch: str, number: int, readings: list[Reading]) -> Iterable[tuple[list[Reading], bytes]]:
    """Readings -> (the readings of a pack, its payload), numbers ascending; halves what is too large for one."""
    waiting = [readings] if readings else []
    while waiting:
        part = waiting.pop()
        try:
            body = packs.encode(epoch, number, part)
        except PackError as error:
            if len(part) > 1:
                waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
            else:
                log.error("reading refused by the wire's rules: dropped", reading=repr(part[0])[:300], error=str(error))
            continue
        yield part, body
        number += 1
