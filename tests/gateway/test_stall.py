"""A broker that hangs without an error: the network swallows everything, and later comes back."""

import asyncio
import contextlib
import socket

import aiomqtt
import pytest

from gateway import uplink as uplinks
from gateway.disk.spool import Spool
from gateway.disk.spool_thread import SpoolThread
from gateway.uplink import Node, Uplink
from tests.gateway.spool_thread import on_its_thread
from wire import packs, stored, topics


class Proxy:
    """Between a client and the broker. While it stalls it takes connections and bytes, and passes nothing on."""

    def __init__(self, port):
        self._port = port
        self._flows = asyncio.Event()
        self._flows.set()
        self._tasks = set()
        self.connections = 0

    async def __aenter__(self):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what it does not pass on soon fills up
        listening.bind(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._accept, sock=listening)
        self.port = listening.getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()

    def stall(self):
        self._flows.clear()

    def resume(self):
        """For new connections: those that were stalled stay so."""
        self._flows = asyncio.Event()
        self._flows.set()

    async def _accept(self, reader, writer):
        self.connections += 1
        flows = self._flows
        there = await asyncio.open_connection("127.0.0.1", self._port)
        for one, other in ((reader, there[1]), (there[0], writer)):
            self._tasks.add(asyncio.create_task(self._pump(one, other, flows)))

    async def _pump(self, reader, writer, flows):
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                await flows.wait()
                writer.write(data)
        writer.close()


def sockets_to(port):
    """How many sockets of this machine are connected to the port, seen from the client's end."""
    with open("/proc/net/tcp") as table:
        return sum(line.split()[2].endswith(f":{port:04X}") and line.split()[9] != "0" for line in table)


async def until(true, seconds):
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


@pytest.fixture
def disk(tmp_path):
    disk = SpoolThread(Spool(path=tmp_path / "gw.db", max_bytes=64 << 20))
    yield disk
    disk.close()


@pytest.fixture
def uplink(broker, disk, monkeypatch):
    """Makes an uplink to a port, one that loses its patience soon."""
    monkeypatch.setattr(uplinks, "ACK_S", 1.0)
    monkeypatch.setattr(uplinks, "KEEPALIVE_S", 5)

    async def status(online):
        state = await disk.run(Spool.state)
        return {
            "online": online, "ep": state.epoch, "head": state.head, "stored": state.stored, "dropped": {},
            "pending": state.pending, "readings": state.readings, "clock": "ok", "version": "0", "time": 1,
        }  # fmt: skip

    def birth():
        return {"ep": disk.spool.epoch, "version": "0", "time": 1, "profiles": {}, "devices": []}

    def connect(port):
        own = {"hostname": "127.0.0.1", "port": port, "username": "gw-1", "password": broker.passwords["gw-1"]}
        return Uplink(
            node=Node("wuhou", "gw-1", own), disk=disk, status=status, birth=birth, on_command=None, on_config=None
        )

    return connect


def test_a_stop_ends_an_uplink_whose_connection_is_clogged(broker, disk, uplink):
    async def scenario():
        async with Proxy(broker.port) as proxy:
            node = uplink(proxy.port)
            task = asyncio.create_task(node.run())
            await until(lambda: node.connected, 20)
            proxy.stall()
            text = [("P/a", "x", 1_800_000_000_000 + index, "x" * 120, None) for index in range(400)]
            for index in range(64):
                on_its_thread(disk, lambda spool, index=index: spool.append(event=index % 2 == 0, readings=text))
            node.wake()
            await asyncio.sleep(0.5)
            task.cancel()
            async with asyncio.timeout(20):
                await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()

    asyncio.run(scenario())


def test_a_broker_that_hangs_without_an_error_is_left_and_found_again(broker, disk, uplink):
    seen = []

    async def scenario():
        operator = {"username": "ingest", "password": broker.passwords["ingest"]}

        async def ingest():
            async with aiomqtt.Client("127.0.0.1", broker.port, **operator) as client:
                await client.subscribe("poles/+/+/up/telemetry", qos=1)
                async for message in client.messages:
                    pack = packs.decode(message.payload)
                    seen.append(pack.number)
                    body = stored.encode(pack.epoch, [[pack.number, pack.number]])
                    await client.publish(topics.down("wuhou", "gw-1", "stored"), body)

        async with Proxy(broker.port) as proxy:
            node = uplink(proxy.port)
            tasks = [asyncio.create_task(ingest()), asyncio.create_task(node.run())]
            await until(lambda: node.connected, 20)

            def add():
                readings = [("P/a", "x", 1_800_000_000_000, 1, None)]
                on_its_thread(disk, lambda spool: spool.append(event=False, readings=readings))
                node.wake()

            add()
            await until(lambda: on_its_thread(disk, Spool.state).pending == 0, 20)
            proxy.stall()
            for _ in range(8):
                add()
                await asyncio.sleep(0.5)
            # a connection that acknowledges nothing is given up, before it could answer no ping
            await until(lambda: proxy.connections > 2 and not node.connected, 5)
            proxy.resume()
            await until(lambda: on_its_thread(disk, Spool.state).pending == 0, 30)
            assert sorted(set(seen)) == list(range(1, 10))
            await until(lambda: sockets_to(proxy.port) == 1, 30)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scenario())
