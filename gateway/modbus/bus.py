"""A bus: one transaction at a time, commands before polls, everything counted.

The world behind it is a Line: a serial port (`serial_line`) or a connection (`tcp_line`).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from device_profiles import bus_time
from gateway.driver import Counters
from protocols import errors, modbus


class Line(Protocol):
    """One way to reach devices. Not safe for two exchanges at once: that is the Bus's part.

    times: the settings of a serial line, None on a network. latency: from the end of the last request to the start of
    its answer, in seconds. echoes: requests that came back.
    """

    latency: float
    echoes: int

    @property
    def times(self) -> bus_time.Line | None: ...

    async def exchange(self, unit: int, request: bytes, wait: float) -> bytes:
        """Request PDU -> answer PDU, given `wait` seconds beyond the time on the wire. Raises errors.DeviceError."""
        ...

    def free_at(self, unit: int, request: bytes = b"") -> float:
        """When a unit may be asked this, by the loop's clock: later while it may still answer what was given up."""
        ...

    def late(self) -> list[tuple[int, float]]:
        """(unit, seconds after the end of its request) of answers that came too late, since the last call."""
        ...

    async def close(self) -> None: ...


class Bus:
    """busy_s: seconds in which a transaction held the bus. lasted: those of the last one."""

    def __init__(self, *, name: str, line: Line) -> None:
        self.name = name
        self.counters = Counters()
        self.busy_s = 0.0
        self.lasted = 0.0
        self._line = line
        self._turns = _Turns()

    @property
    def times(self) -> bus_time.Line | None:
        """The settings of a serial line, None on a network."""
        return self._line.times

    @property
    def latency(self) -> float:
        """Seconds from the end of the last request that was answered to the start of its answer."""
        return self._line.latency

    def free_at(self, unit: int) -> float:
        """When a unit may be asked, by the loop's clock: later while it may still answer what was given up."""
        return self._line.free_at(unit)

    def late(self) -> list[tuple[int, float]]:
        """(unit, seconds after the end of its request) of answers that came too late, since the last call."""
        found = self._line.late()
        self.counters.late += len(found)
        return found

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
        loop = asyncio.get_running_loop()
        while (wait_s := self._line.free_at(unit, request) - loop.time()) > 0:  # others need not wait for that
            await asyncio.sleep(wait_s)
        await self._turns.take(urgent)
        began = loop.time()
        try:
            before()
            self.counters.requests += 1
            answer = await self._line.exchange(unit, request, wait)
            modbus.check_answer(request, answer)
            return answer
        except errors.DeviceError as error:
            self._count(error)
            raise
        finally:
            self.counters.echoes = self._line.echoes
            self.lasted = loop.time() - began
            self.busy_s += self.lasted
            self._turns.give()

    def _count(self, error: errors.DeviceError) -> None:
        counters = self.counters
        if isinstance(error, errors.Timeout):
            counters.timeouts += 1
            return
        counters.errors += 1
        if isinstance(error, errors.LineDown):
            counters.down += 1
        elif isinstance(error, errors.BadAnswer):
            counters.crc += 1
        elif isinstance(error, errors.Refused) and error.code in modbus.BUSY:
            counters.busy += 1
        else:
            counters.refused += 1

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
