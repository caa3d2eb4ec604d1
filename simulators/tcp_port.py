"""A Modbus TCP device or gateway on a loopback port, with several units."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from pymodbus.framer import FramerSocket

from simulators.device import EmulatedDevice
from simulators.modbus_answers import DECODER, answer
from simulators.unit import EmulatedUnit, units

_HEADER = 7  # transaction, protocol, length, unit (Modbus Messaging on TCP/IP V1.0b, 3.1.3)
_GATEWAY_NO_RESPONSE = 11  # what a gateway answers for a unit that is not behind it
GARBAGE = bytes.fromhex("deadbeef00a55a1337")


class TcpPort:
    """Listens on `host`:`port`; port 0 is a free one, and stays the same over vanish and restore."""

    def __init__(self, *, devices: list[EmulatedDevice], host: str = "127.0.0.1", port: int = 0) -> None:
        """Raises ValueError where two devices share a register of one unit."""
        self.host = host
        self.port = port
        self.units = units(devices)
        self._framer = FramerSocket(DECODER)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def unit(self, number: int) -> EmulatedUnit:
        """The unit with this number. Raises KeyError."""
        return self.units[number]

    async def restore(self) -> None:
        """The device is reachable."""
        if self._server is not None:
            return
        self._server = await asyncio.start_server(self._connected, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def vanish(self) -> None:
        """The device is off the network: connections break, new ones are refused."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        connections = list(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.vanish()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            header = await reader.readexactly(_HEADER)
            length = int.from_bytes(header[4:6], "big")
            if header[2:4] != b"\0\0" or not 2 <= length <= 254:
                return
            frame = header + await reader.readexactly(length - 1)
            _, number, transaction, request = self._framer.decode(frame)
            reply = await self._reply(number, transaction, request)
            if reply:
                writer.write(reply)
                await writer.drain()

    async def _reply(self, number: int, transaction: int, request: bytes) -> bytes:
        unit = self.units.get(number)
        if unit is None:
            return self._framer.encode(bytes([request[0] | 0x80, _GATEWAY_NO_RESPONSE]), number, transaction)
        if unit.faults.silent:
            return b""
        await asyncio.sleep(unit.latency)
        if unit.faults.garbage:
            return GARBAGE
        return self._framer.encode(answer(unit, request), number, transaction ^ (0x5555 if unit.faults.corrupt else 0))
