"""The same points straight to the store: what it takes with no broker and no ingest before it.

Bodies are made before the clock runs and hold 5,000 readings, as ingest writes them; one follows the other.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import urllib3

from bench.ingest_packs import maker
from bench.ingest_stores import DATABASE, STORES, Sqlite, Store
from bench.size_process import sample
from device_profiles import loader
from ingest import lines
from ingest.accept import accept
from ingest.registry import Devices, Registry
from ingest.rows import Run
from ingest.sqlite_store import SqliteStore
from simulators.load.packs import AREA

BATCH = 5000  # readings


def measure(store: str, *, poles: int, mix: str, packs: int) -> dict[str, Any]:
    """A run into an empty store whose series are known. mix: of packs, as in `ingest_packs`."""
    with tempfile.TemporaryDirectory(prefix="pole-bench-direct-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        running = STORES[store](folder=folder / "store")
        first, *bodies = _bodies(folder, poles, mix, packs)
        running.start()
        try:
            return _measured(running, first, bodies)
        finally:
            running.kill()


def _measured(store: Store, first: list[Run], bodies: list[list[Run]]) -> dict[str, Any]:
    readings = sum(_readings(body) for body in bodies)
    if isinstance(store, Sqlite):
        seconds = asyncio.run(_rows(store, first, bodies))
        cpu = {"store": seconds[1]}
        took = seconds[0]
    else:
        took, cpu = _posted(store, first, bodies)
    return {
        "readings_per_s": round(readings / took), "seconds": round(took, 3),
        "cpu_us": {part: round(1e6 * spent / readings, 2) for part, spent in cpu.items()},
    }  # fmt: skip


def _posted(store: Store, first: list[Run], bodies: list[list[Run]]) -> tuple[float, dict[str, float]]:
    http = urllib3.PoolManager()
    server = "/".join(store.url.partition(":")[2].split("/", 3)[:3])
    path = f"/write?db={DATABASE}&precision=ns"
    encoded = [lines.encode(body, []) for body in (first, *bodies)]

    def post(body: bytes) -> None:
        answer = http.request("POST", f"{server}{path}", body=body)
        if answer.status != 204:
            raise RuntimeError(f"{server}: {answer.status} {answer.data.decode()}")

    assert store.pid is not None
    post(encoded[0])
    before, ours, began = sample(store.pid), time.process_time(), time.monotonic()
    for body in encoded[1:]:
        post(body)
    took = time.monotonic() - began
    return took, {"store": sample(store.pid).cpu - before.cpu, "writer": time.process_time() - ours}


async def _rows(store: Sqlite, first: list[Run], bodies: list[list[Run]]) -> tuple[float, float]:
    ours = SqliteStore(path=Path(store.url.partition(":")[2]))
    await ours.write(first, [])
    spent, began = time.process_time(), time.monotonic()
    for body in bodies:
        await ours.write(body, [])
    took, spent = time.monotonic() - began, time.process_time() - spent
    await ours.close()
    return took, spent


def _readings(runs: list[Run]) -> int:
    return sum(len(values) for _, _, _, values, _ in runs)


def _bodies(folder: Path, poles: int, mix: str, packs: int) -> list[list[Run]]:
    """The first is one pack of each pole; the others are what is measured."""
    made = maker(mix, profiles=loader.profiles(), nodes=poles, epoch="0badcafe")
    registry = Registry(path=folder / "births.db")
    now_ms = time.time_ns() // 1_000_000
    known: list[tuple[str, Devices]] = []
    for number in range(poles):
        name = f"P{number + 1:06}"
        registry.learn(AREA, name, made.birth(number, name, now_ms))
        known.append((name, registry.devices(AREA, name)))
    registry.close()
    began_ms = now_ms - (packs // poles + 2) * 1000
    runs: list[Run] = []
    readings = 0
    out: list[list[Run]] = []
    for pack in range(poles + packs):
        number, pole = divmod(pack, poles)
        name, devices = known[pole]
        payload = made.pack(pole, name.encode(), number + 1, began_ms + number * 1000)
        judged = accept(AREA, name, payload, devices, now_ms)
        runs += judged.runs
        readings += judged.readings
        if pack + 1 == poles or (pack >= poles and readings >= BATCH):
            out.append(runs)
            runs, readings = [], 0
    return [*out, runs] if runs else out
