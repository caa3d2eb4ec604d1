"""A bus: one transaction at a time, commands before polls, everything counted.

The world behind it is a Line: a serial port (`serial_line`) or a connection (`tcp_line`).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gateway.driver import Counters
from protocols import errors, modbus


class Line(Protocol):
    """One way to reach devices. Not safe for two exchanges at once: that is the Bus's part."""

    async def exchange(self, unit: int, request: bytes, wait: float) -> bytes:
        """Request PDU -> answer PDU, given `wait` seconds beyond the time on the wire. Raises errors.DeviceError."""
        ...

    def wire_seconds(self, request: bytes) -> float:
        """Time that a request and its answer take on the wire."""
        ...

    async def close(self) -> None: ...


class Bus:
    def __init__(self, *, name: str, line: Line) -> None:
        self.name = name
        self.counters = Counters()
        self._line = line
        self._turns = _Turns()

    async def transact(
        self,
        unit: int,
        request: bytes,
        wait: float,
        *,
        urgent: bool = False,
        before: Callable[[], None] = lambda: None,
    ) -> bytes:
        """Request PDU -> checked answer PDU. An urgent one is next after the one under way. Raises DeviceError.

        before() is called when it is this request's turn; what it raises keeps the request off the wire.
        """
        await self._turns.take(urgent)
        try:
            before()
            self.counters.requests += 1
            answer = await self._line.exchange(unit, request, wait)
            modbus.check_answer(request, answer)
            return answer
        except errors.Timeout:
            self.counters.timeouts += 1
            raise
        except errors.DeviceError:
            self.counters.errors += 1
            raise
        finally:
            self._turns.give()

    def wire_seconds(self, request: bytes) -> float:
        """Time that a request and its answer take on the wire."""
        return self._line.wire_seconds(request)

    async def close(self) -> None:
        await self._line.close()


class _Turns:
    """A lock with two queues: who is urgent goes first, otherwise first come, first served."""

    def __init__(self) -> None:
        self._taken = False
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    async def take(self, urgent: bool) -> None:
        if not self._taken:
            self._taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._others).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was our turn already: pass it on
                self.give()
            raise

    def give(self) -> None:
        for queue in (self._urgent, self._others):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._taken = False
