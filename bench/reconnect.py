"""A gateway with a backlog, a broker that comes back, ingest with SQLite: when is what stored?

The real processes; the devices are emulated on Modbus TCP. The backlog is put into the spool before the gateway starts.
"""

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from device_profiles import loader
from gateway.disk.spool import Spool
from pole.broker import Broker, free_port
from simulators.device import EmulatedDevice
from simulators.tcp_port import TcpPort

PROFILES = {"inputs-1": "wp8028adam", "charger-1": "em2go", "meter-1": "dtsu666"}
PASSWORDS = {"gw-1": "gw-1-secret", "ingest": "ingest-secret"}
AWAY_S = 5.0  # the gateway runs so long before the broker is back
HOUR_S = 3600
LOOK_S = 0.1
MOST_S = 1200.0


def run(*, packs: int, told: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """packs: the backlog."""
    with tempfile.TemporaryDirectory(prefix="pole-reconnect-") as folder:
        return asyncio.run(_Run(Path(folder), packs, told).measure())


class _Run:
    def __init__(self, folder: Path, packs: int, told: Callable[[str], None]) -> None:
        self._folder = folder
        self._packs = packs
        self._told = told
        self._broker = Broker(folder=folder / "broker", passwords=PASSWORDS)
        profiles = loader.profiles()
        self._devices = [
            EmulatedDevice(profile=profiles[profile], unit=unit, pole="P0001", name=name)
            for unit, (name, profile) in enumerate(PROFILES.items(), 1)
        ]
        self._port = TcpPort(devices=self._devices, port=free_port())

    async def measure(self) -> dict[str, Any]:
        self._write()
        began = time.perf_counter()
        self._fill()
        self._told(f"{self._packs} packs in the spool after {time.perf_counter() - began:.0f} s")
        async with self._port:
            with self._process("gateway", "run", "site.yaml") as gateway, self._process("ingest", "run", "ingest.yaml"):
                await asyncio.sleep(AWAY_S)
                await asyncio.to_thread(self._broker.start)
                try:
                    return await self._watch(gateway)
                finally:
                    await asyncio.to_thread(self._broker.kill)

    async def _watch(self, gateway: subprocess.Popen[bytes]) -> dict[str, Any]:
        back, back_ms = time.monotonic(), time.time_ns() // 1_000_000
        first_live = first_any = None
        most_mb, stored = 0.0, 0
        while stored < self._packs:
            await asyncio.sleep(LOOK_S)
            stored = self._stored("number <= ?", self._packs)
            now = time.monotonic() - back
            if first_any is None and stored:
                first_any = now
            if first_live is None and self._stored("number > ?", self._packs):
                first_live = now
            most_mb = max(most_mb, _memory_mb(gateway.pid))
            if int(now) % 10 == 0 and now % 1 < LOOK_S:
                self._told(f"{stored} of {self._packs} packs stored after {now:.0f} s")
            if gateway.poll() is not None:
                raise RuntimeError(f"the gateway ended: {(self._folder / 'gateway.log').read_text()[-1000:]}")
            if now > MOST_S:
                raise TimeoutError(f"only {stored} of {self._packs} packs were stored in {MOST_S:g} s")
        seconds = time.monotonic() - back
        live = self._latencies(back_ms + 2000)
        return {
            "backlog": self._packs,
            "first_live_s": round(first_live or seconds, 2),
            "first_backfill_s": round(first_any or seconds, 2),
            "stored_per_s": round(self._packs / (seconds - (first_any or 0))),
            "drained_s": round(seconds, 1),
            "live_packs_meanwhile": len(live),
            "live_latency_p50_ms": live[len(live) // 2] if live else None,
            "live_latency_p99_ms": live[len(live) * 99 // 100] if live else None,
            "live_latency_most_ms": live[-1] if live else None,
            "gateway_memory_mb": round(most_mb, 1),
        }

    def _stored(self, where: str, *arguments: int) -> int:
        rows = self._rows(f"SELECT count(*) FROM packs WHERE {where}", *arguments)
        return rows[0][0] if rows else 0

    def _latencies(self, since_ms: int) -> list[int]:
        """Of what was read and stored while the backlog went."""
        rows = self._rows(
            "SELECT latency_ms FROM packs WHERE number > ? AND time - latency_ms >= ? ORDER BY latency_ms",
            self._packs, since_ms,
        )  # fmt: skip
        return [row[0] for row in rows]

    def _rows(self, query: str, *arguments: int) -> list[tuple[Any, ...]]:
        try:
            with contextlib.closing(sqlite3.connect(self._folder / "readings.db", timeout=20)) as db:
                return db.execute(query, arguments).fetchall()
        except sqlite3.OperationalError:  # ingest has not made it yet
            return []

    def _fill(self) -> None:
        spool = Spool(path=self._folder / "gw-1.db", max_bytes=2 << 30)
        spool._db.execute("PRAGMA synchronous = OFF")  # it is not the append that is measured here
        start_ms = time.time_ns() // 1_000_000 - (self._packs + HOUR_S) * 1000
        points = [(device.name, name) for device in self._devices for name in device.points]
        for index in range(self._packs):
            at_ms = start_ms + index * 1000
            some = [points[(index * 5 + each) % len(points)] for each in range(6)]
            held = {(name, point): self._held(name, point) for name, point in some}
            spool.append(event=False, readings=[(*key, at_ms, value, None) for key, value in held.items()])
        spool.close()

    def _held(self, name: str, point: str) -> Any:
        device = next(device for device in self._devices if device.name == name)
        return next(iter(device.held(point, 1_800_000_000_000)))

    def _write(self) -> None:
        for user, password in PASSWORDS.items():
            (self._folder / f"{user}.password").write_text(password)
        gateway = {"broker": f"mqtt://127.0.0.1:{self._broker.port}", "password_file": "gw-1.password", "pole": "P0001"}
        site = {
            "area": "bench",
            "gateways": {"gw-1": gateway | {"spool_megabytes": 2048}},
            "poles": {"P0001": {"position": [30.6, 104.0]}},
            "buses": {"tcp-1": {"host": "127.0.0.1", "port": self._port.port}},
            "devices": [
                {"pole": "P0001", "device": name, "profile": profile, "bus": "tcp-1", "unit": unit}
                for unit, (name, profile) in enumerate(PROFILES.items(), 1)
            ],
        }
        (self._folder / "site.yaml").write_text(yaml.safe_dump(site))
        ingest = {
            "broker": self._broker.url("ingest"), "password_file": "ingest.password",
            "store": "sqlite:readings.db", "dead_letters": "dead-letters.db", "http": "127.0.0.1:0",
        }  # fmt: skip
        (self._folder / "ingest.yaml").write_text(yaml.safe_dump(ingest))

    @contextlib.contextmanager
    def _process(self, *verb: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self._folder / f"{verb[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pole", *verb], cwd=self._folder, stdout=log, stderr=subprocess.STDOUT
            )
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _memory_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0
