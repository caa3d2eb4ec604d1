"""HJ 212 stations, which speak by themselves: frames IN from TCP connections or a serial port, items OUT to heard().

Every station is known by its MN, whatever connection it comes on. A packet that wants a reply gets it when its readings
are on the disk: a station keeps what was not replied to. One that comes again is replied to again, but heard once.
"""

import asyncio
import contextlib
import hashlib
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from gateway.heard.hj212_link import STREAM_LIMIT, Link, SerialLink, TcpLink
from protocols import hj212
from protocols.errors import BadAnswer, DeviceError, LineDown, Refused, Timeout
from protocols.hj212_frame import Splitter, wrap
from wire.backoff import Backoff

log = structlog.get_logger("hj212")

CONNECTIONS_MOST = 64
STATIONS_MOST = 1024  # MNs that are remembered; anybody can make them up
SEEN_MOST = 64  # packets of a station by which a repeated one is known
GARBAGE_MOST = 65_536  # bytes without one good frame: the connection is dropped
MISTAKES_MOST = 100  # or so many bad frames
FRAMES_A_SECOND = 50  # what comes faster on one connection waits in the network
FRAME_S = 60.0  # from a frame's first byte to its last
IDLE_S = 7200.0  # twice the longest interval of real-time data
REPLY_S, RESULT_S = 5.0, 20.0  # 9011 and 9012 after a command (5 s: the standard's OverTime)
DURABLE_S = 10.0  # a disk that takes nothing for so long: no reply, and the station sends again
SAY_AGAIN_S = 10.0
RETRY_FIRST_S, RETRY_MOST_S = 0.5, 30.0

Heard = Callable[[str, Mapping[str, hj212.Item], int | None], None]
Durable = Callable[[], Awaitable[None]]
_VALUE = re.compile(r"[A-Za-z0-9.:_-]{1,64}")


@dataclass(eq=False, slots=True, kw_only=True)
class _Station:
    link: Link
    mn: str  # as the station writes it; we compare small letters
    edition: int
    st: str = ""
    pw: str = field(default="", repr=False)
    seen: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    parts: tuple[str, int] = ("", 0)  # QN and time of the packet whose parts are coming


class Hj212Listener:
    def __init__(
        self,
        *,
        listen: str | None = None,
        port: str | None = None,
        baud: int = 9600,
        parity: str = "none",
        stop_bits: int = 1,
        edition: int = 2017,
        password: str | None = None,
        known: Container[str] | None = None,
    ) -> None:
        """Either listen ("host:port") or port (a serial one). known: the MNs, in small letters, that get replies.

        Raises ValueError for an edition that is not spoken.
        """
        hj212.check_edition(edition)
        self.listening_at: tuple[str, int] | None = None
        self._listen = listen or ""
        self._serial = port or ""
        self._settings = (baud, parity, stop_bits)
        self._edition = edition
        self._password = password
        self._known = known
        self._heard: Heard = lambda address, items, time_ms: None
        self._durable: Durable = _at_once
        self._owed: list[tuple[Link, bytes]] = []  # replies to what was just heard
        self._links: dict[Link, bool] = {}  # whether it ever said a good frame
        self._stations: OrderedDict[str, _Station] = OrderedDict()
        self._asked: dict[tuple[str, str], asyncio.Queue[hj212.Packet]] = {}
        self._last_qn = 0
        self._quiet: dict[str, tuple[float, int]] = {}

    async def run(self, heard: Heard, durable: Durable) -> None:
        """Until cancelled."""
        self._heard, self._durable = heard, durable
        if self._serial:
            await self._hear_serial()
        backoff = Backoff(first=RETRY_FIRST_S, most=RETRY_MOST_S)
        while True:
            try:
                await self._serve()
            except OSError as error:
                self._say("cannot listen", error=str(error))
            await asyncio.sleep(backoff.next())

    async def tell(
        self, address: str, item: str, raw: float | str | bytes | None, *, before: Callable[[], None] = lambda: None
    ) -> None:
        """item: CN:field, as 1062:RtdInterval. Returns when the station says that it did it; asks once only."""
        cn, _, name = item.partition(":")
        value = f"{raw:g}" if isinstance(raw, float) else str(raw)
        if not re.fullmatch(r"\d{4}", cn) or (raw is not None and not _VALUE.fullmatch(value)):
            raise Refused(0, f"no command of HJ 212: {item} = {value!r}")
        station = self._stations.get(address.lower())
        if station is None or station.link not in self._links:
            raise LineDown(f"station {address} is not connected")
        qn = self._next_qn()
        body = hj212.command(
            qn=qn, st=station.st, cn=cn, pw=self._password or station.pw, mn=station.mn,
            cp="" if raw is None else f"{name}={value}", edition=station.edition,
        )  # fmt: skip
        answers = self._asked[station.mn, qn] = asyncio.Queue(8)
        try:
            before()
            station.link.write(wrap(body))
            await _confirmed(answers)
        finally:
            del self._asked[station.mn, qn]

    async def close(self) -> None:
        for link in list(self._links):
            link.close()

    async def _serve(self) -> None:
        host, _, port = self._listen.rpartition(":")
        server = await asyncio.start_server(self._connected, host.strip("[]"), int(port), limit=STREAM_LIMIT)
        self.listening_at = server.sockets[0].getsockname()[:2]
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            await self.close()

    async def _hear_serial(self) -> None:
        baud, parity, stop_bits = self._settings
        link = SerialLink(port=self._serial, baud=baud, parity=parity, stop_bits=stop_bits)
        while True:  # the port itself waits longer and longer between its attempts to open
            await self._converse(link)
            await asyncio.sleep(RETRY_FIRST_S)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = TcpLink(reader, writer)
        if len(self._links) >= CONNECTIONS_MOST:
            mute = next((other for other, has_spoken in self._links.items() if not has_spoken), None)
            self._say("too many connections", dropped=(mute or link).name)
            if mute is None:
                link.close()
                return
            self._links.pop(mute)
            mute.close()
        with contextlib.suppress(asyncio.CancelledError):  # the loop ends: the streams would report it as an error
            await self._converse(link)

    async def _converse(self, link: Link) -> None:
        """Until the link ends, or the other side shows that it is no station."""
        self._links[link] = False
        try:
            await self._listen_to(link)
        except TimeoutError:
            self._say("silent for too long, or in the middle of a frame", peer=link.name)
        except DeviceError as error:
            self._say("connection ends", peer=link.name, error=str(error))
        finally:
            self._links.pop(link, None)
            link.close()

    async def _listen_to(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        splitter = Splitter()
        garbage = mistakes = frames = 0
        second = loop.time()
        until = loop.time() + IDLE_S
        while data := await link.read(until):
            waited = splitter.waiting
            found = splitter.feed(data)
            good = sum(self._is_taken(link, one) for one in found)
            owed, self._owed = self._owed, []
            await self._reply(owed)
            garbage, mistakes = (0, 0) if good else (garbage + len(data), mistakes + len(found))
            if garbage > GARBAGE_MOST or mistakes > MISTAKES_MOST:
                raise BadAnswer("noise", f"{garbage} bytes and {mistakes} bad frames without a good one")
            if not waited or found:
                until = loop.time() + (FRAME_S if splitter.waiting else IDLE_S)
            frames += len(found)
            if frames >= FRAMES_A_SECOND:
                await asyncio.sleep(max(0.0, second + frames / FRAMES_A_SECOND - loop.time()))
                frames, second = 0, loop.time()

    def _is_taken(self, link: Link, one: bytes | BadAnswer) -> bool:
        try:
            if isinstance(one, BadAnswer):
                raise one
            packet = hj212.parse(one)
            if self._password is not None and not _same(packet.pw, self._password):
                self._say("wrong password", peer=link.name, station=packet.mn)
                return False
            self._links[link] = True
            self._take(self._station(link, packet), packet, one)
        except BadAnswer as error:
            self._say("bad frame", peer=link.name, fault=error.fault, error=str(error))
            return False
        return True

    def _station(self, link: Link, packet: hj212.Packet) -> _Station:
        key = packet.mn.lower()
        station = self._stations.setdefault(key, _Station(link=link, mn=packet.mn, edition=self._edition))
        self._stations.move_to_end(key)
        if len(self._stations) > STATIONS_MOST:
            self._stations.popitem(last=False)
        if station.link is not link and station.link in self._links:  # or it came back before the old one was missed
            self._say(
                "two connections say that they are one station", station=key, peers=[station.link.name, link.name]
            )
        station.link, station.mn, station.pw = link, packet.mn, packet.pw
        station.edition = packet.edition or self._edition
        if packet.st != hj212.INTERACTION:
            station.st = packet.st
        return station

    def _take(self, station: _Station, packet: hj212.Packet, body: bytes) -> None:
        if packet.cn in (hj212.REQUEST_REPLY, hj212.RESULT):
            answers = self._asked.get((packet.mn, hj212.answered_qn(packet)))
            if answers is not None and not answers.full():
                answers.put_nowait(packet)
            return
        if packet.cn in hj212.DATA and not self._is_repeated(station, body):
            moment = self._time(station, packet)
            self._heard(packet.mn, hj212.readings(packet), moment)
            station.seen[_digest(body)] = None
        if packet.wants_reply and (self._known is None or packet.mn.lower() in self._known):
            self._owed.append((station.link, wrap(hj212.reply(packet, self._edition))))

    async def _reply(self, owed: Sequence[tuple[Link, bytes]]) -> None:
        """Raises LineDown."""
        if not owed:
            return
        try:
            async with asyncio.timeout(DURABLE_S):
                await self._durable()
        except TimeoutError:
            self._say("the disk takes nothing: stations get no replies", stations=len(owed))
            return
        for link, frame in owed:
            link.write(frame)

    def _is_repeated(self, station: _Station, body: bytes) -> bool:
        # by the whole body: some stations never change their QN
        while len(station.seen) >= SEEN_MOST:
            station.seen.popitem(last=False)
        return _digest(body) in station.seen

    def _time(self, station: _Station, packet: hj212.Packet) -> int | None:
        moment = hj212.data_time(packet)
        if moment is None and packet.parts > 1 and station.parts[0] == packet.qn:
            moment = station.parts[1]
        if moment is None and packet.cn != "2011":
            raise BadAnswer("header", f"CN={packet.cn} without a DataTime")
        if moment is not None and packet.parts > 1:
            station.parts = packet.qn, moment
        return moment

    def _next_qn(self) -> str:
        self._last_qn = max(self._last_qn + 1, time.time_ns() // 1_000_000)
        return hj212.written_time(self._last_qn, digits=17)

    def _say(self, what: str, **fields: object) -> None:
        """At most one line of a kind in SAY_AGAIN_S: who floods us shall not fill the log as well."""
        now = time.monotonic()
        until, missed = self._quiet.get(what, (0.0, 0))
        if now < until:
            self._quiet[what] = until, missed + 1
            return
        self._quiet[what] = now + SAY_AGAIN_S, 0
        log.warning(what, at=self._listen or self._serial, not_told=missed, **fields)


async def _at_once() -> None:
    """Before run(), nothing is heard."""


async def _confirmed(answers: asyncio.Queue[hj212.Packet]) -> None:
    wait, what = REPLY_S, "the station does not reply"
    while True:
        try:
            async with asyncio.timeout(wait):
                packet = await answers.get()
        except TimeoutError:
            raise Timeout(what) from None
        refused = hj212.refusal(packet)
        if refused is not None:
            raise refused
        if packet.cn == hj212.RESULT:
            return
        wait, what = RESULT_S, "the station accepted the command and never said what became of it"


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=8).digest()


def _same(said: str, password: str) -> bool:
    return hmac.compare_digest(said.encode("utf-8", "replace"), password.encode())
