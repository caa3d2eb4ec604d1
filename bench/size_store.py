"""The other end of `pole bench size`: a consumer that confirms every pack, and counts. It stores nothing."""

import asyncio
import json
import time
from typing import Any

import aiomqtt

from wire import stored

CONFIRM_S = 0.2  # as ingest does, not pack by pack


class Store:
    """readings: those that came with a value; without: those that came with a quality code."""

    def __init__(self, *, port: int, password: str) -> None:
        self._connect: dict[str, Any] = {
            "hostname": "127.0.0.1", "port": port, "username": "ingest", "password": password,
            "protocol": aiomqtt.ProtocolVersion.V5,
        }  # fmt: skip
        self._waiting: list[int] = []
        self._epoch = ""
        self._topic = ""
        self.packs = self.bytes = self.readings = self.without = 0
        self.devices: set[str] = set()
        self.connected_at: float | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Consumes until cancelled."""
        async with aiomqtt.Client(**self._connect) as client:
            await client.subscribe("poles/+/+/up/#", qos=1)
            self.ready.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._confirm(client), name="confirm")
                async for message in client.messages:
                    assert isinstance(message.payload, bytes)
                    self._take(str(message.topic), message.payload)

    def _take(self, topic: str, body: bytes) -> None:
        channel = topic.rsplit("/", 1)[1]
        if channel == "birth" and self.connected_at is None:
            self.connected_at = time.monotonic()
        if channel not in ("telemetry", "event", "backfill"):
            return
        records = json.loads(body)
        self._epoch = records[0]["ep"]
        self._topic = topic.replace("/up/" + channel, "/down/stored")
        self._waiting.append(records[0]["sq"])
        self.packs += 1
        self.bytes += len(body)
        bad = sum("q" in record for record in records)
        self.without += bad
        self.readings += len(records) - bad
        self.devices.update(record["bn"] for record in records if "bn" in record)

    async def _confirm(self, client: aiomqtt.Client) -> None:
        while True:
            await asyncio.sleep(CONFIRM_S)
            waiting, self._waiting = self._waiting, []
            if waiting:
                await client.publish(self._topic, stored.encode(self._epoch, stored.ranges(waiting)))
