"""A small MQTT 5 client: a persistent session, PUBACKs that wait until the caller says so, and reconnection for ever.

References are to MQTT 5.0 (OASIS, 2019). The codec is `mqtt5`; this module is the input and output around it.
"""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

import mqtt5
import structlog

from ingest.errors import BrokerGone
from wire.backoff import Backoff

MAX_PACKET_BYTES = 1024 * 1024
CONNECT_TIMEOUT_S = 10.0
RETRY_FIRST_S, RETRY_MOST_S = 0.2, 10.0
WRITE_LIMIT_BYTES = 1024 * 1024  # above it, `down/stored` is dropped: the node sends its pack again
READ_BYTES = 64 * 1024

_GRANTED = (mqtt5.SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE, mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE)

_PUBACK = struct.Struct("!BBH")

log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is, and who we are there."""

    host: str
    port: int
    client_id: str
    user: str | None = None
    password: bytes | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    keep_alive_s: int = 30
    receive_max: int = 200
    expiry_s: int = 7 * 86400  # how long the broker keeps the session of one that is away


class Session:
    """One TCP connection. A packet id belongs to it alone: acknowledging through an ended session does nothing."""

    def __init__(self, *, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep_alive_s: int) -> None:
        self.open = True
        self._reader = reader
        self._writer = writer
        self.keep_alive_s = keep_alive_s
        self._buffer = b""
        self._heard = asyncio.Event()
        self._subscriptions = 0
        self._packets: list[mqtt5.Packet] = []  # read and not yet received
        self._out: list[bytes] = []

    def send(self, packet: mqtt5.Packet) -> None:
        self.put(packet.write())

    def put(self, data: bytes) -> None:
        """What is put in one turn of the loop leaves in one piece: a batch's receipts are one system call."""
        if self.open:
            if not self._out:
                asyncio.get_running_loop().call_soon(self._write)
            self._out.append(data)

    def _write(self) -> None:
        if self._out and self.open:
            self._writer.write(b"".join(self._out))
        self._out.clear()

    def subscribe(self, filters: list[str], qos: mqtt5.QoS) -> None:
        self._subscriptions = self._subscriptions % 65535 + 1  # a packet id, 1 to 65535
        wanted = [mqtt5.TopicFilter(pattern, max_qos=qos) for pattern in filters]
        self.send(mqtt5.SubscribePacket(self._subscriptions, wanted))

    @property
    def congested(self) -> bool:
        return self._writer.transport.get_write_buffer_size() > WRITE_LIMIT_BYTES

    async def receive(self) -> mqtt5.Packet:
        """The next packet. Raises BrokerGone."""
        if not self._packets:
            self._packets = (await self.receive_some())[::-1]
        return self._packets.pop()

    async def receive_some(self) -> list[mqtt5.Packet]:
        """All packets that are here, and at least one. Raises BrokerGone."""
        found, self._packets = self._packets[::-1], []
        while not found:
            try:
                data = await self._reader.read(READ_BYTES)
            except OSError as error:
                raise BrokerGone(f"the connection broke: {error}") from error
            if not data:
                raise BrokerGone("the broker closed the connection")
            self._heard.set()
            self._buffer = self._buffer + data if self._buffer else data
            found = self._parse()
        return found

    def _parse(self) -> list[mqtt5.Packet]:
        found: list[mqtt5.Packet] = []
        at, view = 0, memoryview(self._buffer)
        try:
            while at < len(view):
                packet, size = mqtt5.read(view[at:])
                found.append(packet)
                at += size
        except IndexError:  # not all of it is here yet
            if len(self._buffer) - at > MAX_PACKET_BYTES + READ_BYTES:
                raise BrokerGone("the broker sent a packet above the stated maximum") from None
        except ValueError as error:
            raise BrokerGone(f"the broker sent what is not MQTT 5: {error}") from error
        self._buffer = self._buffer[at:]
        return found

    async def ping(self, paused: Callable[[], bool]) -> NoReturn:
        """Pings for ever. Raises BrokerGone when the broker has fallen silent (section 3.1.2.10)."""
        while True:
            await asyncio.sleep(self.keep_alive_s / 2)
            self._heard.clear()
            self.send(mqtt5.PingReqPacket())
            try:
                async with asyncio.timeout(self.keep_alive_s / 2):
                    await self._heard.wait()
            except TimeoutError:
                if not paused():  # while we do not read, no answer can be seen
                    raise BrokerGone(f"the broker said nothing for {self.keep_alive_s} s") from None

    async def flush(self) -> None:
        """Waits until what was sent has gone out, for two seconds at most: what did not is sent again later."""
        self._write()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                await self._writer.drain()

    def close(self) -> None:
        self._write()
        self.open = False
        self._writer.close()


@dataclass(slots=True)
class Message:
    """One received publish. `packet_id` is None at QoS 0, where there is nothing to acknowledge."""

    topic: str
    body: bytes
    packet_id: int | None
    session: Session

    def acknowledge(self) -> None:
        if self.packet_id is not None:
            self.session.put(_PUBACK.pack(0x40, 2, self.packet_id))  # section 3.4: without a reason, success

    @property
    def stale(self) -> bool:
        """True when the broker will send it again: its session has ended before it was acknowledged."""
        return self.packet_id is not None and not self.session.open


class Connection:
    """Keeps one session with the broker, for ever.

    on_message is called for each publish; room says whether another one may be read; waiting_for is None while
    connected, else a sentence.
    """

    def __init__(
        self,
        *,
        address: Address,
        filters: list[str],
        on_message: Callable[[Message], None],
        on_lost: Callable[[Session], None],
        room: Callable[[], bool],
    ) -> None:
        self.waiting_for: str | None = f"broker {address.host}:{address.port}: not connected yet"
        self.room_made = asyncio.Event()
        self._address = address
        self._filters = filters
        self._on_message = on_message
        self._on_lost = on_lost
        self._room = room
        self._session: Session | None = None
        self._paused = False

    def publish(self, topic: str, body: bytes) -> bool:
        """Sends at QoS 0. False when there is no session, or one that takes nothing."""
        if self._session is None or self._session.congested:
            return False
        self._session.send(mqtt5.PublishPacket(topic, body))
        return True

    def ask(self, topic: str) -> None:
        """Has the retained message of a topic sent again, at QoS 0: so it overtakes what is queued in our session."""
        if self._session is not None:
            self._session.subscribe([topic], mqtt5.QoS.AT_MOST_ONCE)

    async def run(self) -> NoReturn:
        """Connects, subscribes and reads, again and again."""
        backoff = Backoff(first=RETRY_FIRST_S, most=RETRY_MOST_S)
        while True:
            try:
                await self._one_session(backoff)
            except BrokerGone as error:
                self.waiting_for = f"broker {self._address.host}:{self._address.port}: {error}"
            pause = backoff.next()
            log.warning("waiting for the broker", reason=self.waiting_for, retry_s=round(pause, 1))
            await asyncio.sleep(pause)

    async def disconnect(self) -> None:
        """Sends what is still to be sent, and says goodbye; the broker keeps the session."""
        session = self._session
        if session is None or not session.open:
            return
        # Without the expiry, a normal disconnection keeps the one of CONNECT (section 3.14.2.2.2).
        session.send(mqtt5.DisconnectPacket())
        await session.flush()
        session.close()

    async def _one_session(self, backoff: Backoff) -> None:
        session = await _open(self._address)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                early = await _greet(session, self._address, self._filters, keep=True)
            self._session = session
            self.waiting_for = None
            backoff.reset()
            log.info("connected to the broker", host=self._address.host, port=self._address.port)
            for packet in early:
                self._take(session, packet)
            await self._serve(session)
        except TimeoutError as error:
            raise BrokerGone(f"it did not answer within {CONNECT_TIMEOUT_S:g} s") from error
        finally:
            self._session = None
            session.close()
            self._on_lost(session)

    async def _serve(self, session: Session) -> None:
        pinging = asyncio.create_task(session.ping(lambda: self._paused), name="ping")
        reading = asyncio.create_task(self._read(session), name="read")
        try:
            await asyncio.wait([pinging, reading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pinging, reading):
                task.cancel()
            results = await asyncio.gather(pinging, reading, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _read(self, session: Session) -> NoReturn:
        while True:
            while not self._room():
                self._paused = True
                self.room_made.clear()
                await self.room_made.wait()
            self._paused = False
            for packet in await session.receive_some():
                self._take(session, packet)

    def _take(self, session: Session, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.PublishPacket):
            self._on_message(Message(packet.topic, packet.payload, packet.packet_id, session))
        elif isinstance(packet, mqtt5.DisconnectPacket):
            raise BrokerGone(f"it disconnected us ({packet.reason_code.name})")


async def retained(address: Address, filters: list[str], *, quiet_s: float = 0.5) -> list[tuple[str, bytes]]:
    """The retained messages of some topics: (topic, payload), until none comes for quiet_s. Raises BrokerGone."""
    session = await _open(address)
    found: list[mqtt5.Packet] = []
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            found = await _greet(session, address, filters, keep=False)
        while True:
            async with asyncio.timeout(quiet_s):
                found.append(await session.receive())
            if isinstance(found[-1], mqtt5.PublishPacket) and found[-1].packet_id is not None:
                session.send(mqtt5.PubAckPacket(found[-1].packet_id))
    except TimeoutError:
        pass
    finally:
        session.close()
    return [(packet.topic, packet.payload) for packet in found if isinstance(packet, mqtt5.PublishPacket)]


async def _open(address: Address) -> Session:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=address.tls)
    except (OSError, TimeoutError) as error:
        raise BrokerGone(f"cannot connect: {error or 'timeout'}") from error
    return Session(reader=reader, writer=writer, keep_alive_s=address.keep_alive_s)


async def _greet(session: Session, address: Address, filters: list[str], *, keep: bool) -> list[mqtt5.Packet]:
    # CONNECT and SUBSCRIBE. The broker may send publishes of the kept session before SUBACK: they are returned.
    session.send(
        mqtt5.ConnectPacket(
            address.client_id,
            username=address.user,
            password=address.password,
            clean_start=not keep,
            keep_alive=address.keep_alive_s,
            session_expiry_interval=address.expiry_s if keep else 0,
            receive_max=address.receive_max,
            max_packet_size=MAX_PACKET_BYTES,
        )
    )
    answer = await session.receive()
    if not isinstance(answer, mqtt5.ConnAckPacket):
        raise BrokerGone("it did not answer CONNECT with CONNACK")
    if answer.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
        raise BrokerGone(f"it refuses us ({answer.reason_code.name}): check user and password")
    if answer.server_keep_alive:  # the broker's word counts (section 3.2.2.3.14)
        session.keep_alive_s = answer.server_keep_alive
    session.subscribe(filters, mqtt5.QoS.AT_LEAST_ONCE)
    early: list[mqtt5.Packet] = []
    while not isinstance(packet := await session.receive(), mqtt5.SubAckPacket):
        early.append(packet)
    for pattern, code in zip(filters, packet.reason_codes, strict=False):
        if code not in _GRANTED:
            raise BrokerGone(f"it refuses the subscription {pattern} ({code.name}): check the ACL")
    return early
