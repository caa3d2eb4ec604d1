"""Taps: they stand between us and a device, pass everything on, and keep what was said.

A tap ends where a golden file does: what is more than KEPT bytes is passed on and not kept.
"""

import asyncio
import contextlib
import os
import tty
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

KEPT = 1 << 18  # bytes


class Kept:
    """What was sent to the device and what it sent, as pairs in their order."""

    def __init__(self) -> None:
        self._pairs: list[list[bytes]] = []
        self._size = 0

    def sent(self, data: bytes) -> None:
        """Towards the device: after an answer a new pair begins."""
        if self._holds(data):
            if not self._pairs or self._pairs[-1][1]:
                self._pairs.append([b"", b""])
            self._pairs[-1][0] += data

    def came(self, data: bytes) -> None:
        """From the device."""
        if self._holds(data):
            if not self._pairs:
                self._pairs.append([b"", b""])
            self._pairs[-1][1] += data

    def told(self, data: bytes) -> None:
        """A message that the device sent by itself."""
        if self._holds(data):
            self._pairs.append([b"", data])

    @property
    def exchanges(self) -> list[tuple[bytes, bytes]]:
        """(sent, came), those with an answer."""
        return [(sent, came) for sent, came in self._pairs if came]

    def _holds(self, data: bytes) -> bool:
        self._size += len(data)
        return self._size <= KEPT


@contextlib.asynccontextmanager
async def tcp(keeps: list[Kept], *, target: tuple[str, int], at: tuple[str, int] | None = None) -> AsyncIterator[int]:
    """Connections to `at` (or a free port of loopback) go to the target. Gives the port. Each connection keeps its own.

    Who connects is taken for us, unless `at` is given: then it is the device that dials in.
    """

    running: set[asyncio.Task[None]] = set()

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        kept = Kept()
        keeps.append(kept)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there = await asyncio.open_connection(*target)
            ours, theirs = (kept.sent, kept.came) if at is None else (kept.came, kept.sent)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump(reader, there[1], ours))
                tasks.create_task(_pump(there[0], writer, theirs))
        writer.transport.abort()
        running.discard(task)

    host, port = at or ("127.0.0.1", 0)
    server = await asyncio.start_server(passed_on, host, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep: Callable[[bytes], None]) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(4096):
            keep(data)
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def udp(keeps: list[Kept], *, target: tuple[str, int]) -> AsyncIterator[int]:
    """Datagrams to a free port of loopback go to the target, and its answers back. Gives the port."""
    kept = Kept()
    keeps.append(kept)
    loop = asyncio.get_running_loop()
    near = _Datagrams(kept.sent)
    far = _Datagrams(kept.came)
    await loop.create_datagram_endpoint(lambda: near, local_addr=("127.0.0.1", 0))
    await loop.create_datagram_endpoint(lambda: far, remote_addr=target)
    near.other, far.other = far, near
    try:
        yield int(near.transport.get_extra_info("sockname")[1])
    finally:
        near.transport.close()
        far.transport.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self._keep = keep
        self.peer: Any = None
        self.other: _Datagrams
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # not one by its class, before Python 3.12

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._keep(data)
        self.peer = addr
        # a connected socket has no need of the peer, and refuses one
        self.other.transport.sendto(data, self.other.peer if not self.other.is_connected else None)

    @property
    def is_connected(self) -> bool:
        return self.transport.get_extra_info("peername") is not None


@contextlib.asynccontextmanager
async def serial(keeps: list[Kept], *, port: str, baud: int, parity: str, stop_bits: int) -> AsyncIterator[str]:
    """A pty that stands for the port. Gives its path. Raises ValueError where the port cannot be opened."""
    from serial import PARITY_EVEN, PARITY_NONE, PARITY_ODD, Serial, SerialException

    parities = {"none": PARITY_NONE, "even": PARITY_EVEN, "odd": PARITY_ODD}
    try:
        real = Serial(port, baud, parity=parities[parity], stopbits=stop_bits, timeout=0, exclusive=True)
    except (SerialException, ValueError) as error:
        raise ValueError(f"{port}: {error}") from None
    kept = Kept()
    keeps.append(kept)
    loop = asyncio.get_running_loop()
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    loop.add_reader(master, _carry, master, real.fileno(), kept.sent)
    loop.add_reader(real.fileno(), _carry, real.fileno(), master, kept.came)
    try:
        yield os.ttyname(slave)
    finally:
        loop.remove_reader(master)
        loop.remove_reader(real.fileno())
        for end in (master, slave):
            os.close(end)
        real.close()


def _carry(source: int, target: int, keep: Callable[[bytes], None]) -> None:
    with contextlib.suppress(OSError):
        data = os.read(source, 4096)
        keep(data)
        os.write(target, data)


@contextlib.asynccontextmanager
async def websocket(keeps: list[Kept], *, target: tuple[str, int], at: tuple[str, int]) -> AsyncIterator[int]:
    """Chargers that dial in at `at` go to the target; each message of theirs is kept as one exchange."""
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import WebSocketException
    from websockets.typing import Subprotocol

    spoken = [Subprotocol("ocpp1.6")]

    async def passed_on(charger: ServerConnection) -> None:
        kept = Kept()
        keeps.append(kept)
        assert charger.request is not None
        headers = {key: value for key, value in charger.request.headers.raw_items() if key.lower() == "authorization"}
        url = f"ws://{target[0]}:{target[1]}{charger.request.path}"
        with contextlib.suppress(OSError, WebSocketException):
            async with (
                connect(url, subprotocols=spoken, additional_headers=headers) as us,
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(_relay(charger, us, kept))
                tasks.create_task(_relay(us, charger, None))

    async with serve(passed_on, *at, subprotocols=spoken, compression=None) as server:
        yield int(next(iter(server.sockets)).getsockname()[1])


async def _relay(source: Any, target: Any, kept: Kept | None) -> None:
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):
        async for message in source:
            if kept is not None:
                kept.told(message.encode() if isinstance(message, str) else message)
            await target.send(message)
    await target.close()


@contextlib.asynccontextmanager
async def mqtt(keeps: list[Kept], *, connect: dict[str, Any], topics: list[str]) -> AsyncIterator[None]:
    """What a broker tells on these topics, beside the one who listens. Raises ValueError where it cannot be reached."""
    import aiomqtt

    kept = Kept()
    keeps.append(kept)

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            kept.told(bytes(message.payload) if isinstance(message.payload, bytes | bytearray) else b"")

    try:
        async with aiomqtt.Client(**connect) as client:
            for topic in topics:
                await client.subscribe(topic, qos=1)
            task = asyncio.create_task(listen(client))
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
    except aiomqtt.MqttError as error:
        raise ValueError(f"the broker cannot be reached: {error}") from None
