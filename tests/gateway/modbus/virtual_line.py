"""A bus in virtual time: a loop whose clock jumps to the next thing that is due, and a line that only takes time."""

import asyncio
import selectors
import struct

from device_profiles import bus_time
from protocols import errors, modbus


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing of the outside world may be waited for in it."""

    def __init__(self) -> None:
        super().__init__(_Jumping(self))
        self.now = 1000.0

    def time(self) -> float:
        return self.now


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout=None):
        assert timeout is not None, "everybody waits for something that never comes"
        self._loop.now += max(0.0, timeout)
        return super().select(0)


class VirtualLine:
    """All registers are 0. latencies: unit -> seconds; silent: units that do not answer, flaky: every other time."""

    def __init__(self, times: bus_time.Line, latencies: dict[int, float]) -> None:
        self.times = times
        self.latencies = latencies
        self.silent: set[int] = set()
        self.down = False
        self.latency = 0.0
        self.echoes = 0
        self.flaky: set[int] = set()
        self._failed: set[int] = set()

    async def exchange(self, unit: int, request: bytes, wait: float) -> bytes:
        if self.down:
            raise errors.LineDown("no port")
        table = next(name for name, code in modbus.READS.items() if code == request[0])
        (count,) = struct.unpack(">H", request[3:5])
        data = bus_time.data_bytes(table, count)
        answer = bus_time.ANSWER_CHARACTERS + data
        if unit in self.silent or (unit in self.flaky and unit not in self._failed):
            self._failed.add(unit)
            taken = (bus_time.REQUEST_CHARACTERS + answer) * self.times.character + wait + self.times.silence
            await asyncio.sleep(taken)
            raise errors.Timeout("no answer")
        self._failed.discard(unit)
        self.latency = self.latencies[unit]
        await asyncio.sleep(bus_time.exchange_time(self.times, bus_time.REQUEST_CHARACTERS, answer, self.latency))
        return bytes([request[0], data]) + bytes(data)

    def free_at(self, unit: int, request: bytes = b"") -> float:
        return asyncio.get_running_loop().time()

    def late(self) -> list[tuple[int, float]]:
        return []

    async def close(self) -> None:
        pass


def run(play) -> None:
    """play: a coroutine that ends."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play)
