"""Modbus TCP: request PDUs IN, answer PDUs OUT."""

import asyncio

from gateway import modbus
from wire.backoff import Backoff

CONNECT_S = 3.0
RECONNECT_FIRST_S, RECONNECT_MOST_S = 0.5, 30.0
# A peer that lost its power closes nothing: after so many requests without a byte we connect anew.
MUTE_REQUESTS = 3


class TcpLine:
    """One connection per host and port, opened when first used and again whenever it broke."""

    def __init__(self, *, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._backoff = Backoff(first=RECONNECT_FIRST_S, most=RECONNECT_MOST_S)
        self._retry_at = 0.0
        self._trouble = ""
        self._transaction = 0
        self._received = b""
        self._mute = 0

    async def exchange(self, unit: int, request: bytes, wait: float) -> bytes:
        """Request PDU -> answer PDU within `wait` seconds. Raises ModbusError."""
        reader, writer = await self._connect()
        self._transaction = (self._transaction + 1) & 0xFFFF
        try:
            async with asyncio.timeout(wait):
                writer.write(modbus.mbap(self._transaction, unit, request))
                await writer.drain()
                return await self._answer(reader, unit)
        except TimeoutError:
            self._mute += 1
            if self._mute >= MUTE_REQUESTS:
                self._drop()
            raise modbus.Timeout("no answer") from None
        except OSError as error:
            self._lose(str(error))
            raise modbus.LineDown(self._trouble) from None
        except modbus.BadFrame as error:
            if error.fault == "header":
                self._lose(str(error))
            raise

    def wire_seconds(self, request: bytes) -> float:
        """Next to nothing, on a network."""
        return 0.0

    async def close(self) -> None:
        self._lose("closed")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and not self._streams[0].at_eof():
            return self._streams
        loop = asyncio.get_running_loop()
        self._drop()
        if loop.time() < self._retry_at:
            raise modbus.LineDown(self._trouble)
        try:
            async with asyncio.timeout(CONNECT_S):
                self._streams = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as error:
            self._lose(str(error) or f"no connection in {CONNECT_S:g} s")
            raise modbus.LineDown(self._trouble) from None
        return self._streams

    def _lose(self, trouble: str) -> None:
        self._trouble = f"{self._host}:{self._port}: {trouble}"
        self._retry_at = asyncio.get_running_loop().time() + self._backoff.next()
        self._drop()

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None
        self._received = b""
        self._mute = 0

    async def _answer(self, reader: asyncio.StreamReader, unit: int) -> bytes:
        while True:
            split = modbus.split_mbap(self._received)
            if isinstance(split, int):
                data = await reader.read(4096)
                if not data:
                    raise ConnectionResetError("the other side closed the connection")
                self._received += data
                continue
            transaction, speaker, answer, self._received = split
            self._mute = 0
            self._backoff.reset()
            if transaction != self._transaction:  # late: its request was given up
                continue
            if speaker != unit:
                raise modbus.BadFrame("unit", f"unit {speaker} answered instead")
            return answer
