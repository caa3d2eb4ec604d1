"""One session with the broker: packets in, packets out, and a ping that notices when nobody is there any more.

References are to MQTT 5.0 (OASIS, 2019). The codec is `mqtt5`; this is the input and output around it.
"""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

import mqtt5
import msgspec

from ingest.errors import BrokerGone

MAX_PACKET_BYTES = 1024 * 1024
WRITE_LIMIT_BYTES = 1024 * 1024  # above it, `down/stored` is dropped: the node sends its pack again
READ_BYTES = 64 * 1024

_PUBACK = struct.Struct("!BBH")


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

    def unsubscribe(self, filters: list[str]) -> None:
        self._subscriptions = self._subscriptions % 65535 + 1
        self.send(mqtt5.UnsubscribePacket(self._subscriptions, filters))

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


class Message(msgspec.Struct):
    """One received publish. `packet_id` is None at QoS 0, where there is nothing to acknowledge."""

    topic: str
    body: bytes
    packet_id: int | None
    session: Session

    def acknowledge(self) -> None:
        acknowledge([self])

    @property
    def stale(self) -> bool:
        """True when the broker will send it again: its session has ended before it was acknowledged."""
        return self.packet_id is not None and not self.session.open


def acknowledge(messages: Iterable[Message]) -> None:
    """Those of one session leave in one piece. Section 3.4: without a reason, success."""
    pubacks: dict[Session, list[bytes]] = {}
    for message in messages:
        if message.packet_id is not None:
            pubacks.setdefault(message.session, []).append(_PUBACK.pack(0x40, 2, message.packet_id))
    for session, some in pubacks.items():
        session.put(b"".join(some))
