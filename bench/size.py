"""`pole bench size`: what one gateway process with 16 serial buses of 32 devices and 200 TCP devices costs.

The real `pole gateway run` and a real mosquitto; emulated devices and the consumer that confirms are other processes,
whose cost is not the gateway's.
"""

import asyncio
import contextlib
import csv
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import size_profile, size_site
from bench.size_process import Sample, sample
from bench.size_site import Size
from bench.size_store import Store
from pole.broker import Broker

WARM_S = 10.0  # since every device was heard: the first reading of every point is told
SAMPLE_S = 1.0
START_SAMPLE_S = 0.1  # while it starts: what a start costs is known that well
WORST_S = 10  # samples
WAIT_S = 60.0  # for a part to start or to end
CPU_MOST = 0.5  # of one core
START_MOST_S = 5.0
MEMORY_MOST = 1.05  # at the end, beside the beginning
ROOT = Path(__file__).resolve().parent.parent


def run(
    *,
    seconds: float = 120.0,
    buses: int = 16,
    units: int = 32,
    tcp: int = 200,
    portion: int = 15,
    warm: float = WARM_S,
    table: Path | None = None,
    every: float = 10.0,
    profile: bool = False,
) -> dict[str, Any]:
    """Measures for so many seconds. table: a CSV of CPU and memory, a row each `every` seconds.

    profile: "where" says where the CPU goes; py-spy has to be there, and costs the gateway a little.
    """
    if profile:
        size_profile.program()
    size = Size(buses=buses, units=units, tcp=tcp, portion=portion)
    with tempfile.TemporaryDirectory(prefix="pole-size-") as folder:
        return asyncio.run(_Run(size, Path(folder), warm, table, every, profile).measure(seconds))


def show(result: dict[str, Any]) -> None:
    """The figures, for people."""
    rows = (
        ("devices, points", f"{result['devices']}, {result['points']}"),
        ("CPU of one core, its worst 10 s", f"{100 * result['cpu_share']:.1f} %, {100 * result['cpu_worst']:.1f} %"),
        ("start to connected", f"{result['connected_s']} s"),
        ("start to a first answer on every bus", f"{result['every_bus_s']} s; {result['start_cpu_s']} s of CPU"),
        ("memory, at first and at last", f"{result['rss_first_mb']} MB, {result['rss_last_mb']} MB"),
        ("readings taken, of those asked for", f"{result['taken_per_s']:.0f}/s, {100 * result['taken_share']:.1f} %"),
        ("readings told", f"{result['told_per_s']:.0f}/s in {result['packs_per_s']:.1f} packs/s"),
        ("transactions", f"{result['transactions_per_s']:.0f}/s"),
        ("CPU a transaction, a reading", f"{result['us_per_transaction']:.0f} µs, {result['us_per_reading']:.0f} µs"),
        ("the loop comes late by", f"{1000 * result['loop']['p99']:.1f} ms (p99)"),
    )
    for what, figure in rows:
        print(f"{what:40} {figure}")
    for part, share in result.get("where", {}).items():
        print(f"  of the interpreter's time, {part:22} {100 * share:5.1f} %")
    for row in result["verdicts"]:
        print(f"{'kept' if row['kept'] else 'NOT KEPT':8} {row['what']}: {row['got']:g}, at most {row['wanted']:g}")


def verdicts(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What was promised, what it should be at most, what it is, and whether that is kept."""
    grown = result["rss_last_mb"] / result["rss_first_mb"]
    rows = (
        ("CPU, of one core", CPU_MOST, result["cpu_share"]),
        ("seconds from the start to a first answer on every bus", START_MOST_S, result["every_bus_s"] or WAIT_S),
        ("memory at the end of measuring, beside its beginning", MEMORY_MOST, grown),
    )
    return [{"what": what, "wanted": most, "got": round(got, 4), "kept": got <= most} for what, most, got in rows]


@dataclass
class _World:
    """An emulating process, and what it said last."""

    process: asyncio.subprocess.Process
    ports: list[int]
    told: dict[str, Any] = field(default_factory=dict)

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.told = json.loads(line)


@dataclass(frozen=True)
class _Moment:
    """All counters at one time."""

    process: Sample
    answers: int
    taken: int
    told: int
    packs: int
    bytes: int


class _Run:
    def __init__(self, size: Size, folder: Path, warm: float, table: Path | None, every: float, profile: bool) -> None:
        self._size = size
        self._folder = folder
        self._log = folder / "gateway.log"
        self._warm = warm
        self._table = table
        self._every = every
        self._profile = profile
        self._samples: list[Sample] = []
        self._row_at = 0.0

    async def measure(self, seconds: float) -> dict[str, Any]:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # nothing that was started stays
        secrets = {"gw-1": "gw-1-secret", "ingest": "ingest-secret"}
        broker = Broker(folder=self._folder / "broker", passwords=secrets)
        size_site.write_profiles(self._folder)
        try:
            await asyncio.to_thread(broker.start)
            store = Store(port=broker.port, password=secrets["ingest"])
            async with self._worlds() as worlds, asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(store.run()), *(tasks.create_task(world.listen()) for world in worlds)]
                await asyncio.wait_for(store.ready.wait(), WAIT_S)
                ports = [port for world in worlds for port in world.ports]
                site = size_site.write_site(self._folder, self._size, broker=broker.port, tcp_ports=ports)
                result = await self._watch(site, worlds, store, seconds)
                for other in others:
                    other.cancel()
        finally:
            await asyncio.to_thread(broker.stop)
        return result

    async def _watch(self, site: Path, worlds: list[_World], store: Store, seconds: float) -> dict[str, Any]:
        began = time.monotonic()
        gateway = self._gateway(site)
        try:
            await self._look(gateway, WAIT_S, START_SAMPLE_S, until=lambda: self._heard(store) == self._size.devices)
            await self._look(gateway, self._warm)
            first = self._moment(gateway.pid, worlds, store)
            looking = asyncio.create_task(asyncio.to_thread(self._where, gateway.pid, seconds))
            await self._look(gateway, seconds)
            last = self._moment(gateway.pid, worlds, store)
            where = await looking
        finally:
            gateway.send_signal(signal.SIGTERM)
            await asyncio.to_thread(gateway.wait, WAIT_S)
        result = self._result(began, first, last, worlds, store) | where
        result["loop"] = json.loads((self._folder / "loop.json").read_text())
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
        return result | {"verdicts": verdicts(result), "machine": machine}

    def _where(self, pid: int, seconds: float) -> dict[str, Any]:
        if not self._profile:
            return {}
        stacks = self._folder / "stacks"
        size_profile.samples(pid, max(1.0, seconds - 1), stacks)
        return {"where": size_profile.shares(stacks)}

    def _gateway(self, site: Path) -> subprocess.Popen[bytes]:
        arguments = [str(self._folder), "gateway", "run", str(site), "--json"]
        with self._log.open("wb") as log:
            return subprocess.Popen([sys.executable, "-m", "bench.size_gateway", *arguments], cwd=ROOT, stderr=log)

    async def _look(
        self, gateway: subprocess.Popen[bytes], seconds: float, every: float = SAMPLE_S,
        until: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            if gateway.poll() is not None:
                raise RuntimeError(f"the gateway ended by itself:\n{self._log_end()}")
            now = sample(gateway.pid)
            self._samples.append(now)
            if self._table is not None and now.at >= self._row_at:
                self._row_at = now.at + self._every
                _write_row(self._table, now, self._samples[0])
            await asyncio.sleep(min(every, max(0.0, end - time.monotonic())))

    def _log_end(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def _moment(self, pid: int, worlds: list[_World], store: Store) -> _Moment:
        answers, taken = (sum(world.told[key] for world in worlds) for key in ("answers", "readings"))
        return _Moment(sample(pid), answers, taken, store.readings, store.packs, store.bytes)

    def _result(
        self, began: float, first: _Moment, last: _Moment, worlds: list[_World], store: Store
    ) -> dict[str, Any]:
        seconds = last.process.at - first.process.at
        cpu = last.process.cpu - first.process.cpu
        answers, taken = last.answers - first.answers, last.taken - first.taken
        firsts = [world.told["all_first"] for world in worlds]
        started = max(firsts) if None not in firsts else None
        wanted = self._size.readings_per_second
        return asdict(self._size) | {
            "devices": self._size.devices,
            "points": self._size.devices * size_site.POINTS,
            "seconds": round(seconds, 1),
            "cpu_share": round(cpu / seconds, 4),
            "connected_s": round(store.connected_at - began, 2) if store.connected_at else None,
            "every_bus_s": round(started - began, 2) if started else None,
            "start_cpu_s": next((round(each.cpu, 2) for each in self._samples if started and each.at >= started), None),
            "rss_first_mb": round(first.process.rss / 1e6, 1),
            "rss_last_mb": round(last.process.rss / 1e6, 1),
            "threads": last.process.threads,
            "cpu_worst": round(self._worst(first.process.at), 4),
            "wanted_per_s": round(wanted, 1),
            "taken_per_s": round(taken / seconds, 1),
            "taken_share": round(taken / seconds / wanted, 4),
            "told_per_s": round((last.told - first.told) / seconds, 1),
            "packs_per_s": round((last.packs - first.packs) / seconds, 2),
            "bytes_per_reading": round((last.bytes - first.bytes) / max(1, last.told - first.told), 1),
            "transactions_per_s": round(answers / seconds, 1),
            "us_per_transaction": round(cpu / max(1, answers) * 1e6, 1),
            "us_per_reading": round(cpu / max(1, taken) * 1e6, 1),
            "devices_heard": self._heard(store),
            "without_value": store.without,
            "refused": sum(world.told["refused"] for world in worlds),
            "units_answering": sum(world.told["units"] for world in worlds),
        }

    def _heard(self, store: Store) -> int:
        return sum(size_site.is_own(name) for name in store.devices)

    def _worst(self, began: float) -> float:
        """The highest share of a core within WORST_S since then."""
        rows = [each for each in self._samples if each.at >= began]
        pairs = zip(rows, rows[WORST_S:], strict=False)
        return max(((later.cpu - each.cpu) / (later.at - each.at) for each, later in pairs), default=0.0)

    @contextlib.asynccontextmanager
    async def _worlds(self) -> AsyncIterator[list[_World]]:
        size = self._size
        worlds: list[_World] = []
        try:
            if size.buses:
                worlds.append(await _world("serial", str(self._folder), str(size.buses), str(size.portion)))
            if size.tcp:
                worlds.append(await _world("tcp", str(size.tcp)))
            yield worlds
        finally:
            for world in worlds:
                world.process.kill()
                await world.process.wait()


async def _world(*arguments: str) -> _World:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.size_world", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said = json.loads(await asyncio.wait_for(process.stdout.readline(), WAIT_S))
    return _World(process, said["ports"])


def _write_row(path: Path, now: Sample, first: Sample) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["seconds", "cpu_seconds", "rss_bytes", "threads"])
        writer.writerow([round(now.at - first.at, 1), round(now.cpu, 2), now.rss, now.threads])
        os.fsync(file.fileno())
