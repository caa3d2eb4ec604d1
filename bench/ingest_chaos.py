"""`pole bench ingest-chaos`: random faults at real processes, and then an account of every reading.

nodes -> (proxy) -> mosquitto -> (proxy) -> pole ingest run, whose disk is small -> (bad proxy) -> InfluxDB 1

The nodes keep what is not confirmed, so at the end all of it must be in the store, once, with its value, and what is
bad in the dead letters. InfluxDB's own disk is never full: version 1.6 goes on writing behind an entry that was torn
for want of room, confirms what it writes, and reads no further than the torn entry when it starts again.
"""

import asyncio
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bench import ingest_load
from bench.ingest_chaos_cuts import Cuts
from bench.ingest_chaos_disk import Disk
from bench.ingest_chaos_gaps import gaps
from bench.ingest_chaos_nodes import Nodes
from bench.ingest_chaos_processes import Ingest, local_ports, send
from bench.ingest_chaos_proxies import KINDS, BadStore
from bench.ingest_chaos_truth import account
from bench.ingest_consumers import USER
from bench.ingest_rig import before_others, load_average
from bench.ingest_stores import DATABASE, Influx1, Sqlite
from pole.broker import Broker

NODES, READINGS, PACKS_PER_S = 50, 10, 60.0
LETTERS = "dead-letters.db"
PAUSE_S = (0.05, 0.6)  # between two faults
STALL_S = (0.1, 1.5)
BEHIND = 3000  # packs unconfirmed: the next fault waits until there are fewer
DRAIN_S = 180.0
WEIGHTS = {
    "store answers": 45, "connections cut": 18, "ingest killed": 7, "broker killed": 7, "store killed": 5,
    "ingest stalled": 5, "broker stalled": 5, "store stalled": 5, "disk full": 3,
}  # fmt: skip
# Of several workers each fault hits one, or the one who watches them
OF_WORKERS = {
    "worker killed": 12, "worker stalled": 8, "worker cut": 8, "watcher killed": 2, "watcher stalled": 2,
    "rolling restart": 2, "poison pack": 1,
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
    disk. "kept": nothing lost, nothing twice. "gaps": before the faults, see `bench.ingest_chaos_gaps`."""
    with tempfile.TemporaryDirectory(prefix="pole-chaos-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_Chaos(Path(folder), faults, seed, workers, store, told).run())


class _Part(Protocol):
    @property
    def pid(self) -> int | None: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...


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
        self._cuts = Cuts(host="127.0.0.1", port=self._broker.port)
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
            self._ingest.end()
        self._broker.kill()
        self._store.kill()

    async def _run(self, began: float) -> dict[str, Any]:
        await asyncio.to_thread(self._broker.start)
        await asyncio.to_thread(self._store.start)
        async with self._bad, self._cuts:
            folder = self._disk.folder / "ingest"
            folder.mkdir()
            store = self._store.url if self._embedded else f"influx1:http://127.0.0.1:{self._bad.port}/{DATABASE}"
            self._ingest = Ingest(
                folder=folder, log=self._log, port=self._cuts.port, store=store, workers=self._workers, letters=LETTERS
            )
            self._ingest.start()
            self._first(*self._parts.values())
            sending = asyncio.create_task(self._nodes.run(self._cuts.port, "load-secret"), name="nodes")
            try:
                self._nodes.making = True
                await self._settle(100, "a first hundred packs", least=100)
                self._told("how long nothing is confirmed while ingest is started anew, killed, …")
                silences = await gaps(self._nodes, self._ingest)
                await self._break_things()
                self._nodes.making = False
                drained = time.monotonic()
                await self._settle(1, "the last confirmations")
                drained = time.monotonic() - drained
            finally:
                sending.cancel()
            await asyncio.to_thread(self._ingest.end)
        found = await account(self._nodes, self._store, self._disk.folder / "ingest" / LETTERS)
        return {
            "faults": sum(self._made.values()), "kinds": dict(self._made), "store_answers": dict(self._bad.met),
            "disk": self._disk.kind, "workers": self._workers, "store": self._store.name,
            "ingest_starts": self._ingest.starts,
            "packs": self._nodes.made, "readings": self._nodes.made * READINGS, "sent_again": self._nodes.again,
            **found, "gaps": silences, "drained_s": round(drained, 1), "seconds": round(time.monotonic() - began, 1),
            "load_average": load_average(),
        }  # fmt: skip

    @property
    def _parts(self) -> dict[str, "_Part"]:
        name = "watcher" if self._ingest.several else "ingest"
        parts: dict[str, _Part] = {"broker": self._broker, name: self._ingest}
        return parts if self._embedded else {**parts, "store": self._server}

    async def _break_things(self) -> None:
        weights = self._weights()
        kinds, chances = list(weights), list(weights.values())
        for number in range(self._faults):
            kind = self._chance.choices(kinds, chances)[0]
            if number % 10 == 0:
                self._told(f"fault {number + 1} of {self._faults}: {kind}; {self._nodes.waiting} packs wait")
            await self._break(kind)
            self._made[kind] += 1
            await asyncio.sleep(self._chance.uniform(*PAUSE_S))
            if self._nodes.waiting > BEHIND:
                await self._settle(BEHIND // 3, "fewer packs that wait")

    def _weights(self) -> dict[str, int]:
        weights = dict(WEIGHTS)
        if self._ingest.several:
            weights = {kind: weight for kind, weight in weights.items() if not kind.startswith("ingest")} | OF_WORKERS
        if self._embedded:
            weights = {kind: weight for kind, weight in weights.items() if not kind.startswith("store")}
        if not self._disk.kind:
            weights.pop("disk full", None)
        return weights

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
        elif kind == "rolling restart":
            self._ingest.roll()
        elif kind == "poison pack":
            self._nodes.poison()
        elif part == "worker":
            await self._break_one(what)
        elif what == "killed":
            await asyncio.to_thread(self._parts[part].kill)
            await asyncio.sleep(self._chance.choice((0.0, 0.0, 0.5)))
            await self._revive()
        else:
            await self._stall(self._parts[part].pid)

    async def _break_one(self, what: str) -> None:
        workers = await asyncio.to_thread(self._ingest.processes)
        if not workers:  # who watches them was started just now
            return
        pid = self._chance.choice(workers).pid
        if what == "killed":
            send(pid, signal.SIGKILL)
        elif what == "cut":
            self._cuts.cut(local_ports(pid))
        else:
            await self._stall(pid)

    async def _stall(self, pid: int | None) -> None:
        if pid is None:
            return
        send(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(self._chance.uniform(*STALL_S))
        finally:
            send(pid, signal.SIGCONT)

    async def _revive(self) -> None:
        """Starts what does not run, as a service manager does."""
        for part in self._parts.values():
            if part.pid is None:
                await asyncio.to_thread(part.start)
                self._first(part)

    def _first(self, *parts: _Part) -> None:
        # what waits for the processor for half a minute tells of the machine, and not of a fault
        for pid in (os.getpid(), *(part.pid for part in parts)):
            if pid is not None:
                before_others(pid)

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
        print(f"{key:16} {_words(value)}")


def _words(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    nested = any(isinstance(each, dict) for each in value.values())
    return ("; " if nested else ", ").join(f"{name} {_words(each)}" for name, each in value.items())
