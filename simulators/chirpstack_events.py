"""An emulated ChirpStack: LoRaWAN sensors join, and their uplinks are published to a real broker as its events.

Each sensor's payload is encoded from what its EmulatedDevice holds: Milesight's channels, or ChirpStack's own `object`.
"""

import asyncio
import base64
import contextlib
import datetime
import json
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiomqtt

from device_profiles import items
from device_profiles.schema import Item
from protocols import milesight
from simulators.device import EmulatedDevice
from simulators.ending import ended

APPLICATION = "17c82e96-be03-4f38-aef3-f83d48582d97"
PORT = 85  # the fPort of Milesight's sensors
_RETRY_S = 0.3
_ANSWER_S = 10.0


@dataclass(kw_only=True)
class Faults:
    """What is wrong with a sensor, switchable while it runs. All false: it works."""

    silent: bool = False  # no uplink
    garbage: bool = False  # an event that is no JSON
    cut_off: bool = False  # the payload lacks its last byte
    twice: bool = False  # each uplink is told again, as a broker may with QoS 1
    no_clock: bool = False  # the event has no time


class Sensor:
    """One device and the state of its radio session."""

    def __init__(self, *, device: EmulatedDevice) -> None:
        self.device = device
        self.faults = Faults()
        self.count = 0

    def payload(self) -> bytes:
        """The Milesight payload of what it would hold now: also what is out of its range, as a broken sensor tells."""
        parts: dict[str, bytearray] = {}
        for name, point in self.device.points.items():
            item = point.item
            if item is None or item.number is None:
                continue
            held = parts.setdefault(item.name, bytearray(milesight.LENGTHS[item.name]))
            _put(held, item, self.device.wanted(name))
        return milesight.encode({name: bytes(value) for name, value in sorted(parts.items())})

    def uplink(self) -> dict[str, Any]:
        """An `up` event; ChirpStack leaves out what is zero."""
        told = self.device.raws()
        payload = self.payload()
        if self.faults.cut_off:
            payload = payload[:-1]
        event = self._event() | {"fPort": PORT, "data": base64.b64encode(payload).decode(), "dr": 3}
        if self.count:
            event["fCnt"] = self.count
        decoded = {name[7:]: value for name, value in told.items() if name.startswith("object.")}
        if decoded:
            event["object"] = decoded
        heard = {"gatewayId": "0016c001f153a14c", "uplinkId": self.count + 1}
        heard |= {name: told[name] for name in ("rssi", "snr") if told.get(name)}
        event["rxInfo"] = [{**heard, "rssi": -139, "snr": -19.5, "gatewayId": "0016c001f153a14d"}, heard]
        return event

    def join(self) -> dict[str, Any]:
        """A `join` event; the frame counter begins again."""
        self.count = 0
        return self._event() | {"devAddr": "00189440"}

    def status(self, battery: float) -> dict[str, Any]:
        """A `status` event, as the network server asks for."""
        return self._event() | {"margin": 10, "batteryLevel": battery}

    def _event(self) -> dict[str, Any]:
        event: dict[str, Any] = {
            "deduplicationId": str(uuid.uuid4()),
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds"),
            "deviceInfo": {
                "tenantName": "ChirpStack",
                "applicationId": APPLICATION,
                "applicationName": "poles",
                "deviceProfileName": self.device.profile.model,
                "deviceName": self.device.name,
                "devEui": self.device.address.lower(),
                "tags": {},
            },
        }
        if self.faults.no_clock:
            del event["time"]
        return event


class ChirpstackEvents:
    """connect: what aiomqtt.Client needs to reach the broker. period_s: between the uplinks of a sensor."""

    def __init__(self, *, devices: Sequence[EmulatedDevice], connect: dict[str, Any], period_s: float = 10.0) -> None:
        self.sensors = {device.address: Sensor(device=device) for device in devices}
        self.published = 0
        self._connect = connect
        self._period_s = period_s
        self._task: asyncio.Task[None] | None = None
        self._client: aiomqtt.Client | None = None

    async def restore(self) -> None:
        """ChirpStack runs."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="emulated ChirpStack")

    async def vanish(self) -> None:
        """It is gone; what the sensors send meanwhile is lost."""
        task, self._task = self._task, None
        if task is not None:
            await ended(task)

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.vanish()

    async def send(self, sensor: Sensor) -> None:
        """One uplink now, as a sensor does when its contact opens."""
        if sensor.faults.silent:
            return
        body = b'{"deviceInfo":' if sensor.faults.garbage else json.dumps(sensor.uplink()).encode()
        for _ in range(2 if sensor.faults.twice else 1):
            await self.publish(sensor, "up", body)
        sensor.count += 1

    async def publish(self, sensor: Sensor, kind: str, body: bytes) -> None:
        """One event's bytes, where the broker is there."""
        if self._client is not None:
            topic = f"application/{APPLICATION}/device/{sensor.device.address.lower()}/event/{kind}"
            # Python 3.11's wait_for, which aiomqtt would use, can lose a cancellation
            async with asyncio.timeout(_ANSWER_S):
                await self._client.publish(topic, body, qos=1, timeout=math.inf)
            self.published += 1

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError, OSError, TimeoutError):
                async with aiomqtt.Client(**self._connect) as self._client:
                    for sensor in self.sensors.values():
                        await self.publish(sensor, "join", json.dumps(sensor.join()).encode())
                    while True:
                        for sensor in self.sensors.values():
                            await self.send(sensor)
                        await self._pause(self._client)
            self._client = None
            await asyncio.sleep(_RETRY_S)

    async def _pause(self, client: aiomqtt.Client) -> None:
        """A period; raises MqttError as soon as the connection breaks."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._period_s):
                async for _ in client.messages:
                    pass


def _put(held: bytearray, item: Item, value: items.Value) -> None:
    packed = items.packed(item, value)
    at = item.byte or 0
    held[at : at + len(packed)] = packed
