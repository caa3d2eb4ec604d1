"""`pole bench ingest --soak 1h`: one ingest at a low rate for long, and its memory over time.

SQLite's page cache is filled before. The first fifth is not counted: a process comes to its size. Flat is what grows by
less than FLAT_MB an hour, by the slope of a straight line through the rest.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

from bench import ingest_consumers
from bench.ingest_rig import load_average, rig
from bench.size_process import sample

EVERY_S = 10.0
FLAT_MB = 5.0  # an hour
WARM = 0.2
POLES, READINGS = 1_000, 10
FILL_PACKS = 300_000  # 90 MB of SQLite: more than its page cache holds (ingest.sqlite_store)
FILL_FROM_S = 600  # a shorter run is a trial


def run(
    *,
    seconds: float,
    packs_per_s: float = 100.0,
    store: str = "sqlite",
    told: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Blocks so long. rows: seconds, memory in MB, CPU seconds, readings in the store."""
    ours = ingest_consumers.known(None)["ours"]
    rows: list[dict[str, float]] = []
    with rig(ours, store, nodes=POLES) as running:
        running.warm()
        if store == "sqlite" and seconds >= FILL_FROM_S:
            told(f"{FILL_PACKS} packs first")
            running.flood(FILL_PACKS)
        stored, began = running.store.readings(), time.monotonic()
        running.load.tell("rate", packs_per_s=packs_per_s, seconds=seconds)
        while (at := time.monotonic() - began) < seconds:
            time.sleep(min(EVERY_S, seconds - at))
            now = sample(running.process.pid)
            rows.append({"at_s": round(now.at - began, 1), "mb": round(now.rss / 1e6, 2), "cpu_s": round(now.cpu, 1)})
            told(f"{rows[-1]['at_s']:.0f} of {seconds:.0f} s, {rows[-1]['mb']:.1f} MB")
        answer = running.load.answer()
        missing = answer["readings"] - (running.store.readings() - stored)
    return {
        "seconds": seconds, "store": store, "readings_per_s": packs_per_s * READINGS, **answer, "missing": missing,
        "mb_first": rows[0]["mb"], "mb_last": rows[-1]["mb"], "mb_an_hour": round(slope(rows), 2),
        "flat": slope(rows) < FLAT_MB, "load_average": load_average(), "rows": rows,
    }  # fmt: skip


def slope(rows: list[dict[str, float]]) -> float:
    """MB an hour, after the first fifth; 0 of too few."""
    kept = rows[int(len(rows) * WARM) :]
    if len(kept) < 2:
        return 0.0
    return statistics.linear_regression([row["at_s"] for row in kept], [row["mb"] for row in kept]).slope * 3600


def show(result: dict[str, Any]) -> None:
    """The figures, for people."""
    for key, value in result.items():
        if key != "rows":
            print(f"{key:16} {value}")
