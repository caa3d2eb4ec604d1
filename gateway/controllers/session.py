"""A controller's own MQTT session, from its will to the end of its link: its name, its rights, its queue."""

import asyncio
import contextlib
import math
from collections.abc import Callable
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.controllers.frame import DOWN_MOST
from gateway.controllers.mailbox import Mail, Mailbox
from gateway.identity import Node
from gateway.mqtt_client import ACK_S, Client, apart, explained
from wire import stored, topics
from wire.backoff import Backoff
from wire.errors import WireError

KEEPALIVE_S = 15
SESSION_S = 3600  # a command for a controller that is away waits so long at the broker
RETRY_S = (0.3, 10.0)
UNACKNOWLEDGED = 8  # messages that the broker may have under way to one controller
LEAVE_S = 3.0  # on leaving: time for the will


class _Client(Client):
    """What goes to a controller is acknowledged to the broker when the controller has it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._client.manual_ack_set(True)

    def acknowledge(self, message: aiomqtt.Message) -> None:
        self._client.ack(message.mid, message.qos)


class Session:
    """on_open(): the broker has taken it; on_mail(): there is something for the controller."""

    def __init__(
        self, *, node: Node, will: bytes, on_open: Callable[[], None], on_mail: Callable[[], None], log: Any
    ) -> None:
        self.mailbox = Mailbox()
        self._node = node
        self._will = will
        self._on_open = on_open
        self._on_mail = on_mail
        self._log = log
        self._client: _Client | None = None
        self._left = asyncio.Event()

    async def run(self) -> None:
        """Returns when the session is over: the broker is gone after it was open, or leave() was called."""
        wait, said = Backoff(first=RETRY_S[0], most=RETRY_S[1]), False
        while not self._left.is_set():
            try:
                await apart(self._session())
                return
            except* (aiomqtt.MqttError, OSError, TimeoutError) as group:
                if not said:
                    self._log.warning("broker: connection of a controller lost or refused", error=explained(group))
                said = True
            if self._client is not None:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait.next()):
                    await self._left.wait()

    def leave(self) -> None:
        """The controller is not there any more: run() sends its will and ends."""
        self._left.set()

    async def publish(self, channel: str, body: bytes) -> None:
        """Returns when the broker has acknowledged. Raises MqttError, TimeoutError."""
        assert self._client is not None
        qos, retain = topics.UP[channel]
        topic = topics.up(self._node.area, self._node.name, channel)
        async with asyncio.timeout(ACK_S):
            await self._client.publish(topic, body, qos=qos, retain=retain, timeout=math.inf)

    async def _session(self) -> None:
        will = aiomqtt.Will(topics.up(self._node.area, self._node.name, "status"), self._will, qos=1, retain=True)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_S
        properties.ReceiveMaximum = UNACKNOWLEDGED
        async with _Client(
            **self._node.connect,
            identifier=self._node.name,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
            will=will,
            keepalive=KEEPALIVE_S,
            timeout=ACK_S,
        ) as client:
            down = [(topics.down(self._node.area, self._node.name, each), topics.DOWN[each][0]) for each in topics.DOWN]
            await client.subscribe(down)
            self._client = client
            self._on_open()
            receiving = asyncio.create_task(self._receive(client), name="receive")
            leaving = asyncio.create_task(self._left.wait(), name="leave")
            try:
                await asyncio.wait((receiving, leaving), return_when=asyncio.FIRST_COMPLETED)
                if receiving.done():
                    receiving.result()
                async with asyncio.timeout(LEAVE_S):
                    await self.publish("status", self._will)
            finally:
                receiving.cancel()
                leaving.cancel()

    async def _receive(self, client: _Client) -> None:
        async for message in client.messages:
            channel = str(message.topic).rpartition("/")[2]
            self._sort(client, channel, message, message.payload if isinstance(message.payload, bytes) else b"")
            self._on_mail()

    def _sort(self, client: _Client, channel: str, message: aiomqtt.Message, body: bytes) -> None:
        if channel == "stored":
            try:
                self.mailbox.confirm(*stored.decode(body))
            except WireError as error:
                self._log.warning("confirmation refused", error=str(error))
        elif len(body) > DOWN_MOST:
            self._log.error("too long for a controller: not told", channel=channel, bytes=len(body), most=DOWN_MOST)
            client.acknowledge(message)
        elif not self.mailbox.put(Mail(channel, body, lambda: client.acknowledge(message))):
            self._log.error("too much waits for a controller: not told", channel=channel)
