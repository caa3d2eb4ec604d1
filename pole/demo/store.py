"""What the demo sees in the store, read beside ingest: counts, latencies, the latest value of every point."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECENT_S = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Latest:
    """The newest value of a point, and its newest bad quality. Times are ms since 1970; 0: never."""

    function: str
    pole: str
    device: str
    point: str
    time_ms: int
    value: float | str | None
    quality_ms: int
    quality: str | None


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The store at one moment."""

    readings: int = 0
    packs: int = 0
    newest_ms: int = 0
    latencies: list[int] = field(default_factory=list)  # ms, ascending: those of the last RECENT_S
    latest: list[Latest] = field(default_factory=list)


_LATEST = """
SELECT function, pole, device, point,
  coalesce((SELECT time FROM points WHERE series = id ORDER BY time DESC LIMIT 1), 0),
  (SELECT value FROM points WHERE series = id ORDER BY time DESC LIMIT 1),
  coalesce((SELECT time FROM quality WHERE series = id ORDER BY time DESC LIMIT 1), 0),
  (SELECT code FROM quality WHERE series = id ORDER BY time DESC LIMIT 1)
FROM series ORDER BY function, pole, device, point
"""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that changes nothing. Raises sqlite3.Error, also where the file is not there yet."""
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=5)) as db:
        db.execute("PRAGMA query_only = 1")
        yield db


def look(path: Path) -> Stored | None:
    """The store now; None while there is nothing to read."""
    try:
        with reading(path) as db:
            return _look(db)
    except sqlite3.Error:
        return None


def packs_of(path: Path, node: str) -> int:
    """How many of a node are stored."""
    with reading(path) as db:
        return int(db.execute("SELECT count(*) FROM packs WHERE node = ?", (node,)).fetchone()[0])


def percentile(ascending: list[int], share: float) -> int | None:
    """The nearest-rank percentile; None of nothing."""
    if not ascending:
        return None
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]


def _look(db: sqlite3.Connection) -> Stored:
    since_ms = int((time.time() - RECENT_S) * 1000)
    packs, readings, newest = db.execute(
        "SELECT count(*), coalesce(sum(readings), 0), coalesce(max(time), 0) FROM packs"
    ).fetchone()
    recent = db.execute("SELECT latency_ms FROM packs WHERE time >= ? ORDER BY latency_ms", (since_ms,))
    return Stored(
        readings=readings, packs=packs, newest_ms=newest, latencies=[row[0] for row in recent],
        latest=[_latest(row) for row in db.execute(_LATEST)],
    )  # fmt: skip


def _latest(row: tuple[Any, ...]) -> Latest:
    function, pole, device, point, time_ms, value, quality_ms, quality = row
    return Latest(
        function=function, pole=pole, device=device, point=point, time_ms=time_ms, value=value,
        quality_ms=quality_ms, quality=quality,
    )  # fmt: skip
