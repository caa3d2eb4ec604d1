"""A small MQTT 5 client: a persistent session, PUBACKs that wait for the caller, and reconnection for ever."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

import mqtt5
import structlog

from ingest.errors import BrokerGone
from ingest.session import MAX_PACKET_BYTES, Address, Message, Session
from wire.backoff import Backoff

CONNECT_TIMEOUT_S = 10.0
RETRY_FIRST_S, RETRY_MOST_S = 0.2, 10.0
MOST_ASKED = 1000  # topics that the broker has of `ask`; it keeps each with our session
HELD_S = 2.0  # a connection that lasted so long was a good one

_GRANTED = (mqtt5.SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE, mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE)

log = structlog.get_logger("ingest")


class Connection:
    """Keeps one session with the broker, for ever.

    on_message is called for each publish, and on_read after those that came at once; room says whether another one may
    be read; waiting_for is None while connected, else a sentence.
    """

    def __init__(
        self,
        *,
        address: Address,
        filters: list[str],
        on_message: Callable[[Message], None],
        on_read: Callable[[], None],
        on_lost: Callable[[Session], None],
        room: Callable[[], bool],
    ) -> None:
        self.waiting_for: str | None = f"broker {address.host}:{address.port}: not connected yet"
        self.room_made = asyncio.Event()
        self.received = 0  # messages, and connections that were made
        self.connected = 0
        self._address = address
        self._filters = filters
        self._on_message = on_message
        self._on_read = on_read
        self._on_lost = on_lost
        self._room = room
        self._session: Session | None = None
        self._paused = False
        self._asked: deque[str] = deque()  # what the broker was asked for, and keeps

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
            self._asked.append(topic)
            if len(self._asked) > MOST_ASKED:
                self._session.unsubscribe([self._asked.popleft()])

    async def run(self) -> NoReturn:
        """Connects, subscribes and reads, again and again."""
        backoff = Backoff(first=RETRY_FIRST_S, most=RETRY_MOST_S)
        while True:
            began, before = time.monotonic(), self.connected
            try:
                await self._one_session()
            except BrokerGone as error:
                self.waiting_for = f"broker {self._address.host}:{self._address.port}: {error}"
            if self.connected > before and time.monotonic() - began > HELD_S:
                backoff.reset()
            elif self.connected > before:  # mosquitto 2.0 does not tell whom it has left for another
                self.waiting_for = f"{self.waiting_for} at once; has another ingest our client_id?"
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

    async def _one_session(self) -> None:
        session = await _open(self._address)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                early = await _greet(session, self._address, self._filters, keep=True)
            self._session = session
            self.waiting_for = None
            self.connected += 1
            log.info("connected to the broker", host=self._address.host, port=self._address.port)
            for packet in early:
                self._take(session, packet)
            self._on_read()
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
            self._on_read()

    def _take(self, session: Session, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.PublishPacket):
            self.received += 1
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


async def probe(address: Address, filters: list[str], *, topic: str, body: bytes) -> None:
    """Connects, subscribes, publishes and goes again. Raises BrokerGone.

    A broker that lets nobody read may grant the subscription all the same (mosquitto 2.0 does); what it lets nobody
    write it says.
    """
    session = await _open(address)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await _greet(session, address, filters, keep=False)
            session.send(mqtt5.PublishPacket(topic, body, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1))
            while not isinstance(answer := await session.receive(), mqtt5.PubAckPacket):
                pass  # what is retained comes too
        if answer.reason_code not in (mqtt5.PubAckReasonCode.SUCCESS, mqtt5.PubAckReasonCode.NO_MATCHING_SUBSCRIBERS):
            raise BrokerGone(f"it takes nothing for {topic} ({answer.reason_code.name}): check the ACL")
        session.send(mqtt5.DisconnectPacket())
        await session.flush()
    except TimeoutError as error:
        raise BrokerGone(f"it did not answer within {CONNECT_TIMEOUT_S:g} s") from error
    finally:
        session.close()


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
