"""An HJ 212-2017 station: it dials in over TCP, or hangs on a serial port, and sends again what was not replied to."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from protocols import hj212
from protocols.errors import BadAnswer
from protocols.hj212_frame import Splitter, wrap
from simulators.device import EmulatedDevice, now_ms
from simulators.pty import Pty

EVERY_S = {"2011": 30.0, "2051": 600.0, "2061": 3600.0, "2031": 86_400.0}
OVER_TIME_S, RECOUNT = 5.0, 3  # the standard's defaults: how long a reply is waited for, and how often it is sent again
KEPT = 1000  # packets that wait for a reply; the oldest go
_REDIAL_S = 0.5
_LOOK_S = 0.02
_SYSTEMS = {
    "hj212-noise": "23",
    "hj212-dust": "39",
    "hj212-dust-mg": "39",
}  # ST by profile; the others are air stations
_AIR = "22"
_INTERVAL = "1062"
_GARBAGE = b"\x00\xff#HTTP/1.1 400 Bad Request\r\n\r\n"


@dataclass(kw_only=True)
class Faults:
    """What is wrong with a station, switchable while it runs. All false: it works."""

    silent: bool = False  # sends nothing and replies to nothing
    corrupt: bool = False  # wrong check sums
    garbage: bool = False  # bytes that are no frame
    half: bool = False  # breaks off in the middle of a frame and, over TCP, hangs up
    deaf: bool = False  # does not hear replies, so it sends again
    password: str = ""  # another one than the right one
    flag: str = ""  # this data flag on every factor
    refuses: int = 0  # QnRtn to every command


@dataclass(kw_only=True, slots=True)
class _Waiting:
    body: bytes
    qn: str
    sent: int = 0
    sent_at: float = 0.0


class Hj212Station:
    """Its devices have their MN as address. `every`: seconds between packets, by CN."""

    def __init__(
        self,
        *,
        devices: Sequence[EmulatedDevice],
        host: str = "127.0.0.1",
        port: int = 0,
        path: Path | None = None,
        every: Mapping[str, float] = EVERY_S,
        password: str = "123456",
        over_time: float = OVER_TIME_S,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Dials host:port; or, with a path, is at the other end of a pty of that name."""
        self.devices = {device.address: device for device in devices}
        self.every = dict(every)
        self.faults = Faults()
        self.sent = 0  # frames, sent again or not
        self.commands: list[tuple[str, str]] = []  # CN, CP
        self._target = host, port
        self._pty = Pty(path=path, heard=self._heard) if path is not None else None
        self._writer: asyncio.StreamWriter | None = None
        self._password = password
        self._over_time = over_time
        self._clock = clock
        self._outbox: deque[_Waiting] = deque(maxlen=KEPT)
        self._splitter = Splitter()
        self._last_qn = 0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> int:
        """Packets that nobody has replied to yet."""
        return len(self._outbox)

    @property
    def connected(self) -> bool:
        return self._pty is not None or self._writer is not None

    async def restore(self) -> None:
        """It has power."""
        if not self._tasks:
            jobs = [self._produce(), self._send_all(), *([] if self._pty else [self._dial()])]
            self._tasks = [asyncio.create_task(job) for job in jobs]
            if self._pty:
                self._pty.restore()

    async def vanish(self) -> None:
        """It has none. What waits for a reply stays in its memory."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._pty:
            self._pty.vanish()
        self._hang_up()

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.vanish()

    async def _dial(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, self._writer = await asyncio.open_connection(*self._target)
                self._splitter = Splitter()
                for waiting in self._outbox:
                    waiting.sent = 0
                try:
                    while data := await reader.read(4096):
                        self._heard(data)
                finally:
                    self._hang_up()
            await asyncio.sleep(_REDIAL_S)

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    async def _produce(self) -> None:
        loop = asyncio.get_running_loop()
        due = dict.fromkeys(self.every, loop.time())
        while True:
            for cn in due:
                if loop.time() >= due[cn]:
                    due[cn] = loop.time() + self.every[cn]
                    self._outbox.extend(one for device in self.devices.values() if (one := self._packet(device, cn)))
                due[cn] = min(due[cn], loop.time() + self.every[cn])  # a shorter interval counts at once
            await asyncio.sleep(_LOOK_S)

    def _packet(self, device: EmulatedDevice, cn: str) -> _Waiting | None:
        factors: dict[str, list[str]] = {}
        now = self._clock()
        for item, raw in device.raws().items():
            own, _, name = item.partition(":")
            if own == cn:
                factors.setdefault(name.partition("-")[0], []).append(f"{name}={_written(raw)}")
        if not factors:
            return None
        groups = (",".join([*fields, f"{factor}-Flag={self.faults.flag or 'N'}"]) for factor, fields in factors.items())
        cp = ";".join([f"DataTime={hj212.written_time(now)}", *groups])
        self._last_qn = max(self._last_qn + 1, now)
        qn = hj212.written_time(self._last_qn, digits=17)
        st = _SYSTEMS.get(device.profile.profile, _AIR)
        pw = self.faults.password or self._password
        body = hj212.command(qn=qn, st=st, cn=cn, pw=pw, mn=device.address, cp=cp, edition=2017)
        return _Waiting(body=body, qn=qn)

    async def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for waiting in list(self._outbox) if self.connected and not self.faults.silent else []:
                if waiting.sent == 0 or (waiting.sent <= RECOUNT and loop.time() >= waiting.sent_at + self._over_time):
                    waiting.sent += 1
                    waiting.sent_at = loop.time()
                    self._send(waiting.body)
            await asyncio.sleep(_LOOK_S)

    def _send(self, body: bytes) -> None:
        frame = wrap(body)
        if self.faults.corrupt:
            frame = frame[:-6] + b"%04X\r\n" % (int(frame[-6:-2], 16) ^ 0x5555)
        if self.faults.garbage:
            frame = _GARBAGE
        if self.faults.half:
            frame = frame[: len(frame) // 2]
        self.sent += 1
        if self._pty:
            self._pty.write(frame)
        elif self._writer is not None:
            self._writer.write(frame)
            if self.faults.half:
                self._writer.close()

    def _heard(self, data: bytes) -> None:
        for body in self._splitter.feed(data):
            if not isinstance(body, BadAnswer) and not self.faults.deaf and not self.faults.silent:
                self._answer(hj212.parse(body))

    def _answer(self, packet: hj212.Packet) -> None:
        if packet.cn in (hj212.DATA_REPLY, hj212.NOTICE_REPLY):
            for waiting in [each for each in self._outbox if each.qn == packet.qn]:
                self._outbox.remove(waiting)
            return
        self.commands.append((packet.cn, packet.cp))
        device = self.devices.get(packet.mn)
        seconds = hj212.values(packet.cp).get("RtdInterval", "")
        known = packet.cn == _INTERVAL and seconds.isdigit() and 30 <= int(seconds) <= 3600
        code = self.faults.refuses or (4 if device is None else 1 if known else 8)
        self._send(hj212.answer(packet, hj212.REQUEST_REPLY, {"QnRtn": code}, 2017))
        if code == 1:
            self.every["2011"] = float(seconds)
            self._send(hj212.answer(packet, hj212.RESULT, {"ExeRtn": 1}, 2017))


def _written(raw: float | bool | str) -> str:
    if isinstance(raw, str):
        return raw
    return str(int(raw)) if isinstance(raw, int) else f"{raw:.9f}".rstrip("0").rstrip(".")
