"""What can still be read from a damaged spool, and how a new file takes its place.

The successor is complete on the disk before the damaged file moves, so a power cut in between loses nothing: it is
built again, or its move is finished.
"""

import contextlib
import json
import os
import secrets
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.disk.spool_file import is_damaged
from wire import packs
from wire.errors import PackError

DAMAGED_KEPT = 3  # files set aside; the oldest go first


@dataclass(frozen=True)
class Salvaged:
    """packs: (is it an event, payload), oldest first. lost: how many were pending but unreadable, None if unknown."""

    packs: list[tuple[bool, bytes]]
    lost: int | None
    last_ms: int
    set_back: int


def salvage(path: Path) -> Salvaged:
    """Read a spool that SQLite calls malformed. Raises sqlite3.DatabaseError only for what is not the file's fault."""
    db = sqlite3.connect(path)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # needs no index file beside a log, and so no room for one
        state = _state(db)
        found = _packs(db, state[0] if state else 0)
    finally:
        db.close()
    if state is None:
        return Salvaged(found, None, 0, 0)
    head, stored, dropped, last_ms, set_back = state
    return Salvaged(found, max(0, head - stored - dropped - len(found)), last_ms, set_back)


def successor(path: Path) -> Path:
    """Where the file is built that takes a damaged spool's place."""
    return path.with_name(path.name + ".new")


def swap(path: Path) -> Path:
    """The successor takes the place of the spool, which is set aside under the name that is returned."""
    aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
    os.replace(path, aside)  # first: without it, finish_swap() knows that the successor is complete
    _finish(path, aside)
    _forget_older(path)
    return aside


def _forget_older(path: Path) -> None:
    # A card that keeps failing must not fill its own disk with evidence.
    found = sorted(path.parent.glob(f"{path.name}.damaged-????????"), key=lambda each: each.stat().st_mtime)
    for old in found[:-DAMAGED_KEPT]:
        for ending in ("", "-wal", "-shm"):
            old.with_name(old.name + ending).unlink(missing_ok=True)


def finish_swap(path: Path) -> None:
    """What a power cut in the middle of swap() left to do, if anything."""
    if successor(path).exists() and not path.exists():
        _finish(path, path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}"))


def _finish(path: Path, aside: Path) -> None:
    for ending in ("-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            os.replace(part, aside.with_name(aside.name + ending))
    os.replace(successor(path), path)


def _state(db: sqlite3.Connection) -> tuple[int, int, int, int, int] | None:
    try:
        row = db.execute("SELECT head, stored, dropped, last_ms, set_back FROM state").fetchone()
        head, stored, dropped, last_ms, set_back = row
        return head, stored, sum(json.loads(dropped).values()), last_ms, set_back
    except sqlite3.DatabaseError as error:
        if not is_damaged(error):  # a full disk, say: taken for damage, it would cost every pack
            raise
        return None
    except (TypeError, ValueError, AttributeError):
        return None


def _packs(db: sqlite3.Connection, head: int) -> list[tuple[bool, bytes]]:
    """From both ends until a damaged page stops the walk, then number by number in between."""
    found: dict[int, tuple[bool, bytes]] = {}
    first = _walk(db, "ASC", found)
    last = _walk(db, "DESC", found)
    for number in range(first + 1, last if last > first else head + 1):
        with _despite_damage():
            row = db.execute("SELECT sq, event, crc, body FROM packs WHERE sq = ?", (number,)).fetchone()
            _take(row, found)
    return [found[number] for number in sorted(found)]


def _walk(db: sqlite3.Connection, direction: str, found: dict[int, tuple[bool, bytes]]) -> int:
    number = 0
    with _despite_damage():
        # NOT INDEXED: a damaged index must not hide the rows of the table.
        for row in db.execute(f"SELECT sq, event, crc, body FROM packs NOT INDEXED ORDER BY sq {direction}"):
            number = row[0]
            _take(row, found)
    return number


@contextlib.contextmanager
def _despite_damage() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not is_damaged(error):
            raise


def _take(row: tuple[int, int, int, bytes] | None, found: dict[int, tuple[bool, bytes]]) -> None:
    if row is None or not isinstance(row[3], bytes) or zlib.crc32(row[3]) != row[2]:
        return
    with contextlib.suppress(PackError):
        packs.decode(row[3])
        found[row[0]] = (bool(row[1]), row[3])
