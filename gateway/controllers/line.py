"""The serial line of controllers: a question OUT, the answer to it IN."""

import asyncio
from collections.abc import Callable

from device_profiles import bus_time
from gateway.controllers.frame import ANSWER, LONGEST, Frame, decode, encode
from gateway.serial_port import SerialPort
from protocols import errors

# A controller answers within 0.12 s or not at all (edge/serial_link.py), so that it never speaks into what comes next.
ANSWER_S = 0.2
# After an answer its sender needs a moment to leave the line: software switches the direction on many boards.
TURN_S = 0.003
OVER_S = 0.05  # a damaged frame is over after so much silence: adapters deliver in portions up to 16 ms apart,
PORTION = 64  # or of so many characters


class Line:
    """times: the line's. busy_s: how long it was used; damaged: frames that came with a wrong checksum."""

    def __init__(self, *, port: str, baud: int, parity: str = "none", stop_bits: int = 1) -> None:
        self.busy_s = 0.0
        self.damaged = 0
        self._port = SerialPort(port=port, baud=baud, parity=parity, stop_bits=stop_bits)

    @property
    def times(self) -> bus_time.Line:
        return self._port.times

    async def ask(self, question: Callable[[], Frame]) -> Frame:
        """question() is called when the line is free. Raises LineDown, Timeout, or BadAnswer where noise came."""
        port, loop = self._port, asyncio.get_running_loop()
        port.open()
        await port.silence(max(self.times.silence, TURN_S))
        began = loop.time()
        asked = question()
        sent = port.send(encode(asked))
        try:
            return await self._answer(asked.address, sent)
        finally:
            self.busy_s += loop.time() - began

    def close(self) -> None:
        self._port.close()

    async def _answer(self, address: int, sent: float) -> Frame:
        port, loop = self._port, asyncio.get_running_loop()
        portion_s = PORTION * self.times.character
        until = begins_by = sent + ANSWER_S + portion_s
        damaged = self.damaged
        while True:
            if (answer := self._find(address)) is not None:
                return answer
            if port.received:  # it has begun: noise goes on no longer than the longest frame takes
                until = min(begins_by + LONGEST * self.times.character, port.quiet_from + OVER_S + portion_s)
            if loop.time() >= until:
                if port.received or self.damaged > damaged:
                    raise errors.BadAnswer("crc", "what came was damaged")
                raise errors.Timeout("no answer")
            await port.more(until)

    def _find(self, address: int) -> Frame | None:
        """The answer of this controller in what came; what is before it is taken away."""
        received = self._port.received
        while (end := received.find(0)) >= 0:
            found = decode(received[:end]) if end else None
            self.damaged += bool(end) and found is None
            del received[: end + 1]
            if found is not None and found.flags & ANSWER and found.address == address:
                return found
        return None
