"""What can still be read from a damaged spool goes into a new file, which then takes its place.

The successor is complete on the disk before the damaged file moves, so a power cut in between loses nothing: it is
built again, or its move is finished.
"""

import contextlib
import os
import secrets
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.disk import rows, unclocked
from gateway.disk.leaves import Leaves
from gateway.disk.rows import Kept, State
from gateway.disk.spool_file import open_file

DAMAGED_KEPT = 3  # files set aside; the oldest go first


@dataclass(frozen=True)
class Salvaged:
    """lost: packs that were pending but cannot be read, None if unknown."""

    aside: Path
    saved: int
    lost: int | None


def begin_again(path: Path) -> Salvaged:
    """A new epoch with every pack that can still be read; the damaged file is set aside.

    Raises sqlite3.OperationalError and OSError where the disk has no room for it, or cannot be read now.
    """
    new = successor(path)
    new.unlink(missing_ok=True)
    try:
        # Unbounded, for it may be a little longer here; without a log, for until the swap the damaged file counts.
        with Leaves(path) as leaves, contextlib.closing(open_file(new, max_pages=1 << 30, journal="MEMORY")) as db:
            saved, lost = _fill(db, leaves)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return Salvaged(swap(path), saved, lost)


def successor(path: Path) -> Path:
    """Where the file is built that takes a damaged spool's place."""
    return path.with_name(path.name + ".new")


def swap(path: Path) -> Path:
    """The successor takes the place of the spool, which is set aside under the name that is returned."""
    aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
    sync_folder(path)
    os.replace(path, aside)  # first: without it, finish_swap() knows that the successor is complete
    _finish(path, aside)
    _forget_older(path)
    return aside


def sync_folder(path: Path) -> None:
    """What a folder says of its files is on the disk: their names are not synced with their content."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
    sync_folder(path)  # a log of the damaged file beside the new one would be taken for its own
    os.replace(successor(path), path)
    sync_folder(path)


def _fill(db: sqlite3.Connection, leaves: Leaves) -> tuple[int, int | None]:
    """Returns how many packs were saved, and how many were lost."""
    new = rows.read_state(db)
    assert new is not None
    saved, newest_ms = 0, 0
    for pack in leaves.packs():
        saved += 1
        newest_ms = max(newest_ms, pack.newest_ms)
        new.head, new.readings = saved, new.readings + pack.readings
        rows.write_pack(db, renumbered(pack, new.epoch, saved))
    old = leaves.state()
    lost = max(0, old.pending - saved) if old is not None else None
    _account(new, old, lost, newest_ms)
    rows.write_state(db, new)
    unclocked.restore(db, leaves)
    db.commit()
    return saved, lost


def _account(new: State, old: State | None, lost: int | None, newest_ms: int) -> None:
    new.last_ms = newest_ms if old is None else old.last_ms
    new.set_back = 0 if old is None else old.set_back
    if lost:
        new.head += lost
        new.dropped = {"damaged": lost}


def renumbered(pack: Kept, epoch: str, number: int) -> Kept:
    """The same readings under another number. Nothing before its identity in a pack can look like one."""
    before, label, rest = pack.body.partition(b'"ep":"')
    after = rest.index(b'"sq":%d,' % pack.number) + len(b'"sq":%d,' % pack.number)
    body = before + label + b'%s","sq":%d,' % (epoch.encode(), number) + rest[after:]
    return replace(pack, number=number, body=body)
