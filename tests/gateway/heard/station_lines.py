"""A listener for HJ 212 stations on a real socket, and raw connections to it."""

import asyncio
import contextlib

from gateway.heard.hj212_listener import Hj212Listener
from protocols import hj212
from protocols.hj212_frame import Splitter, wrap

MN, OTHER = "010000A8900016F000169DC0", "MN000000000000000000002A"


def data(cp="DataTime=20260801084000;a34004-Rtd=35.2,a34004-Flag=N", *, mn=MN, qn="20260801084000001", cn="2011",
         flag="Flag=5;", pw="123456"):  # fmt: skip
    return wrap(f"QN={qn};ST=22;CN={cn};PW={pw};MN={mn};{flag}CP=&&{cp}&&".encode())


class Ears:
    """heard: (address, {item: value or quality}, time_ms)."""

    def __init__(self, listener):
        self.listener = listener
        self.heard = []
        self.disk = asyncio.Event()  # set: it takes what was heard
        self.disk.set()

    async def durable(self):
        await self.disk.wait()

    def take(self, address, items, time_ms):
        self.heard.append((address, {item: getattr(raw, "quality", raw) for item, raw in items.items()}, time_ms))

    async def dial(self):
        return Line(*await asyncio.open_connection(*self.listener.listening_at))

    async def until(self, condition, seconds=20.0):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)


class Line:
    """One connection of a station."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self._splitter = Splitter()
        self._found = []

    def send(self, frame):
        self.writer.write(frame)

    async def answer(self, seconds=20.0):
        """The next packet from the gateway; None at the connection's end. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not self._found:
                received = await self.reader.read(4096)
                if not received:
                    return None
                self._found += self._splitter.feed(received)
        return hj212.parse(self._found.pop(0))

    async def is_closed(self, seconds=20.0):
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(seconds):
                while await self.reader.read(4096):
                    pass
        return True

    def hang_up(self):
        self.writer.transport.abort()


def listening(scene, **options):
    """Runs scene(ears) beside a listener on a free port."""

    async def whole():
        listener = Hj212Listener(listen="127.0.0.1:0", **options)
        ears = Ears(listener)
        task = asyncio.create_task(listener.run(ears.take, ears.durable))
        try:
            await ears.until(lambda: listener.listening_at)
            return await scene(ears)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await listener.close()

    return asyncio.run(whole())
