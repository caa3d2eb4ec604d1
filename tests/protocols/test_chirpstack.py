"""Foreign bytes: the example events of ChirpStack's documentation ("Event types")."""

import base64
import json

import pytest

from protocols import chirpstack
from protocols.errors import BadAnswer

DEVICE = (
    '"deviceInfo":{"tenantId":"52f14cd4-c6f1-4fbd-8f87-4025e1d49242","tenantName":"ChirpStack","applicationId":'
    '"17c82e96-be03-4f38-aef3-f83d48582d97","applicationName":"Test application","deviceProfileId":'
    '"14855bf7-d10d-4aee-b618-ebfcb64dc7ad","deviceProfileName":"Test device-profile","deviceName":"Test device",'
    '"devEui":"0101010101010101","tags":{"key":"value"}}'
)
UP = (
    '{"deduplicationId":"3ac7e3c4-4401-4b8d-9386-a5c902f9202d","time":"2022-07-18T09:34:15.775023242+00:00",' + DEVICE +
    ',"devAddr":"00189440","dr":1,"fPort":1,"data":"qg==","rxInfo":[{"gatewayId":"0016c001f153a14c","uplinkId":'
    '4217106255,"rssi":-36,"snr":10.5,"context":"E3OWOQ==","metadata":{"region_name":"eu868","region_common_name":'
    '"EU868"}}],"txInfo":{"frequency":867100000,"modulation":{"lora":{"bandwidth":125000,"spreadingFactor":11,'
    '"codeRate":"CR_4_5"}}}}'
)  # fmt: skip
STATUS = (
    '{"deduplicationId":"bf2a9746-1c8b-49be-a92e-f0b89c8534e4","time":"2022-07-18T09:35:06.927172638+00:00",' + DEVICE +
    ',"margin":10,"batteryLevel":88.3}'
)  # fmt: skip
JOIN = (
    '{"deduplicationId":"c9dbe358-2578-4fb7-b295-66b44edc45a6","time":"2022-07-18T09:33:28.823500726+00:00",' + DEVICE +
    ',"devAddr":"00189440"}'
)  # fmt: skip


def changed(**more):
    return json.dumps(json.loads(UP) | more).encode()


def payload(data):
    return base64.b64encode(bytes.fromhex(data)).decode()


def test_the_examples_of_the_documentation():
    up, status, join = (chirpstack.event(text.encode()) for text in (UP, STATUS, JOIN))
    assert (up.kind, up.dev_eui, up.time_ms, up.count) == ("up", "0101010101010101", 1_658_136_855_775, 0)
    assert up.items == {"data": b"\xaa", "rssi": -36, "snr": 10.5, "gateways": 1, "fCnt": 0, "fPort": 1, "dr": 1}
    assert up.rest == b"\xaa"
    assert (status.kind, status.items) == ("status", {"margin": 10, "batteryLevel": 88.3, "externalPowerSource": False})
    assert (join.kind, join.items) == ("join", {"devAddr": "00189440"})
    assert chirpstack.items(b"", UP.encode()) == up.items


def test_a_milesight_payload_and_the_codecs_object():
    told = chirpstack.items(
        b"", changed(data=payload("01755c03824408"), object={"distance": 2116, "a": {"b": [True, "x"]}})
    )
    assert (told["0175"], told["0382"]) == (b"\x5c", b"\x44\x08")
    assert (told["object.distance"], told["object.a.b.0"], told["object.a.b.1"]) == (2116, True, "x")


def test_the_strongest_gateway_counts():
    gateways = [{"rssi": -120, "snr": -12.0}, {"rssi": -80}, {"rssi": -99, "snr": 9}, "x", {"rssi": "loud"}]
    told = chirpstack.items(b"", changed(rxInfo=gateways))
    assert (told["rssi"], told["snr"], told["gateways"]) == (-80, 0, 3)


def test_what_chirpstack_leaves_out_is_zero():
    told = json.loads(STATUS)
    del told["margin"], told["batteryLevel"]
    assert chirpstack.event(json.dumps(told).encode(), "status").items["margin"] == 0
    told |= {"batteryLevelUnavailable": True}
    assert "batteryLevel" not in chirpstack.event(json.dumps(told).encode(), "status").items


def test_the_object_is_bounded():
    wide = {f"k{index}": index for index in range(4000)}
    deep = 1
    for _ in range(300):
        deep = {"a": deep}
    for thing in (wide, deep, {"x" * 5000: 1}, {"a": float("nan")}, {"a": 10**400}, {"a": None}, 5, "text", []):
        told = chirpstack.items(b"", changed(object=thing))
        assert sum(name.startswith("object") for name in told) <= chirpstack.MAX_LEAVES
        assert all(len(name) <= chirpstack.MAX_PATH + 10 for name in told)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "noise"),
        (b"\xff\xfe", "noise"),
        (b"[" * 60_000, "noise"),
        (b"1" * 5000, "noise"),
        (b"null", "header"),
        (b"{}", "header"),
        (changed(deviceInfo=None), "header"),
        (changed(deviceInfo={"devEui": "AgICAgICAgI="}), "header"),
        (changed(deviceInfo={"devEui": 1}), "header"),
        (changed(data=5), "noise"),
        (changed(data="qg"), "noise"),
        (changed(data="é"), "noise"),
        (changed(data="A" * 2000), "length"),
        (changed(tags="x" * 70_000), "length"),
    ],
)
def test_what_is_no_event_is_refused(body, fault):
    with pytest.raises(BadAnswer) as refusal:
        chirpstack.items(b"", body)
    assert refusal.value.fault == fault


def test_nothing_is_sent_to_a_sensor():
    with pytest.raises(BadAnswer, match="request is empty"):
        chirpstack.items(b"x", UP.encode())


def test_topics():
    assert chirpstack.topics("+")[0] == "application/+/device/+/event/up"
    own = chirpstack.topics("a1", ["24E124000001", "24e124000002"])
    assert own[0] == "application/a1/device/24e124000001/event/up"
    assert len(own) == 2 * len(chirpstack.EVENTS)
    assert chirpstack.kind_of("application/a/device/b/event/join") == "join"
    for topic in (
        "application/a/device/b/event",
        "application/a/device/b/event/up/x",
        "application/a/device/b/rx/up",
        "",
    ):
        with pytest.raises(BadAnswer):
            chirpstack.kind_of(topic)


@pytest.mark.parametrize(
    ("time", "ms"),
    [
        ("2022-07-18T09:34:15.775023242+00:00", 1_658_136_855_775),
        ("2022-07-18T09:34:15Z", 1_658_136_855_000),
        ("2022-07-18T17:34:15+08:00", 1_658_136_855_000),
        ("0000-00-00T00:00:00.000Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (5, None),
        (None, None),
        ("2" * 500, None),
    ],
)
def test_times(time, ms):
    assert chirpstack.event(changed(time=time)).time_ms == ms
