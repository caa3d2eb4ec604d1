"""A driver of controllers on a line of ptys, beside a client of edge/ in the same loop, for tests of one scene each."""

import asyncio
import contextlib
import functools
import time

import structlog

from edge.boards.simulated import Board
from edge.serial_link import Client
from gateway.controllers.controllers_driver import ControllersDriver
from gateway.controllers.line import Line
from gateway.identity import Node
from simulators.shared_line import SharedLine
from tests.gateway.controllers.city import AREA, City

WILL, ONLINE = b'{"online":false}', b'{"online":true}'


def played(scene):
    """The scene gets a Rig in which everything runs."""

    @functools.wraps(scene)
    def test(broker, tmp_path):
        play(scene, broker, tmp_path)

    del test.__wrapped__  # its arguments are the fixtures
    return test


def play(scene, broker, folder, **options):
    async def run():
        async with Rig(broker, folder, **options).running() as rig:
            await scene(rig)

    asyncio.run(run())


class Rig:
    """told: (channel, payload) that the controller got. now_ms: the gateway's clock."""

    def __init__(self, broker, folder, *, baud=0):
        self.broker = broker
        self.folder = folder
        self.city = City(broker)
        self.line = SharedLine(folder=folder, ends=["gateway", "ctl-1", "twin"], baud=baud)
        self.baud = baud or 115200
        self.told = []
        self.now_ms = lambda: time.time_ns() // 1_000_000
        self.nodes = {17: self.node("ctl-1")}
        self.logs = structlog.testing.LogCapture()
        self.trips = False
        self.board = Board({"uarts": {"up": {"port": self.line.path("ctl-1")}}}, str(folder))
        self.client = Client({"uplink": {"uart": "up", "address": 17}}, self.board, self._received)

    def node(self, name, **connect):
        password = self.broker.passwords[name]
        own = {"hostname": "127.0.0.1", "port": self.broker.port, "username": name, "password": password}
        return Node(AREA, name, own | connect)

    @contextlib.asynccontextmanager
    async def running(self):
        async with self.line, self.city.listening():
            await self.start()
            try:
                yield self
            finally:
                await self.stop()
                self.sleep()

    async def start(self):
        self.driver = ControllersDriver(
            name="line", line=Line(port=self.line.path("gateway"), baud=self.baud), controllers=self.nodes,
            now_ms=lambda: self.now_ms(), log=structlog.wrap_logger(None, processors=[self.logs]),
        )  # fmt: skip
        self._asking = asyncio.create_task(self.driver.run())

    async def stop(self):
        self._asking.cancel()
        await asyncio.gather(self._asking, return_exceptions=True)
        await self.driver.close()

    def sleep(self):
        """The controller is without power."""
        if self.client._task is not None:
            self.client._task.cancel()

    async def connect(self):
        async with asyncio.timeout(20):
            await self.client.connect(WILL)
            await self.publish("status", ONLINE)
        await self.until(lambda: self.city.is_online("ctl-1"))

    async def publish(self, channel, body):
        async with asyncio.timeout(20):
            await self.client.publish(channel, len(body), (body,))

    async def until(self, condition, seconds=20.0):
        await self.city.until(condition, seconds)

    @property
    def link(self):
        """The gateway's end of the controller's session."""
        return self.driver._controllers[0]._link

    def logged(self, event):
        return [entry for entry in self.logs.entries if entry["event"] == event]

    def of(self, channel):
        return [body for kind, body in self.told if kind == channel]

    def _received(self, channel, payload):
        self.told.append((channel, bytes(payload)))
