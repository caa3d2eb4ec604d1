"""The durable store of a node's packs: a pack has its number when it is on the disk, and leaves when it is stored.

At every moment: head == stored + pending + sum(dropped). SQLite in WAL mode with synchronous=FULL, so that a commit
has reached the disk when it returns (sqlite.org, "Write-Ahead Logging" and "PRAGMA synchronous").

SpoolError          the file cannot be used; str() says what to do
└── SpoolFull       nothing may be dropped for the new pack, or the disk has no room at all
"""

import asyncio
import contextlib
import json
import os
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog

from gateway.salvage import Salvaged, finish_swap, salvage, successor, swap
from wire import packs
from wire.errors import PackError

log = structlog.get_logger("spool")

Value = float | bool | str | None
Reading = tuple[str, str, int, Value, str | None]  # "pole/device", point, ms since 1970, value, quality
T = TypeVar("T")

PAGE = 4096
WAL_BYTES = 1 << 20  # kept allocated, so that a full disk still has room for the commit that makes room
BALLAST_BYTES = 1 << 20  # given up when the disk is full, for the same end
ROW_BYTES = 60  # what a pack costs beside its body, with its place in an index
DROP_AT_ONCE = 64  # packs; dropping one by one would cost a sync for each

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (
    one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, head INTEGER NOT NULL, stored INTEGER NOT NULL,
    readings INTEGER NOT NULL, dropped TEXT NOT NULL, last_ms INTEGER NOT NULL, set_back INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS packs (
    sq INTEGER PRIMARY KEY, event INTEGER NOT NULL, newest_ms INTEGER NOT NULL, readings INTEGER NOT NULL,
    crc INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS telemetry_by_time ON packs (newest_ms, sq) WHERE event = 0;
CREATE INDEX IF NOT EXISTS events ON packs (sq) WHERE event = 1;
"""


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
        self._ballast = path.with_name(path.name + ".ballast")
        self.written_bytes = 0  # since the file was opened, with what a row costs beside its body
        finish_swap(path)
        try:
            self._db = self._open(path)
        except sqlite3.DatabaseError as error:
            self._begin_again_if_damaged(error)
        self.epoch = self.state().epoch
        self._keep_ballast()

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
                if not _is_full(error):
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
            if not _is_full(error):
                self._begin_again_if_damaged(error)
            self._drop_ballast()
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

    def _open(self, path: Path, *, journal: str = "WAL") -> sqlite3.Connection:
        db = sqlite3.connect(path, timeout=5, check_same_thread=False)
        try:
            db.execute(f"PRAGMA page_size = {PAGE}")
            db.execute("PRAGMA locking_mode = EXCLUSIVE")  # two gateways on one spool would number packs twice
            db.execute(f"PRAGMA journal_mode = {journal}")
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
            db.execute(f"PRAGMA max_page_count = {self._max_pages}")
            db.executescript(_SCHEMA)
            if (verdict := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(verdict)
            db.execute(
                "INSERT OR IGNORE INTO state VALUES (1, ?, 0, 0, 0, '{}', 0, 0)",
                (secrets.token_hex(4),),
            )
            db.commit()
        except BaseException:
            db.close()
            raise
        return db

    def _begin_again_if_damaged(self, error: sqlite3.DatabaseError) -> None:
        """Begin a new epoch with every pack that can still be read, and then set the damaged file aside."""
        if not _is_damaged(error):
            hint = (
                "is another gateway using it?"
                if "locked" in str(error)
                else "check its folder, its rights and the disk"
            )
            raise SpoolError(f"spool {self.path}: {error}: {hint}") from error
        if hasattr(self, "_db"):
            self._db.close()
        old = salvage(self.path)
        self._take_over(old)
        aside = swap(self.path)
        self._db = self._open(self.path)
        self.epoch = self.state().epoch
        log.error(
            "spool damaged: set aside, new epoch",
            spool=str(self.path), aside=str(aside), reason=str(error), packs_saved=len(old.packs),
            packs_lost=old.lost if old.lost is not None else "unknown, its state cannot be read",
        )  # fmt: skip

    def _take_over(self, old: Salvaged) -> None:
        """All of it into a new file beside the damaged one. Raises SpoolError where the disk has no room for it."""
        self._drop_ballast()
        new = successor(self.path)
        new.unlink(missing_ok=True)
        try:
            # Without a log: until the files are swapped, the damaged one is what counts.
            with contextlib.closing(self._open(new, journal="MEMORY")) as self._db:
                self._fill(old)
        except sqlite3.OperationalError as error:
            new.unlink(missing_ok=True)
            raise SpoolError(
                f"spool {self.path} is damaged, and its {len(old.packs)} packs cannot be saved: {error}: make room"
            ) from error

    def _fill(self, old: Salvaged) -> None:
        self._db.execute(f"PRAGMA max_page_count = {1 << 30}")  # what the damaged file held may be a little longer here
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
        """Drop the oldest telemetry, never an event. False where there is nothing to drop, or no room even for that."""
        self._drop_ballast()
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

    def _keep_ballast(self) -> None:
        try:
            if not self._ballast.exists() or self._ballast.stat().st_size < BALLAST_BYTES:
                self._ballast.write_bytes(os.urandom(BALLAST_BYTES))  # a file system may not store zeros
        except OSError:
            self._drop_ballast()

    def _drop_ballast(self) -> None:
        self._ballast.unlink(missing_ok=True)


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


_NO_ROOM = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHMSIZE")
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ", "SQLITE_ERROR")


def _is_full(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(_NO_ROOM)


def _is_damaged(error: sqlite3.DatabaseError) -> bool:
    # SQLITE_ERROR: a table that is not there although the file was opened as a spool. No name: quick_check's verdict.
    return getattr(error, "sqlite_errorname", "SQLITE_CORRUPT").startswith(_DAMAGED)


class SpoolThread:
    """A spool and the one thread on which it is used, so that a sync on a slow card stops nothing else."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")

    async def run(self, call: Callable[[Spool], T]) -> T:
        """call(spool) on the thread; its result or its exception."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, self.spool)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self.spool.close()
