"""The poles of a run that are read by real nodes: their devices on wires, and the gateways and agents as processes.

    plan  ->  wires (a process: the world, and every device that shows it)  ->  gateways, agents  ->  broker

Everything stands in FOLDER/depths: site-AREA.yaml, NODE.password, NODE.db (spools), NODE/ (a controller's disk),
ports/, logs/, state.json (what the wires say at each step). Beside it, for `pole fleet verify`:

FOLDER/acts-wires.jsonl   what was done to devices: pole.fleet.depth_devices.Acts
FOLDER/depths.json        written by stop(), the same as accounts():

    {"nodes": {"P00005-gw": {
        "kind": "gateway" (or "controller"), "area": "wuhou", "poles": ["P00005", ...] (it hangs on the first),
        "ep": "9f3c21aa" ("" where it never ran), "head": 48, "readings": 912 (ever numbered),
        "stored": 46 (packs: head - pending - dropped), "pending": [[47, 48], ...], "pending_readings": 30,
        "dropped": 0 (packs), "cut": [[from_ms, until_ms or null], ...] (no way to the broker),
        "off": [[from_ms, until_ms or null], ...] (killed: its pole was dark, or --chaos)}},
     "devices": {"P00005/lamp-1": {"node": "P00005-gw", "profile": "arlight-dali"}},
     "left_out": {"P00005/sos-1": "a gateway has no pins"},
     "dark": {"P00005": [[from_ms, until_ms or null], ...]}}

Times are ms since 1970. `pending` is what the node's disk holds, without what a SQLite store has; beside another store
more of it may be stored, as a controller notes seldom what is confirmed. A gateway's own devices (`gateway`, `bus-...`)
and a controller's (its node's name) tell of the node itself, and count in `readings`.
pole.fleet.depth_truth builds the same devices again and says what each showed at any time of the run.

DepthError
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pole.demo import reconciliation, store
from pole.demo.controller import Controller
from pole.demo.processes import Service
from pole.demo.watch import Watch
from pole.fleet.depth_accounts import accounts
from pole.fleet.depth_plan import DepthError, Node, check, city_of, nodes, users
from pole.fleet.depth_site import site_file

__all__ = ["DepthError", "Depths", "check", "users"]

READY_S = 60.0  # for the wires to be there
LOOK_S = 0.1  # between two looks at what the wires say
APART_S = 0.4  # between two starts: ten at once leave the wires no time to answer in
DRAIN_S = 60.0  # for the spools to empty at the end, at most
CATCH_UP_S = 3.0  # a node that is started again for its spool's sake runs this long
GLANCE_S = 0.05
STORE = "readings.db"  # of the run, where its store is SQLite


class Depths:
    """Depths 1 and 2 of one run. users(order) stand in the broker's password file before it starts.

    parts: the nodes; pids as theirs. crashes: how often one ended by itself, and was started again.
    """

    def __init__(self, *, order: Mapping[str, Any], folder: Path, watch: Watch) -> None:
        """folder: the run's. Raises DepthError where the order asks for more than is possible."""
        check(order)
        self.crashes = 0
        self._order, self._folder, self._home = order, folder, folder / "depths"
        self._logs = self._home / "logs"
        self._store = folder / STORE
        self._logs.mkdir(parents=True, exist_ok=True)
        self._city = city_of(order)
        self._nodes = nodes(order, self._city)
        self._wires = Service(
            name="wires", log=self._logs / "wires.log", watch=watch,
            command=[sys.executable, "-m", "pole.fleet.wires", str(self._home / "order.json")],
        )  # fmt: skip
        self.parts: list[Service] = [self._part(node, watch) for node in self._nodes]
        self._off: dict[str, list[list[int | None]]] = {part.name: [] for part in self.parts}
        self._said: dict[str, Any] = {}
        self._written = 0  # when what they said was, ns
        self._following: asyncio.Task[None] | None = None

    @property
    def pids(self) -> dict[str, int]:
        """Of everything that runs here: the wires and the nodes."""
        return {part.name: part.pid for part in (self._wires, *self.parts) if part.pid is not None}

    @property
    def state(self) -> dict[str, Any]:
        """What the wires last said: {"step", "dark": [poles], "cut": [nodes], ...}; empty before they are ready."""
        path = self._home / "state.json"
        with contextlib.suppress(FileNotFoundError):
            written = path.stat().st_mtime_ns
            if written != self._written:
                self._said, self._written = json.loads(path.read_text(encoding="utf-8")), written
        return self._said

    async def start(self) -> None:
        """Returns when all are started. Broker and ingest run. Raises DepthError, FlashError, FileProblem."""
        (self._home / "state.json").unlink(missing_ok=True)
        (self._home / "order.json").write_text(json.dumps(self._order), encoding="utf-8")
        await self._wires.start()
        await self._ready()
        for part in self.parts:
            if isinstance(part, Controller):
                await asyncio.to_thread(part.flash)
        dark = self.state["dark_nodes"]
        for part in self.parts:
            if part.name not in dark:
                await part.start()
                await asyncio.sleep(APART_S)
        self._following = asyncio.create_task(self._follow(), name="depths")

    async def stop(self) -> None:
        """The nodes hand over what they hold, but for those that are dark or cut off; then all ends.

        Raises DepthError where the wires had ended before: their devices told nothing from then on.
        """
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        began, died = bool(self.state), not self._wires.running
        try:
            if began:
                await self._drain()
        finally:
            for part in (*self.parts, self._wires):
                await (part.stop() if part is self._wires else part.kill())
        if not began:
            return
        text = json.dumps(self.accounts(), indent=1, ensure_ascii=False)
        (self._folder / "depths.json").write_text(text + "\n", encoding="utf-8")
        if died:
            raise DepthError(f"the devices on wires ended by themselves. {self._log_end()}")

    def accounts(self) -> dict[str, Any]:
        """As depths.json has it. The nodes must have ended."""
        return accounts(
            home=self._home, store=self._store, nodes=self._nodes, city=self._city, state=self.state, off=self._off
        )

    def _part(self, node: Node, watch: Watch) -> Service:
        log, site = self._logs / f"{node.name}.log", site_file(self._home, node.area)
        if node.kind == "controller":
            pole = self._city.names[node.poles[0]]
            return Controller(node=node.name, pole=pole, root=self._home / node.name, site=site, log=log, watch=watch)
        command = [sys.executable, "-m", "pole", "gateway", "run", str(site), "--node", node.name]
        return Service(name=node.name, command=command, log=log, watch=watch)

    async def _ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self.state:
            if not self._wires.running or time.monotonic() > deadline:
                raise DepthError(f"the devices on wires did not start. {self._log_end()}")
            await asyncio.sleep(GLANCE_S)

    def _log_end(self) -> str:
        lines = (self._logs / "wires.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "The end of their log:\n" + "\n".join(lines[-5:])

    async def _follow(self) -> None:
        """Nodes go with the mains of their pole, and come with it; what ended by itself is started again."""
        while True:
            await asyncio.sleep(LOOK_S)
            dark = set(self.state["dark_nodes"])
            for part in self.parts:
                if part.name in dark:
                    if part.running:
                        await self._switch_off(part)
                elif not part.running:
                    self.crashes += part.wanted
                    self._switch_on(part.name)
                    await part.start()
                    await asyncio.sleep(APART_S)

    async def _switch_off(self, part: Service) -> None:
        await part.kill()
        self._off[part.name].append([_now_ms(), None])

    def _switch_on(self, name: str) -> None:
        if self._off[name] and self._off[name][-1][1] is None:
            self._off[name][-1][1] = _now_ms()

    async def _drain(self) -> None:
        """Ends the nodes in order; one whose spool is not empty yet is started again, until it is."""
        deadline = time.monotonic() + DRAIN_S
        away = set(self.state["dark_nodes"]) | set(self.state["cut_nodes"])
        wanted = [part for part in self.parts if part.name not in away]
        while True:
            await asyncio.gather(*(self._hand_over(part) for part in wanted))
            full = [part for part in wanted if self._pending(part)]
            if not full or time.monotonic() > deadline:
                return
            await asyncio.gather(*(part.start() for part in full))
            await asyncio.sleep(CATCH_UP_S)

    async def _hand_over(self, part: Service) -> None:
        """A controller hands nothing over when its power goes: it goes when its newest pack has just been stored."""
        if isinstance(part, Controller) and part.running:
            deadline = time.monotonic() + CATCH_UP_S
            packs = self._stored(part.name)
            while packs == self._stored(part.name) and time.monotonic() < deadline:
                await asyncio.sleep(GLANCE_S)
        await part.stop()

    def _stored(self, node: str) -> int:
        return store.packs_of(self._store, node) if self._store.exists() else 0

    def _pending(self, part: Service) -> int:
        if isinstance(part, Controller):
            return reconciliation.unstored(self._home / part.name, self._store) if self._store.exists() else 0
        return reconciliation.pending(self._home / f"{part.name}.db")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
