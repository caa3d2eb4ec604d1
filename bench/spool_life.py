"""A week of a full pole's packs goes into a spool on the disk of a folder, and out again; run as a process of its own.

python -m bench.spool_life FOLDER SECONDS MEGABYTES SYNCED POLE: one JSON line at the end, progress on standard error.
SYNCED: so many packs at the beginning and at the end are synced one by one, as in the field; those between are not, for
time. POLE: `usual`, or `busiest`, where every point has another value at every poll.
"""

import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import full_pole
from gateway.disk.spool import Spool
from gateway.disk.window import Window
from gateway.reading import Reading

START_MS = 1_800_000_000_000
HOUR = 3600
DRAINED = 20_000  # packs; the rest leaves at once


def main() -> None:
    folder, (seconds, megabytes, synced), busiest = Path(sys.argv[1]), map(int, sys.argv[2:5]), sys.argv[5] == "busiest"
    hour = full_pole.told(start_ms=START_MS, seconds=HOUR, busiest=busiest)
    spool = Spool(path=folder / "spool.db", max_bytes=megabytes << 20)
    out: dict[str, Any] = {"memory_before_mb": _memory_mb()}
    out |= _fill(spool, hour, seconds, synced)
    out |= _asked(spool, START_MS + seconds * 1000)
    out["memory_full_mb"] = _memory_mb()
    spool.close()
    out |= _opened(folder / "spool.db", megabytes)
    spool = Spool(path=folder / "spool.db", max_bytes=megabytes << 20)
    out |= _drain(spool, START_MS + seconds * 1000 + HOUR * 1000)
    out["memory_drained_mb"] = _memory_mb()
    spool.close()
    print(json.dumps(out), flush=True)


def _packs(hour: list[full_pole.Second], seconds: int) -> Iterator[tuple[bool, list[Reading], int]]:
    """(is it an event, readings, time): the hour again and again."""
    for at in range(seconds):
        later = at // HOUR * HOUR * 1000
        second = hour[at % HOUR]
        for event, readings in ((True, second.events), (False, second.telemetry)):
            if readings:
                moved = [(device, point, ms + later, value, q) for device, point, ms, value, q in readings]
                yield event, moved, START_MS + at * 1000


def _fill(spool: Spool, hour: list[full_pole.Second], seconds: int, synced: int) -> dict[str, Any]:
    packs = _packs(hour, seconds)
    total = sum(bool(second.events) + bool(second.telemetry) for second in hour) * seconds // HOUR
    rates = [_append(spool, packs, synced)]
    spool._db.execute("PRAGMA synchronous = OFF")
    for tenth in range(1, 11):
        rates.append(_append(spool, packs, max(0, total - 2 * synced) // 10))
        print(f"{tenth * 10} % of {total} packs, {rates[-1]} a second", file=sys.stderr, flush=True)
    spool._db.execute("PRAGMA synchronous = FULL")
    rates.append(_append(spool, packs, total))
    state = spool.state()
    return {
        "packs": state.head,
        "readings": state.readings,
        "synced_appends_per_s": [rates[0], rates[-1]],
        "appends_per_s_by_tenth": rates[1:-1],
        "megabytes": round(state.bytes / 1e6, 1),
        "bytes_a_reading": round(state.bytes / max(1, _kept_readings(spool)), 1),
        "dropped": state.dropped,
        "events_kept": spool._db.execute("SELECT count(*) FROM events").fetchone()[0],
        "events": sum(bool(hour[at % HOUR].events) for at in range(seconds)),
    }


def _append(spool: Spool, packs: Iterator[tuple[bool, list[Reading], int]], count: int) -> int:
    """So many at most; packs a second."""
    began, appended = time.perf_counter(), 0
    for event, readings, now_ms in itertools.islice(packs, count):
        spool.append(event=event, readings=readings, last_ms=now_ms)
        appended += 1
    return round(appended / (time.perf_counter() - began))


def _kept_readings(spool: Spool) -> int:
    count: int = spool._db.execute("SELECT sum(readings) FROM packs").fetchone()[0]
    return count


def _asked(spool: Spool, now_ms: int) -> dict[str, Any]:
    """How long the window takes to choose, with everything pending: at the first time, and at the next ones."""
    window, times = Window(), []
    for turn in range(50):
        began = time.perf_counter()
        window.take(spool, now_ms, 10.0 + turn)
        times.append(1000 * (time.perf_counter() - began))
    return {"take_ms_first": round(times[0], 2), "take_ms_median": round(sorted(times)[25], 2)}


def _opened(path: Path, megabytes: int) -> dict[str, Any]:
    """Seconds to open the spool: with nothing of it in memory, and again."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    out = {}
    for name in ("open_cold_s", "open_warm_s"):
        began = time.perf_counter()
        spool = Spool(path=path, max_bytes=megabytes << 20)
        out[name] = round(time.perf_counter() - began, 2)
        spool.close()
    return out


def _drain(spool: Spool, now_ms: int) -> dict[str, Any]:
    """Packs a second through the window and out of the file, where confirmations come at once."""
    window, drained, now = Window(), 0, 100.0
    began = time.perf_counter()
    while drained < DRAINED and (sends := window.take(spool, now_ms, now)):
        ranges = [[send.number, send.number] for send in sends]
        spool.confirm(spool.epoch, ranges)
        window.confirmed(ranges, now)
        drained, now = drained + len(sends), now + 0.01
    return {"drained_per_s": round(drained / (time.perf_counter() - began))}


def _memory_mb() -> float:
    """The most that this process had until now."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main()
