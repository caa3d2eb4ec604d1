"""`pole bench ingest-chaos`: random faults at real processes, and then an account of every reading.

nodes -> (proxy) -> mosquitto -> (proxy) -> pole ingest run, whose disk is small -> (bad proxy) -> InfluxDB 1

The nodes keep what is not confirmed, so at the end all of it must be in the store, once, with its value, and what is
bad in the dead letters. InfluxDB's own disk is never full: version 1.6 goes on writing behind an entry that was torn
for want of room, confirms what it writes, and reads no further than the torn entry when it starts again.
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import yaml

from bench import ingest_load
from bench.ingest_chaos_disk import Disk
from bench.ingest_chaos_nodes import Nodes
from bench.ingest_chaos_proxies import KINDS, BadStore
from bench.ingest_chaos_truth import account
from bench.ingest_consumers import USER
from bench.ingest_rig import load_average
from bench.ingest_stores import DATABASE, Influx1, Sqlite
from pole.broker import Broker, free_port
from pole.fleet.depth_proxy import Proxy

NODES, READINGS, PACKS_PER_S = 50, 10, 60.0
LETTERS = "dead-letters.db"
PAUSE_S = (0.05, 0.6)  # between two faults
STALL_S = (0.1, 1.5)
BEHIND = 3000  # packs unconfirmed: the next fault waits until there are fewer
DRAIN_S = 180.0
_ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = {
    "store answers": 45, "connections cut": 18, "ingest killed": 7, "broker killed": 7, "store killed": 5,
    "ingest stalled": 5, "broker stalled": 5, "store stalled": 5, "disk full": 3,
}  # fmt: skip


def run(
    *,
    faults: int = 1000,
    seed: int = 1,
    workers: int = 1,
    store: str = "influx1",
    told: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Blocks, some ten minutes for a thousand. workers: of `pole ingest run`; store: influx1, or sqlite on the small
    disk. "kept": nothing lost, nothing twice."""
    with tempfile.TemporaryDirectory(prefix="pole-chaos-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_Chaos(Path(folder), faults, seed, workers, store, told).run())


class _Part(Protocol):
    @property
    def pid(self) -> int | None: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...


class _Ingest:
    """`pole ingest run`, started anew whenever it has ended."""

    def __init__(self, folder: Path, log: Path, port: int, store: str, workers: int) -> None:
        self.starts = 0
        self._log = log
        (folder / "password").write_text("ingest-secret")
        config = {
            "broker": f"mqtt://{USER}@127.0.0.1:{port}", "password_file": "password", "receive_max": 1000,
            "store": store, "dead_letters": LETTERS, "http": f"127.0.0.1:{free_port()}",
        }  # fmt: skip
        (folder / "ingest.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        more = ["--workers", str(workers)] if workers > 1 else []
        self._command = [sys.executable, "-m", "pole", "ingest", "run", *more, str(folder / "ingest.yaml")]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def start(self) -> None:
        if self.pid is not None:
            return
        self.starts += 1
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """All of its processes: the session is theirs alone."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class _Chaos:
    def __init__(
        self, folder: Path, faults: int, seed: int, workers: int, store: str, told: Callable[[str], None]
    ) -> None:
        self._faults = faults
        self._told = told
        self._chance = random.Random(seed)
        self._disk = Disk(folder / "disk")
        self._broker = Broker(
            folder=folder / "broker", passwords={USER: "ingest-secret", ingest_load.USER: "load-secret"}
        )
        acl = folder / "broker" / "mosquitto.acl"
        acl.write_text(acl.read_text() + ingest_load.ACL)
        self._cuts = Proxy(host="127.0.0.1", port=self._broker.port)
        self._workers = workers
        self._embedded = store == "sqlite"
        self._folder = folder
        self._log = folder / "ingest.log"
        self._nodes = Nodes(count=NODES, readings=READINGS, packs_per_s=PACKS_PER_S)
        self._made: Counter[str] = Counter()

    async def run(self) -> dict[str, Any]:
        began = time.monotonic()
        with self._disk:
            embedded = Sqlite(folder=self._disk.folder / "store")
            self._server = Influx1(folder=self._folder / "store")
            self._store = embedded if self._embedded else self._server
            self._bad = BadStore(to=self._server.port)
            try:
                return await self._run(began)
            finally:
                await asyncio.to_thread(self._end)

    def _end(self) -> None:
        if hasattr(self, "_ingest"):
            self._ingest.kill()
        self._broker.kill()
        self._store.kill()

    async def _run(self, began: float) -> dict[str, Any]:
        await asyncio.to_thread(self._broker.start)
        await asyncio.to_thread(self._store.start)
        async with self._bad, self._cuts:
            folder = self._disk.folder / "ingest"
            folder.mkdir()
            store = self._store.url if self._embedded else f"influx1:http://127.0.0.1:{self._bad.port}/{DATABASE}"
            self._ingest = _Ingest(folder, self._log, self._cuts.port, store, self._workers)
            self._ingest.start()
            sending = asyncio.create_task(self._nodes.run(self._cuts.port, "load-secret"), name="nodes")
            try:
                self._nodes.making = True
                await self._settle(100, "a first hundred packs", least=100)
                await self._break_things()
                self._nodes.making = False
                drained = time.monotonic()
                await self._settle(1, "the last confirmations")
                drained = time.monotonic() - drained
            finally:
                sending.cancel()
            await asyncio.to_thread(self._ingest.kill)
        found = await account(self._nodes, self._store, self._disk.folder / "ingest" / LETTERS)
        return {
            "faults": sum(self._made.values()), "kinds": dict(self._made), "store_answers": dict(self._bad.met),
            "disk": self._disk.kind, "workers": self._workers, "store": self._store.name,
            "ingest_starts": self._ingest.starts,
            "packs": self._nodes.made, "readings": self._nodes.made * READINGS, "sent_again": self._nodes.again,
            **found, "drained_s": round(drained, 1), "seconds": round(time.monotonic() - began, 1),
            "load_average": load_average(),
        }  # fmt: skip

    @property
    def _parts(self) -> dict[str, "_Part"]:
        parts: dict[str, _Part] = {"broker": self._broker, "ingest": self._ingest}
        return parts if self._embedded else {**parts, "store": self._server}

    async def _break_things(self) -> None:
        kinds = [kind for kind in WEIGHTS if kind != "disk full" or self._disk.kind]
        if self._embedded:
            kinds = [kind for kind in kinds if not kind.startswith("store")]
        chances = [WEIGHTS[kind] for kind in kinds]
        for number in range(self._faults):
            kind = self._chance.choices(kinds, chances)[0]
            if number % 10 == 0:
                self._told(f"fault {number + 1} of {self._faults}: {kind}; {self._nodes.waiting} packs wait")
            await self._break(kind)
            self._made[kind] += 1
            await asyncio.sleep(self._chance.uniform(*PAUSE_S))
            if self._nodes.waiting > BEHIND:
                await self._settle(BEHIND // 3, "fewer packs that wait")

    async def _break(self, kind: str) -> None:
        part, _, what = kind.partition(" ")
        if kind == "store answers":
            self._bad.faults.append(self._chance.choice(KINDS))
        elif kind == "connections cut":
            await self._cuts.vanish()
            await asyncio.sleep(self._chance.choice((0.0, 0.0, 0.3)))
            await self._cuts.restore()
        elif kind == "disk full":
            with self._disk.full():
                await asyncio.sleep(self._chance.uniform(*STALL_S))
        elif what == "killed":
            await asyncio.to_thread(self._parts[part].kill)
            await asyncio.sleep(self._chance.choice((0.0, 0.0, 0.5)))
            await self._revive()
        else:
            await self._stall(self._parts[part].pid)

    async def _stall(self, pid: int | None) -> None:
        if pid is None:
            return
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(self._chance.uniform(*STALL_S))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _revive(self) -> None:
        """Starts what does not run, as a service manager does."""
        for part in self._parts.values():
            if part.pid is None:
                await asyncio.to_thread(part.start)

    async def _settle(self, most: int, what: str, *, least: int = 0) -> None:
        # until fewer than that wait; a broken part that nobody has noticed is started meanwhile
        ends = time.monotonic() + DRAIN_S
        while self._nodes.waiting >= most or self._nodes.made < least:
            if time.monotonic() > ends:
                log = self._log.read_text("utf-8", errors="replace")
                raise RuntimeError(
                    f"{what} do not come within {DRAIN_S:g} s: {self._nodes.waiting} packs wait, nothing was confirmed"
                    f" for {self._nodes.silent_s:.0f} s. The end of ingest's log:\n{log[-2000:]}"
                )
            await self._revive()
            await asyncio.sleep(0.2)


def show(result: dict[str, Any]) -> None:
    """The account, for people."""
    for key, value in result.items():
        told = ", ".join(f"{name} {count}" for name, count in value.items()) if isinstance(value, dict) else value
        print(f"{key:16} {told}")
