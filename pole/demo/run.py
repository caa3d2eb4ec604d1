"""The demo itself: starts the parts, watches them, kills some when asked to, stops them and counts."""

import asyncio
import contextlib
import random
import sys
import time
from collections import deque

from pole.demo import reconciliation, repeats, store
from pole.demo.chaos import chaos
from pole.demo.controller import Controller
from pole.demo.display import Display
from pole.demo.folder import INGEST, OPERATOR, Folder
from pole.demo.nodes import Nodes
from pole.demo.outcome import Outcome
from pole.demo.processes import BrokerPart, Part, Service
from pole.demo.state import State
from pole.demo.watch import Watch
from simulators.city import CONTROLLERS, GATEWAYS, NETWORK, NODES, PLACES, SERIAL

LOOK_S = 1.0
RATE_S = 10  # looks that the rate is taken over
NEWS = 6
RESTART_S = 1.0  # a part that ended by itself is started again after this
DRAIN_S = 90.0  # for the spools to empty at the end, at most
CATCH_UP_S = 3.0  # a node that is started again for its spool's sake runs this long
GLANCE_S = 0.05


class NothingStored(Exception):
    """There is not even a store to count in."""


class Demo:
    """One run of it. kill: whether parts are killed at random."""

    def __init__(self, *, folder: Folder, kill: bool, display: Display[State]) -> None:
        self._folder = folder
        self._kill = kill
        self._display = display
        self._watch = Watch()
        self._broker = folder.broker()
        broker = BrokerPart(broker=self._broker, watch=self._watch)
        ingest = self._service(INGEST, ["ingest", "run", str(folder.ingest)])
        self._gateways = [
            self._service(node, ["gateway", "run", str(folder.site), "--node", node]) for node in GATEWAYS
        ]
        self._controllers = [
            Controller(
                node=node, pole=pole, root=folder.controller(node), site=folder.site,
                log=folder.logs / f"{node}.log", watch=self._watch,
            )
            for node, pole in CONTROLLERS.items()
        ]  # fmt: skip
        self._others: list[Part] = [broker, ingest]
        self._parts: list[Part] = [broker, ingest, *self._gateways, *self._controllers]
        self._nodes = Nodes(port=self._broker.port, password=folder.passwords[OPERATOR])
        self._city = folder.city()
        self._state = State(
            devices=len(self._city.devices), poles=len(PLACES), nodes=list(NODES),
            controllers={each.name: each.what for each in self._controllers},
        )  # fmt: skip
        self._history: deque[tuple[float, int]] = deque(maxlen=RATE_S)
        self._first_reading_s: float | None = None
        self._crashes = 0
        self._began_ms = time.time_ns() // 1_000_000

    async def run(self, *, seconds: float | None, stop: asyncio.Event) -> Outcome:
        """Until stop is set or the time is over; then stops in order, and counts.

        Raises BrokerError, FlashError, NothingStored.
        """
        try:
            async with self._city:
                await self._start()
                await self._work(seconds, stop)
                self._display.end()
                await self._drain()
                return await self._count()
        finally:
            self._display.end()
            for part in self._parts:
                await part.kill()
            self._watch.close()

    async def _start(self) -> None:
        self._folder.write(self._city, self._broker)
        self._say(f"{self._state.poles} poles, {self._state.devices} emulated devices: {len(SERIAL)} RS-485 buses on"
                  f" ptys, {len(NETWORK)} Modbus TCP gateways, and on {', '.join(GATEWAYS.values())} one of each other"
                  " protocol: DL/T 645, HJ 212, SNMP, ONVIF, Multivision, SIP, OCPP, LoRaWAN")  # fmt: skip
        if self._folder.continued:
            self._say(f"{self._folder.shown} is there from an earlier run and is continued; --dir takes another")
        await repeats.count_in(self._folder.store)
        for part in self._parts:
            if isinstance(part, Controller):
                await asyncio.to_thread(part.flash)
            await part.start()
            more = f" on port {self._broker.port}" if part.name == "broker" else ""
            self._say(f"started {part.name}{more}" + (f": {part.what}" if isinstance(part, Controller) else ""))
        self._display.say("In another terminal:")
        for what, command in self._folder.commands():
            self._display.say(f"  {what}: {command}")

    async def _work(self, seconds: float | None, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            watching = [
                tasks.create_task(self._nodes.run(), name="nodes"),
                tasks.create_task(self._look(), name="look"),
                tasks.create_task(self._mend(), name="mend"),
            ]
            if self._kill:
                watching.append(tasks.create_task(chaos(self._parts, self._say, random.Random()), name="chaos"))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await stop.wait()
            for task in watching:
                task.cancel()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            stored = await asyncio.to_thread(store.look, self._folder.store)
            if stored is not None:
                self._state.stored = stored
                self._history.append((time.monotonic(), stored.readings))
            if self._first_reading_s is None and self._state.stored.newest_ms >= self._began_ms:
                self._first_reading_s = self._state.seconds
                self._say(f"first reading in the database {self._first_reading_s:.1f} s after the start")
            self._state.running = {part.name: part.running for part in self._parts}
            self._state.broker_answers = self._nodes.connected
            self._state.status = self._nodes.status
            self._state.rate = self._rate()
            self._state.kills = sum(part.kills for part in self._parts)
            self._display.show(self._state)

    def _rate(self) -> float:
        (began, first), (ended, last) = (self._history[0], self._history[-1]) if self._history else ((0, 0), (0, 0))
        return (last - first) / (ended - began) if ended > began else 0.0

    async def _mend(self) -> None:
        """Starts again what ended by itself: nobody does that on purpose."""
        while True:
            await asyncio.sleep(RESTART_S)
            for part in self._parts:
                if part.wanted and not part.running:
                    self._crashes += 1
                    self._say(f"{part.name} ended by itself, or was killed from outside: starting it again")
                    await part.start()

    async def _drain(self) -> None:
        """Ends the nodes in order; one whose spool is not empty yet is started again, until it is."""
        self._say("stopping: the nodes hand over what they hold (Ctrl-C again ends at once)")
        deadline = time.monotonic() + DRAIN_S
        for part in self._others:
            await part.start()
        while True:
            await asyncio.gather(
                *(node.stop() for node in self._gateways), *(self._switch_off(node) for node in self._controllers)
            )
            full = [node for node in (*self._gateways, *self._controllers) if self._pending(node)]
            if not full or time.monotonic() > deadline:
                break
            self._say("still in the spools: " + ", ".join(f"{each.name} {self._pending(each)} packs" for each in full))
            await asyncio.gather(*(node.start() for node in full))
            await asyncio.sleep(CATCH_UP_S)
        for part in reversed(self._others):
            await part.stop()

    async def _switch_off(self, node: Controller) -> None:
        """A controller hands nothing over when its power goes: it goes when its newest pack has just been stored."""
        deadline = time.monotonic() + CATCH_UP_S
        packs = store.packs_of(self._folder.store, node.name)
        while packs == store.packs_of(self._folder.store, node.name) and node.running and time.monotonic() < deadline:
            await asyncio.sleep(GLANCE_S)
        await node.stop()

    def _pending(self, node: Service) -> int:
        if isinstance(node, Controller):
            return reconciliation.unstored(self._folder.controller(node.name), self._folder.store)
        return reconciliation.pending(self._folder.spool(node.name))

    async def _count(self) -> Outcome:
        stored = store.look(self._folder.store)
        if stored is None or not stored.readings:
            raise NothingStored(f"nothing was stored in {self._state.seconds:.0f} s; {self._folder.logs} may tell why")
        self._say("counting, and comparing each stored value with what its device held")
        database, devices = self._folder.store, self._city.devices
        accounts = await asyncio.to_thread(reconciliation.reconcile, self._folder.site, database)
        compared = await asyncio.to_thread(reconciliation.compare, database, devices, self._began_ms)
        for what, mismatches in (("wrong", compared.wrong), ("stamped late", compared.late)):
            for each in mismatches[: reconciliation.SHOWN]:
                self._say(f"{what}: {each}")
        latencies = await asyncio.to_thread(reconciliation.latencies, database, self._began_ms)
        return Outcome(
            poles=self._state.poles, devices=self._state.devices,
            functions=sorted({each.function for each in self._state.stored.latest}),
            seconds=round(self._state.seconds, 1),
            first_reading_s=self._first_reading_s and round(self._first_reading_s, 1), accounts=accounts,
            latency_p50_ms=store.percentile(latencies, 0.5), latency_p99_ms=store.percentile(latencies, 0.99),
            kills=sum(part.kills for part in self._parts), crashes=self._crashes,
            wrong_values=len(compared.wrong), stamped_late=len(compared.late), values_checked=compared.checked,
        )  # fmt: skip

    def _service(self, name: str, arguments: list[str]) -> Service:
        command = [sys.executable, "-m", "pole", *arguments]
        return Service(name=name, command=command, log=self._folder.logs / f"{name}.log", watch=self._watch)

    def _say(self, line: str) -> None:
        self._state.news = [*self._state.news, line][-NEWS:]
        self._display.say(line)
