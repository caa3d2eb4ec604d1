"""Behind the broker, for a test: who stores packs and confirms them. On the line: controllers on three interpreters."""

import asyncio
import contextlib
import json
import subprocess

import aiomqtt

from tests.conftest import TOOLS
from tests.edge.conftest import Interpreter
from wire import stored, topics

AREA = "wuhou"
INTERPRETERS = ("cpython", "micropython", "micropython32")


class City:
    """heard: (node, channel, payload) in the order of arrival. Packs are confirmed as ingest does."""

    def __init__(self, broker):
        self.broker = broker
        self.heard = []
        self.confirms = True

    @contextlib.asynccontextmanager
    async def listening(self):
        task = asyncio.create_task(self._listen())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def of(self, node, channel):
        return [body for name, kind, body in self.heard if (name, kind) == (node, channel)]

    def numbers(self, node):
        """Numbers of the packs, as often as they came."""
        return [json.loads(body)[0]["sq"] for body in self.of(node, "telemetry")]

    def is_online(self, node):
        states = self.of(node, "status")
        return bool(states) and json.loads(states[-1])["online"]

    async def command(self, node, name):
        """Returns when the broker has it, however often that is tried."""
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with self.client("operator") as operator:
                    await operator.publish(topics.down(AREA, node, "command"), json.dumps({"id": name}), qos=1)
                    return
            await asyncio.sleep(0.2)

    def client(self, user, **options):
        return aiomqtt.Client(
            "127.0.0.1", self.broker.port, username=user, password=self.broker.passwords[user], timeout=5, **options
        )

    async def until(self, condition, seconds=60.0):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    async def _listen(self):
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with self.client("ingest", identifier="ingest", clean_session=False) as ingest:
                    await ingest.subscribe("poles/+/+/up/#", qos=1)
                    async for message in ingest.messages:
                        _, area, node, _, channel = str(message.topic).split("/")
                        self.heard.append((node, channel, message.payload))
                        if channel in topics.PACK_CHANNELS and self.confirms:
                            first = json.loads(message.payload)[0]
                            body = stored.encode(first["ep"], [[first["sq"], first["sq"]]])
                            await ingest.publish(topics.down(area, node, "stored"), body)
            await asyncio.sleep(0.1)


class Played:
    """A controller in a process of its own (tests/edge/cases/serial_link_node.py)."""

    def __init__(self, *, name, interpreter, compiled, folder, **args):
        folder.mkdir(exist_ok=True)
        self.name = name
        self.folder = folder
        self._interpreter = Interpreter(interpreter, compiled)
        self._args = {"node": name, "folder": str(folder), **args}
        self.process = None

    def start(self):
        with (self.folder / "log").open("ab") as log:
            self.process = self._interpreter.start(
                "serial_link_node", stdout=log, stderr=subprocess.STDOUT, **self._args
            )

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        (self.folder / "end").touch()

    @property
    def is_over(self):
        if (code := self.process.poll()) is not None:
            assert code == 0, (self.folder / "log").read_text()
        return code is not None

    def lines(self, name):
        path = self.folder / name
        return path.read_text().split("\n")[:-1] if path.exists() else []

    @property
    def counts(self):
        """(publishes that were begun, that succeeded, messages that it tripped over) of its last life."""
        return tuple(map(int, self.lines("counts")[-1].split()))


def interpreters():
    """Those that there are; `make test` fetches all."""
    return [each for each in INTERPRETERS if each == "cpython" or (TOOLS / each).exists()]
