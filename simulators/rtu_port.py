"""A serial port that is not there: a pty with several Modbus RTU units, as slow as the wire would be.

Its clock is the line's: a request takes its characters' time, the device waits for the silence that ends a frame (3.5
characters) or its own latency, whichever is longer, and the answer arrives when its last character would have. Single
characters have no timing of their own. How exact that is depends on the loop: asyncio's own timer has a millisecond;
`fine_loop` has microseconds, and a process of its own keeps the two sides of the line apart (bench/wire.py).
"""

import asyncio
import itertools
import selectors
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pymodbus.framer import FramerRTU

from device_profiles.bus_time import Line
from simulators.device import EmulatedDevice
from simulators.modbus_answers import DECODER, FUNCTIONS, answer
from simulators.pty import Pty
from simulators.unit import EmulatedUnit, units
from simulators.wire_account import Account, Transaction

_QUIET = 0.05  # s without a byte end a frame of unknown length; a pty and its writer pause where a wire would not
_JITTER = 0.0001  # s that a silence may seem shorter than it was: the pty and two schedulers lie between the clocks
_GARBAGE = bytes.fromhex("ff00a55a13370badf00d")
_KEYS = itertools.count()


def fine_loop() -> asyncio.AbstractEventLoop:
    """A loop whose timer has microseconds: select() takes them, epoll only milliseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


@dataclass(kw_only=True)
class LineFaults:
    """What is wrong with the line, switchable while it runs."""

    echo: bool = False  # the adapter hears itself: each request comes back before its answer
    noise: bytes = b""  # these bytes follow each answer at once


class RtuPort:
    """A pty behind a name that stays (a symbolic link), its units, and the half-duplex line between.

    strict: what comes before the silence of 3.5 characters is over is not understood, as on a real device; without it,
    it is only counted.
    """

    def __init__(
        self,
        *,
        path: Path,
        devices: list[EmulatedDevice],
        baud: int = 9600,
        parity: str = "none",
        stop_bits: int = 1,
        strict: bool = False,
        spin: float = 0.0,
    ) -> None:
        """spin: seconds before an answer is due that the process waits awake.

        Raises ValueError where two devices share a register of one unit.
        """
        self.path = path
        self.units = units(devices)
        self.line = Line(baud=baud, parity=parity, stop_bits=stop_bits)
        self.strict = strict
        self.spin = spin
        self.faults = LineFaults()
        self.account = Account()
        self._framer = FramerRTU(DECODER)
        self._buffer = b""
        self._on_line = _Span(start=0.0, end=0.0)
        self._quiet: asyncio.TimerHandle | None = None
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._thinking: set[int] = set()  # units that will answer; they hear nothing meanwhile
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
        for handle in [*self._timers.values(), *([self._quiet] if self._quiet else [])]:
            handle.cancel()
        self._timers.clear()
        self._thinking.clear()
        self._quiet, self._buffer, self._on_line = None, b"", _Span(start=0.0, end=0.0)

    async def __aenter__(self) -> Self:
        self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()

    def _heard(self, data: bytes) -> None:
        """The master sends: a whole request, or a piece of one."""
        now = asyncio.get_running_loop().time()
        if not self._buffer:
            self._begins(now)
        self._buffer += data
        self._on_line.end = max(now, self._on_line.start + len(self._buffer) * self.line.character)
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None
        if len(self._buffer) == request_length(self._buffer):
            self._over()
        else:
            self._quiet = asyncio.get_running_loop().call_later(_QUIET, self._over)

    def _begins(self, now: float) -> None:
        """A request's first character. A master's own characters queue in its adapter; all others it runs into."""
        before = self._on_line
        start = max(now, before.end) if before.request else now
        request = self._occupy(start, start, request=True)
        if start >= before.end and start - before.end < self.line.silence - _JITTER:
            self.account.violations += 1
            request.spoilt = self.strict

    def _occupy(self, start: float, end: float, *, request: bool = False) -> "_Span":
        """Somebody sends from now on. Who sends at once with somebody else spoils both."""
        span = _Span(start=start, end=end, request=request)
        if start < self._on_line.end:
            self.account.collisions += 1
            span.spoilt = self._on_line.spoilt = True
        self._on_line = span
        return span

    def _over(self) -> None:
        frame, self._buffer, self._quiet = self._buffer, b"", None
        self._at(self._on_line.end, self._understand, frame, self._on_line)

    def _understand(self, frame: bytes, span: "_Span") -> None:
        """The last character of a request has passed."""
        if self.faults.echo:
            self._pty.write(frame)
        if span.spoilt or len(frame) < 4 or not FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big")):
            self.account.broken += 1
            return
        self._request(frame[0], frame[1:-2], span)

    def _request(self, number: int, request: bytes, span: "_Span") -> None:
        asked = self.account.asked(self.line, number, request, span.start, span.end)
        unit = self.units.get(number)
        if unit is None or number in self._thinking or not unit.hears(request):
            return
        self._thinking.add(number)
        pause = max(self.line.silence, unit.latency)
        # a device looks at its registers late in its latency, and this leaves time to encode them
        self._at(span.end + pause - self.line.silence / 2, self._prepare, unit, asked, span.end + pause)

    def _prepare(self, unit: EmulatedUnit, asked: Transaction, start: float) -> None:
        frame = self._framer.encode(answer(unit, asked.request), unit.number, 0)
        if unit.garbles():
            frame = _damaged(frame)
        self._at(start, self._speak, unit.number, asked, _GARBAGE if unit.faults.garbage else frame, start)

    def _speak(self, number: int, asked: Transaction, frame: bytes, start: float) -> None:
        """The first character of an answer."""
        self._thinking.discard(number)
        span = self._occupy(start, start + len(frame) * self.line.character)
        self.account.answers(self.line, asked, start - asked.end, len(frame))
        asked.end = span.end
        self._at(span.end - self.spin, self._deliver, frame, span)

    def _deliver(self, frame: bytes, span: "_Span") -> None:
        """The last character of an answer."""
        loop = asyncio.get_running_loop()
        while loop.time() < span.end:
            pass  # a sleeping process is woken some 0.1 ms late
        self.account.delivered(loop.time() - span.end)
        self._pty.write(_damaged(frame) if span.spoilt else frame)
        if self.faults.noise and self._on_line is span:
            end = span.end + len(self.faults.noise) * self.line.character
            self._at(self._occupy(span.end, end).end, self._pty.write, self.faults.noise)

    def _at(self, when: float, what: Callable[..., None], *arguments: object) -> None:
        """As loop.call_at, until the port vanishes."""
        key = next(_KEYS)

        def due() -> None:
            del self._timers[key]
            what(*arguments)

        self._timers[key] = asyncio.get_running_loop().call_at(when, due)


@dataclass(kw_only=True, slots=True)
class _Span:
    """What somebody sends, from its first character to its last."""

    start: float
    end: float
    request: bool = False
    spoilt: bool = False


def _damaged(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 0x55])


def request_length(frame: bytes) -> int | None:
    """Characters of a whole request, as its start tells; None where only silence tells that it is over."""
    if len(frame) < 2 or frame[1] not in FUNCTIONS:
        return None
    kind = DECODER.lookupPduClass(frame)
    return kind.calculateRtuFrameSize(frame) if kind is not None else None
