"""A controller, a broker and ingest, all real: what the agent is tested in as a whole."""

import asyncio
import contextlib
import json
import sqlite3
import time

import aiomqtt
import yaml

from bench.edge_pole import AREA, NODE, POLE, EdgePole
from device_profiles import wired
from pole.broker import free_port
from pole.edge.held import held
from tests.promise.conftest import Process

TOLERANCE_MS = 5000  # a process may stand still between the answer and its time


class AgentCity:
    """Use it as `async with`. heard: the last payload of each channel; replies: by id, their states in order."""

    def __init__(self, folder, broker, interpreter, **controller):
        self.folder, self.broker, self.interpreter = folder, broker, interpreter
        url = f"mqtt://127.0.0.1:{broker.port}"
        self.pole = EdgePole(folder, broker=url, password=broker.passwords[NODE], **controller)
        self.ingest = Process(folder, "ingest", ["ingest", "run", str(folder / "ingest.yaml")])
        self.heard, self.replies, self.births = {}, {}, []
        self.agent = None
        (folder / "ingest.password").write_text(broker.passwords["ingest"])
        config = {
            "broker": f"mqtt://ingest@127.0.0.1:{broker.port}", "password_file": "ingest.password",
            "store": "sqlite:readings.db", "dead_letters": "dead-letters.db", "http": f"127.0.0.1:{free_port()}",
        }  # fmt: skip
        (folder / "ingest.yaml").write_text(yaml.safe_dump(config))
        self._running = contextlib.AsyncExitStack()
        # a 32-bit build with a controller's heap has what such a controller has: firmware that runs code in place
        self._rom = interpreter.name == "micropython32"
        if self._rom:
            interpreter.command[-1] = "heapsize=56K"  # the files that play its pins take some of it

    async def __aenter__(self):
        await self._running.enter_async_context(self.pole)
        self.pole.flash(compiled=not self.interpreter.is_cpython, rom=self._rom)
        self._listening = asyncio.create_task(self._listen())
        self._running.callback(self._listening.cancel)
        return self

    async def __aexit__(self, *_):
        if self.ingest.running:
            self.ingest.kill()
        await self._running.aclose()

    def switch_on(self):
        self.agent = self.pole.start(self.interpreter.command)

    def cut(self):
        """The power."""
        assert self.agent.poll() is None, f"the agent had ended by itself:\n{self.pole.log()[-3000:]}"
        self.agent.kill()
        self.agent.wait()

    async def until(self, condition, what, seconds=60):
        """Waits for it. An agent that ends meanwhile is switched on again, as the guard's reset does."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    if self.agent is not None and self.agent.poll() not in (None, -9):
                        self.switch_on()
                    if self._listening.done():
                        self._listening.result()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(
                f"{what} never came; heard {sorted(self.heard)}, {self.replies}\n{self.pole.log()[-3000:]}"
            ) from None

    def rows(self, query, *arguments):
        if not (self.folder / "readings.db").exists():
            return []
        with contextlib.closing(sqlite3.connect(self.folder / "readings.db", timeout=20)) as db:
            try:
                return db.execute(query, arguments).fetchall()
            except sqlite3.OperationalError:  # ingest has not made its tables yet
                return []

    def packs(self):
        return len(self.rows("SELECT 1 FROM packs"))

    async def command(self, name, device, action, *, expires_ms=20_000, **args):
        issued = time.time_ns() // 1_000_000
        body = {"id": name, "issued": issued, "expires": issued + expires_ms, "issuer": "tests",
                "pole": POLE, "device": device, "action": action, "args": args}  # fmt: skip
        await self.client.publish(f"poles/{AREA}/{NODE}/down/command", json.dumps(body), qos=1)

    async def done(self, name):
        """The last reply to this command."""
        await self.until(
            lambda: self.replies.get(name, [{}])[-1].get("state") in ("done", "failed", "rejected", "expired"),
            f"the end of {name}",
        )
        return self.replies[name][-1]

    async def _listen(self):
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    "127.0.0.1", self.broker.port, username="operator", password=self.broker.passwords["operator"],
                    timeout=3,
                ) as self.client:  # fmt: skip
                    await self.client.subscribe(f"poles/{AREA}/{NODE}/up/#", qos=1)
                    async for message in self.client.messages:
                        self._take(str(message.topic).rpartition("/")[2], message.payload)
            await asyncio.sleep(0.2)

    def _take(self, channel, payload):
        said = json.loads(payload) if payload else None
        self.heard[channel] = said
        if channel == "reply":
            self.replies.setdefault(said["id"], []).append(said)
        elif channel == "birth":
            self.births.append(said)

    def assert_nothing_lost(self):
        """Every number that the journal gave is in the ledger or still on its disk, and each stored value is true."""
        kept = held(self.pole.root)
        ledger = dict(self.rows("SELECT number, readings FROM packs WHERE epoch = ?", kept.epoch))
        assert kept.head > 0
        assert kept.dropped == 0
        assert set(range(1, kept.head + 1)) == set(ledger) | set(kept.pending)
        waiting = sum(count for number, count in kept.pending.items() if number not in ledger)
        assert kept.readings == sum(ledger.values()) + waiting
        assert self.rows("SELECT sum(refused), count(DISTINCT epoch) FROM packs") == [(0, 1)]
        assert self.rows("SELECT count(*) FROM readings") == [(sum(ledger.values()),)]
        checked = 0
        for device, point, time_ms, value in self.rows(
            "SELECT device, point, time, value FROM points JOIN series ON series = id"
        ):
            emulated = self.pole.devices.get(device)
            if emulated is not None:
                step = wired.resolution(emulated.points[point]) if emulated.profile.protocol == "wired" else 1e-6
                shown = emulated.held(point, time_ms, TOLERANCE_MS)
                assert any(abs(value - each) <= step for each in shown), (device, point, time_ms, value, shown)
                checked += 1
        assert checked > 0
        return kept


def play(scenario, tmp_path, broker, interpreter, **controller):
    """Runs scenario(city)."""

    async def run():
        async with AgentCity(tmp_path, broker, interpreter, **controller) as city:
            await scenario(city)

    asyncio.run(run())
