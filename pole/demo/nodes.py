"""What the nodes say of themselves, heard at the broker as an operator hears it."""

import asyncio
from typing import Any

import aiomqtt

from gateway.mqtt_client import apart
from pole.demo.folder import OPERATOR
from wire import messages, topics
from wire.errors import WireError

RETRY_S = 0.5


class Nodes:
    """status[node] is the latest wire.messages.STATUS; `connected` whether the broker answers us."""

    def __init__(self, *, port: int, password: str) -> None:
        self.status: dict[str, dict[str, Any]] = {}
        self.connected = False
        self._port = port
        self._password = password

    async def run(self) -> None:
        """Until cancelled, over every death of the broker."""
        while True:
            try:
                await apart(self._listen())
            except aiomqtt.MqttError:
                self.connected = False
            await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        async with aiomqtt.Client(
            "127.0.0.1", self._port, username=OPERATOR, password=self._password, timeout=5
        ) as client:
            await client.subscribe("poles/+/+/up/status", qos=1)
            self.connected = True
            async for message in client.messages:
                self._take(str(message.topic), message.payload)

    def _take(self, topic: str, body: Any) -> None:
        try:
            _, node, _, _ = topics.parse(topic)
            self.status[node] = messages.decode(body, messages.STATUS)
        except WireError:
            return  # ingest refuses it and says why; the view has nothing to add
