"""LoRaWAN devices, as ChirpStack 4 tells them over MQTT: its events IN, items by DevEUI OUT.

One connection at a time, for ever: what breaks it is said once, and it is made again after a jittered, capped wait. The
broker keeps the session for some minutes, so that an opened manhole is not missed for a connection that broke.
"""

import asyncio
import uuid
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.mqtt_client import apart
from protocols import chirpstack
from protocols.errors import BadAnswer, DeviceError, Refused
from wire.backoff import Backoff

log = structlog.get_logger("chirpstack")

Raw = int | float | bool | str | bytes
Heard = Callable[[str, Mapping[str, Raw | DeviceError], int | None], None]
Durable = Callable[[], Awaitable[None]]

KEEPALIVE_S = 15
TIMEOUT_S = 10.0
RETRY_S = (0.5, 30.0)
SESSION_S = 600  # how long the broker keeps what it could not deliver
MAX_WAITING = 1000  # messages between the client and us; beyond that the client drops them
DEVICES_KEPT, COUNTS_KEPT = 10_000, 16  # whose last uplinks are remembered, and how many of each
SAID_AT_MOST = 20  # of messages that cannot be read


class ChirpstackListener:
    """events: taken; repeated: uplinks that came twice; bad: messages that are no event."""

    def __init__(
        self,
        *,
        broker: str,
        user: str | None = None,
        password: str | None = None,
        ca: Path | None = None,
        application: str = "+",
        known: Collection[str] | None = None,
    ) -> None:
        """known: the DevEUIs that are listened to, all of the application where left out."""
        self.events = 0
        self.repeated = 0
        self.bad = 0
        self.connected = False
        self._topics = chirpstack.topics(application, ("+",) if known is None else sorted(known))
        self._connect = _connect(broker, user, password, ca)
        self._where = broker
        self._seen: OrderedDict[str, deque[tuple[int, int | None]]] = OrderedDict()
        self._undecoded: set[str] = set()

    async def run(self, heard: Heard, durable: Durable) -> None:
        """durable is not waited for: the MQTT client acknowledges what it received, not what we kept."""
        wait, said = Backoff(first=RETRY_S[0], most=RETRY_S[1]), False
        while True:
            error: Exception | None = None
            try:
                await apart(self._session(heard))
            except Exception as failure:  # whatever ended the session, it is begun again
                error = failure
            if self.connected:
                wait.reset()
            if self.connected or not said:
                log.warning("broker: connection lost or refused, trying on", broker=self._where, error=str(error))
            said = True
            self.connected = False
            await asyncio.sleep(wait.next())

    async def tell(
        self, address: str, name: str, raw: Raw | None, *, before: Callable[[], None] = lambda: None
    ) -> None:
        """Raises Refused: these sensors take no commands."""
        raise Refused(0, "a LoRaWAN sensor takes no commands here")

    async def close(self) -> None:
        """Nothing stays open after run() was cancelled."""

    async def _session(self, heard: Heard) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_S
        properties.MaximumPacketSize = 2 * chirpstack.MAX_BYTES  # the broker then sends us nothing larger
        properties.ReceiveMaximum = 100
        async with aiomqtt.Client(**self._connect, properties=properties) as client:
            await client.subscribe([(topic, 1) for topic in self._topics])
            self.connected = True
            log.info("broker: connected", broker=self._where, topics=len(self._topics))
            async for message in client.messages:
                body = message.payload if isinstance(message.payload, bytes) else b""
                self.take(str(message.topic), body, heard)

    def take(self, topic: str, body: bytes, heard: Heard) -> None:
        """One message of the broker."""
        try:
            kind = chirpstack.kind_of(topic)
            event = chirpstack.event(body, kind)
        except BadAnswer as error:
            self.bad += 1
            if self.bad <= SAID_AT_MOST:
                log.warning("a message that is no event", topic=topic[:100], error=str(error))
            return
        if event.kind == "join":
            self._seen.pop(event.dev_eui, None)  # its counter begins again
        elif event.kind == "up" and self._repeats(event):
            self.repeated += 1
            return
        self.events += 1
        self._say_undecoded(event)
        heard(event.dev_eui, event.items, event.time_ms)

    def _repeats(self, event: chirpstack.Event) -> bool:
        """The same uplink again, which a broker with QoS 1 may send twice."""
        counts = self._seen.setdefault(event.dev_eui, deque(maxlen=COUNTS_KEPT))
        self._seen.move_to_end(event.dev_eui)
        while len(self._seen) > DEVICES_KEPT:
            self._seen.popitem(last=False)
        mark = (event.count, event.time_ms)
        known = mark in counts
        counts.append(mark)
        return known

    def _say_undecoded(self, event: chirpstack.Event) -> None:
        if event.rest and event.dev_eui not in self._undecoded and len(self._undecoded) < DEVICES_KEPT:
            self._undecoded.add(event.dev_eui)
            log.info("the end of a payload is not decoded", device=event.dev_eui, bytes=event.rest.hex()[:64])


def _connect(broker: str, user: str | None, password: str | None, ca: Path | None) -> dict[str, Any]:
    address = urlsplit(broker)
    secure = address.scheme == "mqtts"
    connect: dict[str, Any] = {
        "hostname": address.hostname,
        "port": address.port or (8883 if secure else 1883),
        "username": user,
        "password": password,
        "identifier": f"multipole-{uuid.uuid4().hex[:12]}",  # the same for all sessions of this process
        "protocol": aiomqtt.ProtocolVersion.V5,
        "clean_start": False,
        "keepalive": KEEPALIVE_S,
        "timeout": TIMEOUT_S,
        "max_queued_incoming_messages": MAX_WAITING,
    }
    if secure:
        connect["tls_params"] = aiomqtt.TLSParameters(ca_certs=str(ca) if ca else None)
    return connect
