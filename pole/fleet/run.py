"""The run itself: broker, ingest, emulator and depths as processes; ramps, waits, drains, counts and judges."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

from pole.demo.display import Display
from pole.demo.folder import INGEST
from pole.demo.processes import BrokerPart, Part, Service
from pole.demo.watch import Watch
from pole.fleet import figures
from pole.fleet.engine import Engine, EngineFailed, end_of
from pole.fleet.folder import RunFolder
from pole.fleet.judge_run import verify_run
from pole.fleet.outcome import Outcome
from pole.fleet.state import NEWS, State

if TYPE_CHECKING:
    from pole.fleet.depths import Depths

LOOK_S = 1.0
READY_S = 30.0  # for ingest to have its session with the broker, and its store
DRAIN_S = 300.0  # for the nodes to have everything confirmed at the end, at most
GLANCE_S = 0.1


class NotReady(Exception):
    """Ingest does not come up; the message says what it waits for."""


class NothingProduced(Exception):
    """It was stopped too early."""


class Run:
    """One run of a plan in its folder."""

    def __init__(self, *, folder: RunFolder, display: Display[State]) -> None:
        plan = folder.plan
        self._folder = folder
        self._plan = plan
        self._display = display
        self._watch = Watch()
        self._broker = folder.broker()
        self._broker_part = BrokerPart(broker=self._broker, watch=self._watch)
        ingest = [sys.executable, "-m", "pole", "ingest", "run", str(folder.ingest)]
        self._ingest = Service(name=INGEST, command=ingest, log=folder.logs / "ingest.log", watch=self._watch)
        self._engine = Engine(order=folder.order, log=folder.logs / "emulator.log", watch=self._watch)
        self._depths: Depths | None = None
        self._state = State(
            title=plan.title, speed=plan.speed, store=plan.store, for_s=plan.for_s, coming=plan.coming
        )  # fmt: skip
        self._costs = _Costs()
        self._restarts = 0
        self._told_first = False

    async def run(self, stop: asyncio.Event) -> Outcome:
        """Until the time is over or stop is set; then everything is handed over, counted and judged.

        Raises BrokerError, NotReady, EngineFailed, NothingProduced, AccountError, TruthError, IngestError.
        """
        try:
            await self._start(stop)
            await self._work(stop)
            self._display.end()
            await self._stop_parts()
            return await self._judge()
        finally:
            self._display.end()
            self._engine.kill()
            for part in (self._ingest, self._broker_part):
                await part.kill()
            self._watch.close()

    async def _start(self, stop: asyncio.Event) -> None:
        plan, folder = self._plan, self._folder
        if folder.earlier is not None:
            self._say(f"the run that was in {folder.shown} is now in {folder.earlier.name}")
        depths = plan.wires + plan.agents > 0
        order = folder.write(plan.began_ms(time.time_ns() // 1_000_000))
        self._say(f"{plan.title}: {plan.poles} poles, {len(plan.nodes)} of them nodes with an MQTT session each")
        await self._broker_part.start()
        self._say(f"started broker on port {self._broker.port}")
        await self._ingest.start()
        await self._ready(stop)
        if depths:
            await self._start_depths(order)
        await self._engine.start()
        self._say("started emulator")
        self._say("In another terminal:")
        for what, command in folder.commands():
            self._say(f"  {what}: {command}")

    async def _ready(self, stop: asyncio.Event) -> None:
        """Returns when ingest has broker and store: what comes earlier would be sent twice."""
        deadline = time.monotonic() + READY_S
        while waiting := await asyncio.to_thread(figures.waited_for, self._folder.http_port):
            if stop.is_set():
                return
            if time.monotonic() > deadline or not self._ingest.running:
                log = end_of(self._ingest.log)
                raise NotReady(f"ingest does not come up: {'; '.join(waiting)}. The end of {self._ingest.log}:\n{log}")
            await asyncio.sleep(GLANCE_S)
        self._say(f"started ingest, into {self._plan.store}")

    async def _start_depths(self, order: dict[str, Any]) -> None:
        from pole.fleet.depths import Depths

        self._depths = Depths(order=order, folder=self._folder.path, watch=self._watch)
        await self._depths.start()
        self._say(f"started {self._plan.wires} poles behind gateways and {self._plan.agents} with agents")

    async def _work(self, stop: asyncio.Event) -> None:
        """Until the emulator has ended, which it is told to when stop is set."""
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = [
                    tasks.create_task(work, name=name)
                    for name, work in (("look", self._look()), ("mend", self._mend()), ("end", self._end(stop)))
                ]
                async for said in self._engine.lines():
                    self._state.said = {**self._state.said, **said}  # the last line has no map
                    self._costs.engine_s = said["cpu_s"]
                for task in watching:
                    task.cancel()
        except* EngineFailed as failed:
            if stop.is_set() and not self._state.said:
                raise NothingProduced("stopped before the city was built: there is nothing to count") from None
            raise failed.exceptions[0] from None

    async def _end(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._say("stopping: the nodes hand over what they hold (Ctrl-C again ends at once)")
        self._engine.stop()
        await asyncio.sleep(DRAIN_S)
        raise EngineFailed(f"the nodes have not handed over what they hold within {DRAIN_S:.0f} s")

    async def _look(self) -> None:
        before, stored = time.monotonic(), 0
        while True:
            await asyncio.sleep(LOOK_S)
            ingested = await asyncio.to_thread(figures.ingested, self._folder.http_port)
            now = time.monotonic()
            if ingested is not None:
                self._state.rates.append(max(0, ingested.readings - stored) / (now - before))
                stored, self._state.ingested = ingested.readings, ingested
            self._measure()
            self._state.cpu = self._costs.shares(now - before)
            before = now
            self._state.running = {part.name: part.running for part in (self._broker_part, self._ingest)}
            if stored and not self._told_first:
                self._told_first = True
                self._say(f"first readings in the store {self._state.seconds:.0f} s after the start")
            self._display.show(self._state)

    async def _mend(self) -> None:
        """Starts again what ended by itself, or was killed from outside."""
        parts: list[Part] = [self._broker_part, self._ingest]
        while True:
            await asyncio.sleep(LOOK_S)
            for part in parts:
                if part.wanted and not part.running:
                    self._restarts += 1
                    self._costs.restarted(part.name)
                    text = f"{part.name} ended by itself, or was killed from outside: starting it again"
                    self._state.news = [*self._state.news, text][-NEWS:]
                    self._say(text)
                    await part.start()

    async def _stop_parts(self) -> None:
        if self._depths is not None:
            self._say("stopping gateways and agents when their spools are empty")
            await self._depths.stop()
        self._measure()
        await self._ingest.stop()
        await self._broker_part.stop()

    def _measure(self) -> None:
        self._costs.take("ingest", figures.cpu_s(self._ingest.pid))
        self._costs.take("broker", figures.cpu_s(self._broker.pid))

    async def _judge(self) -> Outcome:
        end = self._engine.end
        assert end is not None
        if not end["packs"] and self._depths is None:
            raise NothingProduced("stopped before the first reading was taken: there is nothing to count")
        seconds = self._state.seconds
        self._say("comparing the store with the truth, reading by reading")
        token = self._plan.token_file.read_text().strip() if self._plan.token_file else ""
        verdict = await asyncio.to_thread(verify_run, self._folder.path, token=token)
        return Outcome(
            plan=self._plan, end=end, verdict=verdict, cpu_s=self._costs.totals(),
            connected=figures.sessions(self._broker.log, self._plan.nodes), seconds=round(seconds, 1),
            restarts=self._restarts + (self._depths.crashes if self._depths is not None else 0),
        )  # fmt: skip

    def _say(self, text: str) -> None:
        self._display.say(text)


class _Costs:
    """Seconds of CPU that each part has taken, also over its restarts."""

    def __init__(self) -> None:
        self.engine_s = 0.0
        self._now: dict[str, float] = {}
        self._earlier: dict[str, float] = {}
        self._before: dict[str, float] = {}

    def take(self, part: str, seconds: float | None) -> None:
        if seconds is not None:
            self._now[part] = seconds

    def restarted(self, part: str) -> None:
        self._earlier[part] = self._earlier.get(part, 0.0) + self._now.pop(part, 0.0)

    def totals(self) -> dict[str, float]:
        """In the order of the readings' way."""
        others = {part: self._now.get(part, 0.0) + self._earlier.get(part, 0.0) for part in ("broker", "ingest")}
        return {"emulator": self.engine_s, **others}

    def shares(self, seconds: float) -> dict[str, float]:
        """Of one core, since this was asked before."""
        totals = self.totals()
        shares = {part: max(0.0, total - self._before.get(part, 0.0)) / seconds for part, total in totals.items()}
        self._before = totals
        return shares
