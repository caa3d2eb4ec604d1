"""The two ways on which an HJ 212 station is reached: it dialled in over TCP, or hangs on a serial port."""

import asyncio
import contextlib
import socket
from typing import Protocol

from gateway.serial_port import SerialPort
from protocols.errors import LineDown

READ = 4096
STREAM_LIMIT = 8192  # asyncio stops reading at twice that
MOST_UNSENT = 16_384  # bytes: a station that does not read its replies is dropped
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}  # s, s, probes: it lost power, or its network


class Link(Protocol):
    """name: for the log."""

    name: str

    async def read(self, until: float) -> bytes:
        """Some bytes; none when the other side is gone. Raises TimeoutError after `until`, and LineDown."""
        ...

    def write(self, frame: bytes) -> None:
        """Raises LineDown."""
        ...

    def close(self) -> None: ...


class TcpLink:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername") or ("?", 0)
        self.name = f"{peer[0]}:{peer[1]}"
        self._reader = reader
        self._writer = writer
        own = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):  # it may be gone already
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE.items():
                own.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    async def read(self, until: float) -> bytes:
        try:
            async with asyncio.timeout_at(until):
                return await self._reader.read(READ)
        except ConnectionError as error:
            raise LineDown(str(error)) from None

    def write(self, frame: bytes) -> None:
        if self._writer.is_closing():
            raise LineDown(f"{self.name} is gone")
        self._writer.write(frame)
        if self._writer.transport.get_write_buffer_size() > MOST_UNSENT:
            self.close()
            raise LineDown(f"{self.name} does not read its replies")

    def close(self) -> None:
        self._writer.transport.abort()


class SerialLink:
    def __init__(self, *, port: str, baud: int, parity: str, stop_bits: int) -> None:
        self.name = port
        self._port = SerialPort(port=port, baud=baud, parity=parity, stop_bits=stop_bits, most=STREAM_LIMIT)

    async def read(self, until: float) -> bytes:
        self._port.open()
        if not self._port.received and not await self._port.more(until):
            raise TimeoutError
        data = bytes(self._port.received)
        self._port.received.clear()
        return data

    def write(self, frame: bytes) -> None:
        self._port.send(frame, keep=True)

    def close(self) -> None:
        self._port.close()
