"""A serial port that is not there: a pty with several Modbus RTU units, as slow as the wire would be.

The frames have the wire's timing as a whole (request, silence, latency, answer); single characters have not: the whole
answer arrives when its last character would have.
"""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from pymodbus.framer import FramerRTU

from device_profiles.bus_time import Line
from simulators.device import EmulatedDevice
from simulators.modbus_answers import DECODER, FUNCTIONS, answer
from simulators.pty import Pty
from simulators.unit import EmulatedUnit, units

_QUIET = 0.05  # s without a byte end a frame of unknown length; a pty and its writer pause where a wire would not
_GARBAGE = bytes.fromhex("ff00a55a13370badf00d")


class RtuPort:
    """A pty behind a name that stays (a symbolic link), its units, and the half-duplex line between."""

    def __init__(
        self, *, path: Path, devices: list[EmulatedDevice], baud: int = 9600, parity: str = "none", stop_bits: int = 1
    ) -> None:
        """Raises ValueError where two devices share a register of one unit."""
        self.path = path
        self.units = units(devices)
        self.line = Line(baud=baud, parity=parity, stop_bits=stop_bits)
        self._framer = FramerRTU(DECODER)
        self._buffer = b""
        self._quiet: asyncio.TimerHandle | None = None
        self._due: dict[int, asyncio.TimerHandle] = {}  # unit -> its answer, which is under way
        self._pty = Pty(path=path, heard=self._heard)

    def unit(self, number: int) -> EmulatedUnit:
        """The unit with this number. Raises KeyError."""
        return self.units[number]

    def restore(self) -> None:
        """The port is there. Needs a running loop."""
        self._pty.restore()

    def vanish(self) -> None:
        """The adapter is pulled out: the name is gone, and whoever has it open gets an error."""
        self._pty.vanish()
        for handle in [*self._due.values(), *([self._quiet] if self._quiet else [])]:
            handle.cancel()
        self._due.clear()
        self._quiet, self._buffer = None, b""

    async def __aenter__(self) -> Self:
        self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()

    def _heard(self, data: bytes) -> None:
        self._buffer += data
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None
        if len(self._buffer) == request_length(self._buffer):
            self._frame()
        else:
            self._quiet = asyncio.get_running_loop().call_later(_QUIET, self._frame)

    def _frame(self) -> None:
        frame, self._buffer, self._quiet = self._buffer, b"", None
        if len(frame) >= 4 and FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big")):
            self._request(frame[0], frame[1:-2])

    def _request(self, number: int, request: bytes) -> None:
        unit = self.units.get(number)
        if unit is None or unit.faults.silent or number in self._due:
            return
        asked = (len(request) + 3) * self.line.character + self.line.silence
        self._due[number] = asyncio.get_running_loop().call_later(asked + unit.latency, self._answer, unit, request)

    def _answer(self, unit: EmulatedUnit, request: bytes) -> None:
        frame = self._framer.encode(answer(unit, request), unit.number, 0)
        if unit.faults.corrupt:
            frame = frame[:-1] + bytes([frame[-1] ^ 0x55])
        if unit.faults.garbage:
            frame = _GARBAGE
        wire = len(frame) * self.line.character
        self._due[unit.number] = asyncio.get_running_loop().call_later(wire, self._send, unit.number, frame)

    def _send(self, number: int, frame: bytes) -> None:
        del self._due[number]
        self._pty.write(frame)


def request_length(frame: bytes) -> int | None:
    """Characters of a whole request, as its start tells; None where only silence tells that it is over."""
    if len(frame) < 2 or frame[1] not in FUNCTIONS:
        return None
    kind = DECODER.lookupPduClass(frame)
    return kind.calculateRtuFrameSize(frame) if kind is not None else None
