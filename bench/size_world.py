"""The emulated devices of `pole bench size`, in a process of their own: canned registers, at the wire's speed.

    python -m bench.size_world serial FOLDER BUSES PORTION        python -m bench.size_world tcp DEVICES

It says on standard output, a JSON line each: {"ports": [...]} when it is ready, and then once a second what it did.
"""

import asyncio
import json
import struct
import sys
import time
from functools import cache
from pathlib import Path

from bench.size_site import LATENCY_S, PLACES, SERIAL_EVERY_S, Size, serial_port
from device_profiles.bus_time import Line
from device_profiles.schema import WORDS
from protocols import modbus
from simulators.pty import Pty

MOVED_OF = 5  # in each round one value of so many has moved beyond its deadband
PHASES = 2 * MOVED_OF  # a value moves there and back
LINE = Line(baud=9600)
REQUEST = 8  # bytes of a read on a serial line
_MBAP_REQUEST = 12
_FORMATS = {"float32": ">f", "uint16": ">H", "uint32": ">I"}


class Counts:
    """What was answered. first: the clock's seconds when each end (bus or connection) answered for the first time."""

    def __init__(self, ends: int) -> None:
        self.answers = 0
        self.readings = 0
        self.refused = 0
        self.ends = ends
        self.first: dict[int, float] = {}
        self.units: dict[tuple[int, int], int] = {}

    def answered(self, end: int, unit: int, readings: int) -> None:
        self.answers += 1
        self.readings += readings
        self.refused += not readings
        self.first.setdefault(end, time.monotonic())
        self.units[end, unit] = self.units.get((end, unit), 0) + readings

    def told(self) -> dict[str, object]:
        whole = len(self.first) == self.ends
        return {
            "answers": self.answers,
            "readings": self.readings,
            "refused": self.refused,
            "all_first": max(self.first.values(), default=0.0) if whole else None,
            "units": len(self.units),
            "least": min(self.units.values(), default=0),
        }


@cache
def image(table: str, phase: int) -> tuple[int, ...]:
    """The registers of one table, from address 0."""
    words: list[int] = []
    for index, (own, address, kind, scale) in enumerate(PLACES.values()):
        if own == table:
            moved = (phase - index) % PHASES < MOVED_OF
            number = (500.0 + 10 * index + 2 * moved) / scale
            packed = struct.pack(_FORMATS[kind], number if kind == "float32" else round(number))
            assert address == len(words)
            words += struct.unpack(f">{len(packed) // 2}H", packed)
    return tuple(words)


@cache
def answer(request: bytes, phase: int) -> tuple[bytes, int]:
    """Request PDU -> answer PDU, and how many points it holds; 0 where it is refused."""
    function, address, count = struct.unpack(">BHH", request)
    table = {code: name for name, code in modbus.READS.items()}.get(function, "")
    words = image(table, phase)[address : address + count]
    if len(words) != count:
        return bytes((function | 0x80, 2)), 0
    held = sum(
        own == table and address <= place and place + WORDS[kind] <= address + count
        for own, place, kind, _ in PLACES.values()
    )
    return struct.pack(f">BB{count}H", function, 2 * count, *words), held


@cache
def rtu_answer(frame: bytes, phase: int) -> tuple[bytes, int]:
    body, readings = answer(frame[1:-2], phase)
    return modbus.rtu(frame[0], body), readings


def phase(every: float, unit: int) -> int:
    """Moves on once a poll period, and not for all units alike."""
    return (int(time.monotonic() / every) + unit) % PHASES


class SerialBus:
    """A pty that answers for every unit, when the wire would.

    portion: so many characters arrive together, as an adapter or a UART delivers them; 0: the whole answer at its end.
    """

    def __init__(self, *, number: int, path: Path, portion: int, counts: Counts) -> None:
        self._number = number
        self._portion = portion
        self._counts = counts
        self._held = b""
        self.pty = Pty(path=path, heard=self._heard)

    def _heard(self, data: bytes) -> None:
        self._held += data
        if len(self._held) < REQUEST:
            return
        frame, self._held = self._held[:REQUEST], b""
        body, readings = rtu_answer(frame, phase(SERIAL_EVERY_S, frame[0]))
        began = asyncio.get_running_loop().time() + REQUEST * LINE.character + LINE.silence + LATENCY_S
        self._next(began, 0, body, readings)

    def _next(self, began: float, sent: int, body: bytes, readings: int) -> None:
        end = min(sent + (self._portion or len(body)), len(body))
        at = began + end * LINE.character
        asyncio.get_running_loop().call_at(at, self._send, began, sent, end, body, readings)

    def _send(self, began: float, sent: int, end: int, body: bytes, readings: int) -> None:
        self.pty.write(body[sent:end])
        if end < len(body):
            self._next(began, end, body, readings)
        else:
            self._counts.answered(self._number, body[0], readings)


class Connection(asyncio.Protocol):
    """One Modbus TCP device."""

    def __init__(self, *, number: int, counts: Counts) -> None:
        self._number = number
        self._every = Size().tcp_every(number)
        self._counts = counts
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while len(self._held) >= _MBAP_REQUEST:
            frame, self._held = self._held[:_MBAP_REQUEST], self._held[_MBAP_REQUEST:]
            asyncio.get_running_loop().call_later(LATENCY_S, self._answer, frame)

    def _answer(self, frame: bytes) -> None:
        body, readings = answer(frame[7:], phase(self._every, self._number))
        self._transport.write(modbus.mbap(int.from_bytes(frame[:2], "big"), frame[6], body))
        self._counts.answered(self._number, frame[6], readings)


async def serial(folder: Path, buses: int, portion: int) -> None:
    counts = Counts(buses)
    for number in range(buses):
        SerialBus(number=number, path=serial_port(folder, number), portion=portion, counts=counts).pty.restore()
    await _tell([], counts)


async def tcp(devices: int) -> None:
    counts = Counts(devices)
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda number=number: Connection(number=number, counts=counts), "127.0.0.1", 0)  # type: ignore[misc]
        for number in range(devices)
    ]
    await _tell([server.sockets[0].getsockname()[1] for server in servers], counts)


async def _tell(ports: list[int], counts: Counts) -> None:
    _say({"ports": ports})
    while True:
        await asyncio.sleep(1)
        _say(counts.told() | {"at": time.monotonic()})


def _say(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


def main(kind: str, *arguments: str) -> None:
    if kind == "serial":
        asyncio.run(serial(Path(arguments[0]), int(arguments[1]), int(arguments[2])))
    else:
        asyncio.run(tcp(int(arguments[0])))


if __name__ == "__main__":
    main(*sys.argv[1:])
