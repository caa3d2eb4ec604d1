"""What the emulated ChirpStack publishes, as any subscriber of a real mosquitto sees it."""

import asyncio
import base64
import json

import aiomqtt
import pytest

from device_profiles import loader
from simulators.chirpstack_events import APPLICATION, ChirpstackEvents, Sensor
from simulators.device import EmulatedDevice

EUI = "24E124136B502217"
# what the sensor holds -> the payload that Milesight's own page gives for it (SensorDecoders)
EXAMPLES = {
    "em300-mcs": (
        {"battery": 92, "temperature": 30.8, "humidity": 50.5, "cover_open": True},
        "01755c03673401046865060001",
    ),
    "em310-udl": ({"battery": 92, "distance": 2.116, "sensor_tilted": True}, "01755c03824408040001"),
    "em500-swl": ({"battery": 100, "level": 0.02}, "01756403770200"),
    "em310-tilt": (
        {"battery": 92, "angle_x": 0, "angle_y": 0, "angle_z": 90, "tilted": True},
        "01755c03cf00000000282301",
    ),
}


def sensor(name):
    return Sensor(device=EmulatedDevice(profile=loader.profiles()[name], pole="P1", name=name, address=EUI))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_payload_is_the_makers_for_what_is_held(name):
    held, payload = EXAMPLES[name]
    one = sensor(name)
    for point, value in held.items():
        one.device.hold(point, value)
    assert one.payload().hex() == payload


def test_a_value_out_of_range_is_told_as_it_is():
    source = {"angle_x": 198.0}.get
    device = EmulatedDevice(
        profile=loader.profiles()["em310-tilt"], pole="P1", name="tilt-1", address=EUI,
        source=lambda point, time_ms: source(point),
    )  # fmt: skip
    assert device.value("angle_x") is None
    assert "03cf" + (19800).to_bytes(2, "little").hex() in Sensor(device=device).payload().hex()


def test_an_event_has_chirpstacks_fields():
    one = sensor("em500-swl")
    one.device.hold("rssi", -77)
    event = one.uplink()
    assert event["deviceInfo"]["devEui"] == EUI.lower()
    assert "fCnt" not in event, "ChirpStack leaves out a zero"
    assert event["fPort"] == 85
    assert max(gateway["rssi"] for gateway in event["rxInfo"]) == -77
    one.count = 3
    assert one.uplink()["fCnt"] == 3
    assert one.join()["devAddr"]
    assert one.count == 0


@pytest.mark.parametrize("broker", [("chirpstack", "gw-1")], indirect=True)
def test_joins_and_uplinks_are_published(broker):
    def connect(user):
        return {"hostname": "127.0.0.1", "port": broker.port, "username": user, "password": broker.passwords[user]}

    async def scenario():
        device = sensor("em300-mcs").device
        stack = ChirpstackEvents(devices=[device], connect=connect("chirpstack"), period_s=0.1)
        seen = []
        async with aiomqtt.Client(**connect("gw-1")) as watcher:
            await watcher.subscribe("application/+/device/+/event/+", qos=1)
            async with asyncio.timeout(30), stack:
                async for message in watcher.messages:
                    seen.append((str(message.topic), json.loads(message.payload)))
                    if len(seen) == 3:
                        break
        base = f"application/{APPLICATION}/device/{EUI.lower()}/event"
        assert [topic for topic, _ in seen] == [f"{base}/join", f"{base}/up", f"{base}/up"]
        assert [event.get("fCnt", 0) for _, event in seen[1:]] == [0, 1]
        assert base64.b64decode(seen[1][1]["data"]).hex().startswith("0175")
        published = stack.published
        await asyncio.sleep(0.3)
        assert stack.published == published, "it is gone"

    asyncio.run(scenario())
