"""DL/T 645-2007 meters on a pty, as slow as the wire would be (2400 baud: 4.6 ms a character)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from device_profiles.bus_time import Line
from protocols import dlt645
from simulators.device import EmulatedDevice
from simulators.pty import Pty

LATENCY_S = 0.03  # the standard allows 20 to 500 ms
NO_SUCH_DATA = 0x02
_ANSWER, _ERROR, _MORE = 0x80, 0xC0, 0xA0
_GARBAGE = bytes.fromhex("fe68ff00a55a1337ff16")
_PHASES = {True: 4, False: 3}  # members of a block: with the total, without


@dataclass(kw_only=True)
class Faults:
    """What is wrong with a meter, switchable while it runs. All false: it works."""

    silent: bool = False
    slow: float = 0.0  # seconds on top of the usual latency
    corrupt: bool = False  # a wrong check sum
    garbage: bool = False  # bytes that are no frame
    half: bool = False  # the answer breaks off
    foreign: bool = False  # answers under another meter's number
    more: bool = False  # says that follow-up frames come
    refuses: int = 0  # this error to every request


@dataclass(kw_only=True)
class EmulatedMeter:
    device: EmulatedDevice
    faults: Faults = field(default_factory=Faults)
    requests: int = 0

    def answer(self, request: dlt645.Frame) -> bytes:
        """A read -> the whole answering frame, without what is wrong with the line."""
        self.requests += 1
        address = self.device.address if not self.faults.foreign else f"{int(self.device.address) ^ 1:012d}"
        if request.control == dlt645.READ_ADDRESS:
            return dlt645.encode(address, request.control | _ANSWER, bytes.fromhex(self.device.address)[::-1])
        data = self._data(request.data[:4][::-1].hex().upper())
        if self.faults.refuses or data is None:
            return dlt645.encode(address, request.control | _ERROR, bytes([self.faults.refuses or NO_SUCH_DATA]))
        control = request.control | (_MORE if self.faults.more else _ANSWER)
        return dlt645.encode(address, control, request.data[:4] + data)

    def _data(self, item: str) -> bytes | None:
        """What stands behind an identifier; None where the meter does not have it."""
        raws = {name.upper(): raw for name, raw in self.device.raws().items()}
        if item[4:6] != "FF":
            return dlt645.bcd(int(raws[item]), item) if item in raws else None
        has_total = dlt645.members_of(item, 1)[0][4:6] == "00"
        names = dlt645.members_of(item, _PHASES[has_total])
        if not raws.keys() & set(names):
            return None
        return b"".join(dlt645.bcd(int(raws.get(name, 0)), name) for name in names)


class Dlt645Port:
    """The meters of one line behind a pty. They answer to their number, and to numbers with AA in them."""

    def __init__(
        self,
        *,
        path: Path,
        devices: Sequence[EmulatedDevice],
        baud: int = 2400,
        parity: str = "even",
        latency: float = LATENCY_S,
    ) -> None:
        self.path = path
        self.line = Line(baud=baud, parity=parity, stop_bits=1)
        self.meters = {device.address: EmulatedMeter(device=device) for device in devices}
        self._latency = latency
        self._pty = Pty(path=path, heard=self._heard)
        self._received = b""
        self._due: set[asyncio.Task[None]] = set()

    def meter(self, address: str) -> EmulatedMeter:
        """Raises KeyError."""
        return self.meters[address]

    def restore(self) -> None:
        self._pty.restore()

    def vanish(self) -> None:
        """The adapter is pulled out."""
        self._pty.vanish()
        for task in self._due:
            task.cancel()
        self._due.clear()
        self._received = b""

    async def __aenter__(self) -> Self:
        self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()

    def _heard(self, data: bytes) -> None:
        self._received = (self._received + data)[-2 * dlt645.MOST_FRAME :]
        for request in dlt645.frames(self._received):
            self._received = b""
            asked = (dlt645.OVERHEAD + len(request.data) + len(dlt645.WAKE)) * self.line.character
            for address, meter in self.meters.items():
                if _is_meant(address, request) and not meter.faults.silent:
                    self._later(asked + self._latency + meter.faults.slow, meter, request)

    def _later(self, wait: float, meter: EmulatedMeter, request: dlt645.Frame) -> None:
        frame = dlt645.WAKE + meter.answer(request)
        if meter.faults.corrupt:
            frame = frame[:-2] + bytes([frame[-2] ^ 0x55, frame[-1]])
        if meter.faults.garbage:
            frame = _GARBAGE
        if meter.faults.half:
            frame = frame[: len(frame) // 2]
        wire = len(frame) * self.line.character
        task = asyncio.create_task(self._send(wait + wire, frame))
        self._due.add(task)
        task.add_done_callback(self._due.discard)

    async def _send(self, wait: float, frame: bytes) -> None:
        await asyncio.sleep(wait)
        self._pty.write(frame)


def _is_meant(address: str, request: dlt645.Frame) -> bool:
    pairs = zip(address, request.address, strict=True)
    return request.control in (dlt645.READ, dlt645.READ_ADDRESS) and all(said in (own, "A") for own, said in pairs)
