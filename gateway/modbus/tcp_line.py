"""Modbus over a TCP connection, with its own header (TcpLine) or as RTU frames: request PDUs IN, answer PDUs OUT."""

import asyncio
import contextlib

from gateway.modbus.unanswered import Unanswered
from protocols import errors, modbus
from wire.backoff import Backoff

CONNECT_S = 3.0
RECONNECT_FIRST_S, RECONNECT_MOST_S = 0.5, 30.0
# A peer that lost its power closes nothing: after so many requests without a byte we connect anew.
MUTE_REQUESTS = 3
MAX_HELD = 1024  # RTU: four frames; more than that in one answer is noise
MAX_STALE_READS = 16
MAX_LATE = 16  # requests without an answer that are remembered, to tell one that comes late


class TcpLine:
    """One connection per host and port, opened when first used and again whenever it broke."""

    def __init__(self, *, host: str, port: int) -> None:
        self.latency = 0.0
        self.echoes = 0
        self._host = host
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._backoff = Backoff(first=RECONNECT_FIRST_S, most=RECONNECT_MOST_S)
        self._retry_at = 0.0
        self._trouble = ""
        self._transaction = 0
        self._received = b""
        self._mute = 0
        self._late: list[tuple[int, float]] = []
        self._asked: dict[int, float] = {}  # transaction -> when; of those that may still be answered

    @property
    def times(self) -> None:
        """A network has no characters."""

    async def exchange(self, unit: int, request: bytes, wait: float) -> bytes:
        """Request PDU -> answer PDU within `wait` seconds. Raises DeviceError."""
        reader, writer = await self._connect()
        try:
            await self._prepare(reader, unit, request)
            began = asyncio.get_running_loop().time()
            async with asyncio.timeout(wait):
                writer.write(self._frame(unit, request))
                await writer.drain()
                answer = await self._answer(reader, unit, request)
            self.latency = asyncio.get_running_loop().time() - began
            return answer
        except TimeoutError:
            raise self._no_answer(unit, request, wait) from None
        except OSError as error:
            self._lose(str(error))
            raise errors.LineDown(self._trouble) from None
        except errors.BadAnswer as error:
            if error.fault == "header":
                self._lose(str(error))
            raise

    def free_at(self, unit: int, request: bytes = b"") -> float:
        """At once: answers carry the number of their request."""
        return 0.0

    def late(self) -> list[tuple[int, float]]:
        found, self._late = self._late, []
        return found

    async def close(self) -> None:
        self._lose("closed")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and not self._streams[0].at_eof():
            return self._streams
        loop = asyncio.get_running_loop()
        self._drop()
        if loop.time() < self._retry_at:
            raise errors.LineDown(self._trouble)
        try:
            async with asyncio.timeout(CONNECT_S):
                self._streams = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as error:
            self._lose(str(error) or f"no connection in {CONNECT_S:g} s")
            raise errors.LineDown(self._trouble) from None
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
        self._asked.clear()

    async def _prepare(self, reader: asyncio.StreamReader, unit: int, request: bytes) -> None:
        """Before a request leaves."""

    def _frame(self, unit: int, request: bytes) -> bytes:
        self._transaction = (self._transaction + 1) & 0xFFFF
        return modbus.mbap(self._transaction, unit, request)

    def _no_answer(self, unit: int, request: bytes, wait: float) -> errors.DeviceError:
        self._mute += 1
        if self._mute >= MUTE_REQUESTS:
            self._drop()
        else:
            if len(self._asked) == MAX_LATE:
                del self._asked[next(iter(self._asked))]
            self._asked[self._transaction] = asyncio.get_running_loop().time() - wait
        return errors.Timeout("no answer")

    async def _answer(self, reader: asyncio.StreamReader, unit: int, request: bytes) -> bytes:
        while True:
            split = modbus.split_mbap(self._received)
            if isinstance(split, int):
                self._received += await self._more(reader)
                continue
            transaction, speaker, answer, self._received = split
            self._mute = 0
            self._backoff.reset()
            if transaction != self._transaction:  # late: its request was given up
                if transaction in self._asked:
                    now = asyncio.get_running_loop().time()
                    self._late.append((speaker, now - self._asked.pop(transaction)))
                continue
            if speaker != unit:
                raise errors.BadAnswer("address", f"unit {speaker} answered instead")
            return answer

    async def _more(self, reader: asyncio.StreamReader) -> bytes:
        data = await reader.read(4096)
        if not data:
            raise ConnectionResetError("the other side closed the connection")
        return data


class RtuOverTcpLine(TcpLine):
    """The serial line's own frames through a converter. They carry no number, so a late answer is waited out."""

    def __init__(self, *, host: str, port: int) -> None:
        super().__init__(host=host, port=port)
        self._unanswered = Unanswered()
        self._sent = 0.0  # 0: not yet

    async def exchange(self, unit: int, request: bytes, wait: float) -> bytes:
        self._sent = 0.0
        try:
            answer = await super().exchange(unit, request, wait)
        except BaseException:
            if self._sent and not modbus.is_corrupt(self._received, unit, request):  # that was the answer
                now = asyncio.get_running_loop().time()
                self._unanswered.add(unit, request, sent=self._sent, wait=wait, now=now)
            raise
        self._unanswered.asked_again(unit, sent=self._sent, now=asyncio.get_running_loop().time())
        self._throw_away(but=unit)
        return answer

    def free_at(self, unit: int, request: bytes = b"") -> float:
        """Later while it may still answer what was given up."""
        return self._unanswered.free_at(unit, request)

    def late(self) -> list[tuple[int, float]]:
        return self._unanswered.late()

    async def _prepare(self, reader: asyncio.StreamReader, unit: int, request: bytes) -> None:
        await asyncio.sleep(self._unanswered.free_at(unit, request) - asyncio.get_running_loop().time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):  # what is there already is no answer to what is not asked yet
                for _ in range(MAX_STALE_READS):
                    self._received += await self._more(reader)
                self._lose("it sends without an end")
                raise errors.LineDown(self._trouble)
        self._throw_away()

    def _throw_away(self, but: int | None = None) -> None:
        now = asyncio.get_running_loop().time()
        self._unanswered.look(self._received[:MAX_HELD], came_at=now, now=now, but=but)
        self._received = b""

    def _frame(self, unit: int, request: bytes) -> bytes:
        self._sent = asyncio.get_running_loop().time()
        return modbus.rtu(unit, request)

    def _no_answer(self, unit: int, request: bytes, wait: float) -> errors.DeviceError:
        error = modbus.explain_rtu(self._received, unit, request)
        if not self._received:
            super()._no_answer(unit, request, wait)
        return error

    async def _answer(self, reader: asyncio.StreamReader, unit: int, request: bytes) -> bytes:
        while True:
            answer, _ = modbus.find_rtu(self._received, unit, request)
            if answer is not None:
                self._mute = 0
                self._backoff.reset()
                return answer
            if len(self._received) > MAX_HELD:
                raise errors.BadAnswer("header", f"{len(self._received)} bytes without an answer in them")
            if modbus.is_corrupt(self._received, unit, request):
                raise modbus.explain_rtu(self._received, unit, request)
            self._received += await self._more(reader)
