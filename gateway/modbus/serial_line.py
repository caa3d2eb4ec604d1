"""Modbus RTU on a serial port: request PDUs IN, answer PDUs OUT."""

import asyncio

from gateway.serial_port import SerialPort
from protocols import modbus

# USB adapters deliver in portions up to 16 ms apart (FTDI's latency timer): a frame is over after thrice that.
FRAME_OVER_S = 0.05


class SerialLine:
    """One port, opened when first used and again whenever it vanished and came back."""

    def __init__(self, *, port: str, baud: int, parity: str = "none", stop_bits: int = 1) -> None:
        self._port = SerialPort(port=port, baud=baud, parity=parity, stop_bits=stop_bits)
        self._late: dict[int, float] = {}  # unit -> until when its answer to an abandoned request may still come
        self._echoing = False

    async def exchange(self, unit: int, request: bytes, wait: float) -> bytes:
        """Request PDU -> answer PDU, `wait` seconds beyond the time that both need on the wire. Raises DeviceError."""
        self._port.open()
        await self._port.silence(self._port.times.silence, self._late.pop(unit, 0.0))
        deadline = asyncio.get_running_loop().time() + self.wire_seconds(request) + wait
        self._port.send(modbus.rtu(unit, request))
        try:
            answer = await self._answer(unit, request, deadline)
        except BaseException:
            # RTU has no transaction numbers: a late answer of this unit must not be taken for the next request's.
            self._late[unit] = asyncio.get_running_loop().time() + wait
            raise
        self._echoing = self._echoing or modbus.has_echo(self._port.received, unit, request)
        return answer

    def wire_seconds(self, request: bytes) -> float:
        """Time that a request and its answer take on the wire."""
        around = 2 * modbus.RTU_EXTRA  # unit and checksum, both ways
        return (len(request) + modbus.answer_length(request) + around) * self._port.times.character

    async def close(self) -> None:
        self._port.close()

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
