"""Modbus RTU on a serial port: request PDUs IN, answer PDUs OUT."""

import asyncio

from device_profiles import bus_time
from gateway.modbus.unanswered import Unanswered
from gateway.serial_port import SerialPort
from protocols import modbus

# USB adapters deliver in portions up to 16 ms apart (FTDI's latency timer): a frame is over after thrice that.
FRAME_OVER_S = 0.05


class SerialLine:
    """One port, opened when first used and again whenever it vanished and came back."""

    def __init__(self, *, port: str, baud: int, parity: str = "none", stop_bits: int = 1) -> None:
        self.latency = 0.0
        self.echoes = 0
        self._port = SerialPort(port=port, baud=baud, parity=parity, stop_bits=stop_bits)
        self._unanswered = Unanswered()
        self._echoing = False

    @property
    def times(self) -> bus_time.Line:
        return self._port.times

    async def exchange(self, unit: int, request: bytes, wait: float) -> bytes:
        """Request PDU -> answer PDU, `wait` seconds beyond the time that both need on the wire. Raises DeviceError."""
        port = self._port
        port.open()
        await port.silence(self.times.silence, self._unanswered.free_at(unit, request))
        self._look_for_late()
        sent = port.send(modbus.rtu(unit, request))
        answer_s = (modbus.answer_length(request) + modbus.RTU_EXTRA) * self.times.character
        try:
            answer = await self._answer(unit, request, sent + answer_s + wait)
        except BaseException:
            if not modbus.is_corrupt(port.received, unit, request):  # that was the answer
                now = asyncio.get_running_loop().time()
                self._unanswered.add(unit, request, sent=sent, wait=wait, now=now)
            raise
        self._unanswered.asked_again(unit, sent=sent, now=asyncio.get_running_loop().time())
        self._look_for_late(but=unit)  # others may have spoken meanwhile
        port.received.clear()  # what comes now was not asked for, or comes too late
        self.latency = max(0.0, port.quiet_from - sent - answer_s)
        return answer

    def free_at(self, unit: int, request: bytes = b"") -> float:
        """When a unit may be asked this, by the loop's clock; 0 for at once."""
        return self._unanswered.free_at(unit, request)

    def late(self) -> list[tuple[int, float]]:
        return self._unanswered.late()

    async def close(self) -> None:
        self._port.close()

    def _look_for_late(self, but: int | None = None) -> None:
        now = asyncio.get_running_loop().time()
        self._unanswered.look(self._port.received, came_at=self._port.quiet_from, now=now, but=but)

    async def _answer(self, unit: int, request: bytes, deadline: float) -> bytes:
        received = self._port.received
        echo = False
        while True:
            if not echo and modbus.has_echo(received, unit, request):
                echo = self._echoing = True
                self.echoes += 1
                del received[: len(request) + modbus.RTU_EXTRA]
            answer, missing = modbus.find_rtu(received, unit, request, echoing=self._echoing)
            if answer is not None:
                if len(request) != len(answer):  # else it was a write of one item, and nobody can tell
                    self._echoing = echo
                return answer
            until = deadline
            if modbus.is_corrupt(received, unit, request):
                until = min(deadline, self._port.quiet_from + FRAME_OVER_S)
            if asyncio.get_running_loop().time() >= until:
                raise modbus.explain_rtu(received, unit, request, echoing=self._echoing)
            await self._port.more(until, missing)
