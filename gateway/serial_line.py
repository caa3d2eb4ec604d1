"""Modbus RTU on a serial port: request PDUs IN, answer PDUs OUT."""

import asyncio
import os
import termios

import serial

from device_profiles import bus_time
from protocols import errors, modbus
from wire.backoff import Backoff

# USB adapters deliver in portions up to 16 ms apart (FTDI's latency timer): a frame is over after thrice that.
FRAME_OVER_S = 0.05
NOISE_S = 1.0  # a line that is not quiet for so long is told: somebody on it speaks without being asked
MAX_HELD = 1024  # four frames: more than that between two requests is noise
REOPEN_FIRST_S, REOPEN_MOST_S = 0.5, 30.0
_PARITY = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class SerialLine:
    """One port, opened when first used and again whenever it vanished and came back."""

    def __init__(self, *, port: str, baud: int, parity: str = "none", stop_bits: int = 1) -> None:
        self._path = port
        self._baud = baud
        self._parity = parity
        self._stop_bits = stop_bits
        self._times = bus_time.Line(baud=baud, parity=parity, stop_bits=stop_bits)
        self._port: serial.Serial | None = None
        self._backoff = Backoff(first=REOPEN_FIRST_S, most=REOPEN_MOST_S)
        self._retry_at = 0.0
        self._trouble = ""
        self._received = bytearray()
        self._arrived = asyncio.Event()
        self._quiet_from = 0.0  # when the last character on the line ended
        self._late: dict[int, float] = {}  # unit -> until when its answer to an abandoned request may still come
        self._echoing = False

    async def exchange(self, unit: int, request: bytes, wait: float) -> bytes:
        """Request PDU -> answer PDU, `wait` seconds beyond the time that both need on the wire. Raises DeviceError."""
        self._open()
        await self._silence(unit)
        frame = modbus.rtu(unit, request)
        deadline = asyncio.get_running_loop().time() + self.wire_seconds(request) + wait
        self._send(frame)
        try:
            answer = await self._answer(unit, request, deadline)
        except BaseException:
            # RTU has no transaction numbers: a late answer of this unit must not be taken for the next request's.
            self._late[unit] = asyncio.get_running_loop().time() + wait
            raise
        self._echoing = self._echoing or modbus.has_echo(self._received, unit, request)
        return answer

    def wire_seconds(self, request: bytes) -> float:
        """Time that a request and its answer take on the wire."""
        around = 2 * modbus.RTU_EXTRA  # unit and checksum, both ways
        return (len(request) + modbus.answer_length(request) + around) * self._times.character

    async def close(self) -> None:
        self._lose("closed")

    def _open(self) -> None:
        if self._port is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._retry_at:
            raise errors.LineDown(self._trouble)
        try:
            self._port = serial.Serial(
                self._path,
                self._baud,
                parity=_PARITY[self._parity],
                stopbits=self._stop_bits,
                timeout=0,
                inter_byte_timeout=0,  # VMIN 1: an empty read then means that the port is gone
                exclusive=True,
            )
        except (OSError, ValueError) as error:  # SerialException is an OSError
            self._lose(str(error))
            raise errors.LineDown(self._trouble) from None
        self._backoff.reset()
        self._quiet_from = loop.time()
        loop.add_reader(self._port.fileno(), self._read)

    def _lose(self, trouble: str) -> None:
        loop = asyncio.get_running_loop()
        self._trouble = f"{self._path}: {trouble}"
        self._retry_at = loop.time() + self._backoff.next()
        self._arrived.set()
        if self._port is not None:
            loop.remove_reader(self._port.fileno())
            self._port.close()
            self._port = None

    async def _silence(self, unit: int) -> None:
        loop = asyncio.get_running_loop()
        late_until = self._late.pop(unit, 0.0)
        until = max(loop.time(), late_until) + NOISE_S
        while (left := max(self._quiet_from + self._times.silence, late_until) - loop.time()) > 0:
            if loop.time() > until:
                raise errors.BadAnswer("noise", f"the line is never quiet: {bytes(self._received[-16:]).hex(' ')}")
            await asyncio.sleep(left)  # noise meanwhile makes the silence start anew

    def _send(self, frame: bytes) -> None:
        if self._port is None:  # it vanished during the silence
            raise errors.LineDown(self._trouble)
        try:
            self._port.reset_input_buffer()
            sent = os.write(self._port.fileno(), frame)
        except (OSError, termios.error) as error:
            self._lose(str(error))
            raise errors.LineDown(self._trouble) from None
        self._received.clear()
        self._quiet_from = asyncio.get_running_loop().time() + len(frame) * self._times.character
        if sent != len(frame):
            raise errors.Timeout(f"the port took {sent} of {len(frame)} bytes")

    def _read(self) -> None:
        assert self._port is not None
        try:
            data = os.read(self._port.fileno(), 4096)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(str(error))
            return
        if not data:
            self._lose("hung up")
            return
        self._received += data[: max(0, MAX_HELD - len(self._received))]
        self._quiet_from = max(self._quiet_from, asyncio.get_running_loop().time())
        self._arrived.set()

    async def _answer(self, unit: int, request: bytes, deadline: float) -> bytes:
        loop = asyncio.get_running_loop()
        while self._port is not None:
            answer, _ = modbus.find_rtu(self._received, unit, request, echoing=self._echoing)
            if answer is not None:
                return answer
            until = deadline
            if modbus.is_corrupt(self._received, unit, request):
                until = min(deadline, self._quiet_from + FRAME_OVER_S)
            if loop.time() >= until:
                raise modbus.explain_rtu(self._received, unit, request, echoing=self._echoing)
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._arrived.wait()
            except TimeoutError:
                continue
        raise errors.LineDown(self._trouble)
