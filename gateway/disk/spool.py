"""The durable store of a node's packs: a pack has its number when it is on the disk, and leaves when it is stored.

At every moment: head == stored + pending + sum(dropped). SQLite in WAL mode with synchronous=FULL, so that a commit
has reached the disk when it returns (sqlite.org, "Write-Ahead Logging" and "PRAGMA synchronous").

SpoolError          the file cannot be used; str() says what to do
└── SpoolFull       nothing may be dropped for the new pack, or the disk has no room at all
"""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog

from gateway.clock import Boot
from gateway.disk import rows
from gateway.disk.bodies import bodies
from gateway.disk.rows import Kept, State
from gateway.disk.salvage import begin_again, finish_swap
from gateway.disk.spool_file import PAGE, Ballast, fit_to_disk, is_damaged, is_full, open_file
from gateway.disk.unclocked import Taken, Unclocked
from gateway.reading import Reading

T = TypeVar("T")

log = structlog.get_logger("spool")

PACK_READINGS = 200  # of those that waited for the time
ROW_BYTES = 30  # what a pack costs beside its body
_PACK = "sq, newest_ms, readings, crc, body"
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
    unclocked: int  # readings that wait for the time


class Spool:
    """Not thread-safe: one thread at a time. Raises SpoolError where the file cannot be opened at all."""

    def __init__(self, *, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_pages = max(64, max_bytes // PAGE)
        self._ballast = Ballast(path)
        self._unclocked = Unclocked()
        self.written_bytes = 0  # since the file was opened, with what a row costs beside its body
        finish_swap(path)
        try:
            self._db = open_file(path, max_pages=self._max_pages)
        except sqlite3.DatabaseError as error:
            self._begin_again_if_damaged(error)
        self._despite_damage(lambda: self._unclocked.load(self._db))
        self.epoch = self.state().epoch
        self._ballast.restore()

    def close(self) -> None:
        self._db.close()

    def state(self) -> SpoolState:
        state = self._despite_damage(self._state)
        return SpoolState(pending=state.pending, bytes=self._bytes(), unclocked=self._unclocked.readings, **vars(state))

    def append(self, *, event: bool, readings: list[Reading], last_ms: int = 0, set_back: int = 0) -> list[int]:
        """Number the readings and put them on the disk, as one pack or more. Returns the numbers, durable.

        A single reading that breaks the wire's rules is dropped and logged; the others are kept. Raises SpoolFull.
        """
        return self._durably(lambda: self._append(event, readings, last_ms, set_back))

    def append_unclocked(self, *, event: bool, readings: list[Reading], boot: str, boot_ms: int) -> None:
        """Put readings on the disk that get their time, and a number, by give_times(). Raises SpoolFull.

        boot_ms: now, since the boot; time_ms counts likewise, or is what a device told.
        """
        self._durably(lambda: self._append_unclocked(event, readings, boot, boot_ms))

    @property
    def untimed(self) -> dict[bool, int]:
        """Is it an event -> how many rows wait for the time."""
        return self._unclocked.rows

    def oldest_unclocked(self, now: Boot) -> int | None:
        """The time of the first reading that waits for it."""
        return self._despite_damage(lambda: self._unclocked.oldest(self._db, now))

    def give_times(self, now: Boot, *, last_ms: int, set_back: int) -> dict[bool, int]:
        """Number the oldest readings that wait for the time, in one commit. Returns how many rows wait further.

        Its key is whether they are events, which come first. What an earlier boot left is told with estimated times,
        and before each point's first one the quality `clock`. Raises SpoolFull.
        """
        return self._durably(lambda: self._give_times(now, last_ms, set_back))

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
        return self._kept(True, "sq > ? ORDER BY sq LIMIT ?", after, limit)

    def telemetry(self, *, after: int, before: int, limit: int) -> list[Kept]:
        """Telemetry numbered above after and below before, oldest first."""
        return self._kept(False, "sq > ? AND sq < ? ORDER BY sq LIMIT ?", after, before, limit)

    def pack(self, number: int) -> Kept | None:
        found = self._kept(False, "sq = ?", number) or self._kept(True, "sq = ?", number)
        return found[0] if found else None

    def first_since(self, time_ms: int, *, after: int = 0) -> int:
        """The number from which on all telemetry is newer than time_ms, above after; head + 1 where there is none."""
        first = self.state().head + 1
        while found := self._read(
            "SELECT sq, newest_ms FROM telemetry WHERE sq > ? AND sq < ? ORDER BY sq DESC LIMIT 64", after, first
        ):
            for number, newest_ms in found:
                if newest_ms < time_ms:
                    return first
                first = int(number)
        return first

    def tell_missing(self) -> None:
        """Nothing is left to send: begins a new epoch where packs are pending, for then damage hides them."""
        if pending := self._despite_damage(self._state).pending:
            self._begin_again_if_damaged(sqlite3.DatabaseError(f"{pending} packs are not where they should be"))

    # --- inside ---

    def _durably(self, write: Callable[[], T]) -> T:
        """write() is one transaction, which is tried again where room could be made for it."""
        while True:
            try:
                fit_to_disk(self._db, self.path, max_pages=self._max_pages)
                result = write()
                self._ballast.restore()
                return result
            except sqlite3.DatabaseError as error:
                self._db.rollback()
                if not is_full(error):
                    self._begin_again_if_damaged(error)
                elif not self._make_room(error):
                    raise SpoolFull(f"spool {self.path}: {error}, and nothing may be dropped for it") from error

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
            old = begin_again(self.path)
        except (sqlite3.DatabaseError, OSError) as trouble:
            raise SpoolError(
                f"spool {self.path} is damaged ({error}), and its packs cannot be saved: {trouble}: make room"
            ) from trouble
        self._db = open_file(self.path, max_pages=self._max_pages)
        self._unclocked.load(self._db)
        self.epoch = self.state().epoch
        log.error(
            "spool damaged: set aside, new epoch",
            spool=str(self.path), aside=str(old.aside), reason=str(error), packs_saved=old.saved,
            packs_lost=old.lost if old.lost is not None else "unknown, its state cannot be read",
        )  # fmt: skip

    def _append(self, event: bool, readings: list[Reading], last_ms: int, set_back: int) -> list[int]:
        state = self._state()
        numbers = self._number(state, event, readings)
        if last_ms:
            state.last_ms, state.set_back = last_ms, set_back
        rows.write_state(self._db, state)
        self._db.commit()
        return numbers

    def _number(self, state: State, event: bool, readings: list[Reading]) -> list[int]:
        numbers = []
        for part, body in bodies(state.epoch, state.head + 1, readings):
            state.head += 1
            state.readings += len(part)
            rows.write_pack(self._db, Kept(state.head, event, max(each[2] for each in part), len(part), body))
            self.written_bytes += len(body) + ROW_BYTES
            numbers.append(state.head)
        return numbers

    def _append_unclocked(self, event: bool, readings: list[Reading], boot: str, boot_ms: int) -> None:
        rows.write_state(self._db, self._state())  # as every commit of a spool does
        self.written_bytes += ROW_BYTES + self._unclocked.insert(self._db, boot, boot_ms, event, readings)
        self._db.commit()
        self._unclocked.inserted(boot, boot_ms, event, len(readings))

    def _give_times(self, now: Boot, last_ms: int, set_back: int) -> dict[bool, int]:
        taken = self._unclocked.take(self._db, now)
        state = self._state()
        for event, readings in taken.timed.items():
            for first in range(0, len(readings), PACK_READINGS):
                self._number(state, event, readings[first : first + PACK_READINGS])
            last_ms = max([last_ms, *(reading[2] for reading in readings)])
        state.last_ms, state.set_back = last_ms, set_back
        self._leave(state, taken, taken.damaged, "damaged")
        return self._unclocked.rows

    def _leave(self, state: State, taken: Taken, lost: int, reason: str) -> None:
        """Commits that rows left the table of readings that wait for the time; one that is lost counts like a pack."""
        if lost:
            log.error("readings that waited for the time: dropped", spool=str(self.path), rows=lost, reason=reason)
            state.head += lost
            state.dropped[reason] = state.dropped.get(reason, 0) + lost
        rows.write_state(self._db, state)
        self._db.commit()
        self._unclocked.left(taken)

    def _confirm(self, messages: Iterable[tuple[str, Iterable[list[int]]]]) -> int:
        state = self._state()
        gone = 0
        for epoch, ranges in messages:
            if epoch != state.epoch:
                continue
            for first, last in ranges:
                for table in rows.TABLES:
                    gone += self._db.execute(f"DELETE FROM {table} WHERE sq BETWEEN ? AND ?", (first, last)).rowcount
        state.stored += gone
        rows.write_state(self._db, state)
        self._db.commit()
        return gone

    def _state(self) -> State:
        state = rows.read_state(self._db)
        if state is None:
            raise sqlite3.DatabaseError("its counts are missing")
        return state

    def _kept(self, event: bool, where: str, *arguments: int) -> list[Kept]:
        found = self._read(f"SELECT {_PACK} FROM {rows.TABLES[event]} WHERE {where}", *arguments)
        good = []
        for row in found:
            if (pack := rows.pack_of(event, row)) is not None:
                good.append(pack)
                continue
            log.error("pack damaged on the disk: dropped", spool=str(self.path), number=row[0])
            try:
                self._drop(rows.TABLES[event], [row[0]], "damaged")
            except sqlite3.DatabaseError as error:
                self._db.rollback()
                if not is_damaged(error):  # the disk takes not even that: it is met again
                    continue
                self._begin_again_if_damaged(error)
                return self._kept(event, where, *arguments)
        return good

    def _read(self, query: str, *arguments: int) -> list[tuple[Any, ...]]:
        return self._despite_damage(lambda: self._db.execute(query, arguments).fetchall())

    def _despite_damage(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except sqlite3.DatabaseError as error:
            self._begin_again_if_damaged(error)
            return read()

    def _make_room(self, error: sqlite3.DatabaseError) -> bool:
        """Drop the oldest telemetry, never an event; give up the ballast where there is no room even for that."""
        if self._drop_oldest(error):
            return True
        more_room = self._ballast.drop()
        return self._drop_oldest(error) or more_room

    def _drop_oldest(self, error: sqlite3.DatabaseError) -> bool:
        try:
            found = self._db.execute("SELECT sq FROM telemetry ORDER BY sq LIMIT ?", (DROP_AT_ONCE,))
            oldest = [row[0] for row in found]
            if oldest:
                self._drop("telemetry", oldest, "full")
                log.warning(
                    "spool full: oldest telemetry dropped", spool=str(self.path), packs=len(oldest), error=str(error)
                )
                return True
            waiting = self._unclocked.drop_oldest(self._db, DROP_AT_ONCE)
            self._leave(self._state(), waiting, waiting.rows[False], "clock")
            return waiting.rows[False] > 0
        except sqlite3.DatabaseError as trouble:
            self._db.rollback()
            if not is_damaged(trouble):
                return False
            self._begin_again_if_damaged(trouble)
            return True

    def _drop(self, table: str, numbers: list[int], reason: str) -> None:
        state = self._state()
        gone = sum(self._db.execute(f"DELETE FROM {table} WHERE sq = ?", (number,)).rowcount for number in numbers)
        if gone < len(numbers):
            raise sqlite3.DatabaseError("a pack is not where its number says")
        state.dropped[reason] = state.dropped.get(reason, 0) + gone
        rows.write_state(self._db, state)
        self._db.commit()

    def _bytes(self) -> int:
        pages: int = self._db.execute("PRAGMA page_count").fetchone()[0]
        free: int = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        return (pages - free) * PAGE
