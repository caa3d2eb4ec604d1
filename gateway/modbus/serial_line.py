"""Modbus RTU on a serial port: request PDUs IN, answer PDUs OUT."""

import asyncio

from device_profiles import bus_time
from gateway.serial_port import SerialPort
from protocols import modbus

# USB adapters deliver in portions up to 16 ms apart (FTDI's latency timer): a frame is over after thrice that.
FRAME_OVER_S = 0.05
# An answer that comes so much later than its request is told as late; after that nobody looks out for it.
LATE_MOST_S = 2.0


class SerialLine:
    """One port, opened when first used and again whenever it vanished and came back."""

    def __init__(self, *, port: str, baud: int, parity: str = "none", stop_bits: int = 1) -> None:
        self.latency = 0.0
        self.echoes = 0
        self._port = SerialPort(port=port, baud=baud, parity=parity, stop_bits=stop_bits)
        self._quiet_until: dict[int, float] = {}  # unit -> how long its answer to an abandoned request is waited out
        self._abandoned: dict[int, tuple[bytes, float]] = {}  # unit -> request, and when it had left
        self._late: list[tuple[int, float]] = []
        self._echoing = False

    @property
    def times(self) -> bus_time.Line:
        return self._port.times

    async def exchange(self, unit: int, request: bytes, wait: float) -> bytes:
        """Request PDU -> answer PDU, `wait` seconds beyond the time that both need on the wire. Raises DeviceError."""
        self._port.open()
        await self._port.silence(self.times.silence, self._quiet_until.pop(unit, 0.0))
        self._look_for_late()
        frame = modbus.rtu(unit, request)
        sent = self._port.send(frame)
        answer_s = (modbus.answer_length(request) + modbus.RTU_EXTRA) * self.times.character
        try:
            answer = await self._answer(unit, request, sent + answer_s + wait)
        except BaseException:
            # RTU has no transaction numbers: a late answer of this unit must not be taken for the next request's.
            self._quiet_until[unit] = asyncio.get_running_loop().time() + wait
            self._abandoned[unit] = request, sent
            raise
        finally:
            if modbus.has_echo(self._port.received, unit, request):
                self._echoing = True
                self.echoes += 1
        self._port.received.clear()  # what comes now was not asked for, or comes too late
        echo_s = len(frame) * self.times.character if self._echoing else 0.0
        self.latency = max(0.0, self._port.quiet_from - sent - answer_s - echo_s)
        return answer

    def late(self) -> list[tuple[int, float]]:
        found, self._late = self._late, []
        return found

    async def close(self) -> None:
        self._port.close()

    def _look_for_late(self) -> None:
        """What came since the last exchange, before it is thrown away."""
        now = asyncio.get_running_loop().time()
        for unit, (request, sent) in list(self._abandoned.items()):
            answer, _ = modbus.find_rtu(self._port.received, unit, request)
            if answer is not None:
                self._late.append((unit, self._port.quiet_from - sent))
            if answer is not None or now - sent > LATE_MOST_S:
                del self._abandoned[unit]

    async def _answer(self, unit: int, request: bytes, deadline: float) -> bytes:
        received = self._port.received
        while True:
            answer, missing = modbus.find_rtu(received, unit, request, echoing=self._echoing)
            if answer is not None:
                return answer
            until = deadline
            if modbus.is_corrupt(received, unit, request):
                until = min(deadline, self._port.quiet_from + FRAME_OVER_S)
            if asyncio.get_running_loop().time() >= until:
                raise modbus.explain_rtu(received, unit, request, echoing=self._echoing)
            await self._port.more(until, missing)
