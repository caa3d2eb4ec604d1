"""What the nodes say of themselves, heard at the broker as an operator hears it."""

import asyncio
from typing import Any

import aiomqtt

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
                async with aiomqtt.Client(
                    "127.0.0.1", self._port, username=OPERATOR, password=self._password, timeout=5
                ) as client:
                    await client.subscribe("poles/+/+/up/status", qos=1)
                    self.connected = True
                    async for message in client.messages:
                        _end_if_cancelled()
                        self._take(str(message.topic), message.payload)
            except aiomqtt.MqttError:
                self.connected = False
                _end_if_cancelled()
            await asyncio.sleep(RETRY_S)

    def _take(self, topic: str, body: Any) -> None:
        try:
            _, node, _, _ = topics.parse(topic)
            self.status[node] = messages.decode(body, messages.STATUS)
        except WireError:
            return  # ingest refuses it and says why; the view has nothing to add


def _end_if_cancelled() -> None:
    """A broker that dies while we are cancelled hides the cancellation behind an error, and we would go on for ever."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
