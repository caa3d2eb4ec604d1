"""A network that breaks: a TCP proxy on loopback between a client and its broker.

Each connection gets the next fault; when there are no more, connections are sound. A fault begins when so many bytes
have passed in its direction, to the byte.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """kind: what happens from the `after`th byte on, of those that come `down` from the broker or go up.

    cut: the client sees an orderly end. reset: it sees RST. stall: nothing is read any more, so that its writes are no
    longer taken. half-open: what it sends is taken, and nothing comes. garbage: it gets 0xFF without end.
    drip: bytes pass one by one, `pause` seconds apart, in both directions, from the first.
    """

    kind: str
    after: int = 0
    down: bool = True
    pause: float = 0.0


class BrokenNetwork:
    """`with BrokenNetwork(to=broker.port, faults=[…]) as network:` and clients connect to network.port."""

    def __init__(self, *, to, faults):
        self._to = to
        self._faults = iter(faults)
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # a stall is felt soon
        self._listener.bind(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()], daemon=True)

    def __enter__(self):
        self._done = asyncio.Event()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self):
        tasks = set()

        async def one(*streams):
            task = asyncio.current_task()
            tasks.add(task)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._connect(*streams)
            tasks.discard(task)

        server = await asyncio.start_server(one, sock=self._listener, limit=4096)
        await self._done.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self, from_client, to_client):
        fault = next(self._faults, Fault("none"))
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._to)
        broken = asyncio.Event()
        pumps = [
            asyncio.create_task(_pump(from_client, to_broker, fault, not fault.down, broken)),
            asyncio.create_task(_pump(from_broker, to_client, fault, fault.down, broken)),
        ]
        waits = asyncio.create_task(broken.wait())
        try:
            await asyncio.wait([*pumps, waits], return_when=asyncio.FIRST_COMPLETED)
            if broken.is_set():
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)  # none of them reads any more
                await _break(fault.kind, from_client, to_client)
        finally:
            for task in (*pumps, waits):
                task.cancel()
            to_client.transport.abort()
            to_broker.transport.abort()


async def _pump(reader, writer, fault, counts, broken):
    passed = 0
    dripping = fault.kind == "drip"
    while True:
        if counts and not dripping and fault.kind != "none" and passed >= fault.after:
            broken.set()
            return
        most = 1 if dripping else fault.after - passed if counts and fault.kind != "none" else 65536
        data = await reader.read(most)
        if not data:
            return
        await asyncio.sleep(fault.pause)
        writer.write(data)
        await writer.drain()
        passed += len(data)


async def _break(kind, from_client, to_client):
    if kind == "reset":
        linger = struct.pack("ii", 1, 0)
        to_client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    elif kind == "stall":
        to_client.transport.pause_reading()
        await asyncio.Event().wait()
    elif kind == "half-open":
        while await from_client.read(65536):
            pass
    elif kind == "garbage":
        while True:
            to_client.write(b"\xff" * 1000)
            await to_client.drain()
