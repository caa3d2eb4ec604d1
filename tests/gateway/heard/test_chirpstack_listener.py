"""ChirpStack's events through a real mosquitto: an emulated ChirpStack on one side, the gateway on the other."""

import asyncio
import contextlib
import json
import time

import aiomqtt
import pytest
import structlog

from device_profiles import loader
from gateway.heard import chirpstack_listener
from gateway.heard.chirpstack_listener import ChirpstackListener
from gateway.heard.hearing import Hearing
from protocols import errors
from simulators.chirpstack_events import APPLICATION, ChirpstackEvents, Sensor
from simulators.device import EmulatedDevice
from tests.gateway.probe import Watch, device, durable, running

SENSORS = ["em300-di", "em300-mcs", "em310-tilt", "em310-udl", "em500-swl"]
EUI = "24E124136B502217"
WITH_CHIRPSTACK = pytest.mark.parametrize("broker", [("gw-1", "chirpstack")], indirect=True)


def connect(broker, user="chirpstack"):
    return {"hostname": "127.0.0.1", "port": broker.port, "username": user, "password": broker.passwords[user]}


def listener_on(broker, port=None):
    url = f"mqtt://127.0.0.1:{port or broker.port}"
    return ChirpstackListener(broker=url, user="gw-1", password=broker.passwords["gw-1"])


def eui(index):
    return f"24E124136B5022{index:02X}"


def emulated(name, index=0):
    return EmulatedDevice(profile=loader.profiles()[name], pole=f"P{index}", name=name, address=eui(index))


class Ears:
    def __init__(self):
        self.all = []

    def __call__(self, address, items, time_ms):
        self.all.append((address, dict(items), time_ms))


class Listening:
    def __init__(self, listener, heard):
        self.run = lambda: listener.run(heard, durable)
        self.close = listener.close


async def until(true, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def up(payload="AVxc", **more):
    return json.dumps({"deviceInfo": {"devEui": EUI.lower()}, "fPort": 85, "data": payload, **more}).encode()


def topic(kind="up"):
    return f"application/{APPLICATION}/device/{EUI.lower()}/event/{kind}"


@WITH_CHIRPSTACK
def test_what_is_read_is_what_the_sensors_held(broker):
    async def scenario():
        devices = [emulated(name, index) for index, name in enumerate(SENSORS)]
        own = [
            device(name, eui(index), profile=name).model_copy(update={"pole": f"P{index}"})
            for index, name in enumerate(SENSORS)
        ]
        watch = Watch({name: loader.profiles()[name] for name in SENSORS}, own)
        listener = listener_on(broker)
        stack = ChirpstackEvents(devices=devices, connect=connect(broker), period_s=0.5)

        def told(one):
            return {point for at, point, *_ in watch.told if at == one.name}

        async with running(Hearing(listener=listener, **watch.hearing)):
            await until(lambda: listener.connected)
            async with stack:
                mcs = next(one for one in devices if one.profile.profile == "em300-mcs")
                for open_ in (True, False):
                    mcs.hold("cover_open", open_)
                    await until(lambda value=open_: watch.of(mcs.name, "cover_open")[-1:] == [(value, None)])
                swl = next(one for one in devices if one.profile.profile == "em500-swl")
                swl.hold("level", 1.23)
                await until(lambda: (1.23, None) in watch.of(swl.name, "level"))
                await until(lambda: all(told(one) >= set(one.points) for one in devices))
        for one in devices:
            assert told(one) == set(one.points), one.name
        by_name = {one.name: one for one in devices}
        wrong = [
            (at, point, value) for at, point, time_ms, value, quality, _ in watch.told
            if quality is not None or value not in by_name[at].held(point, time_ms, 1500)
        ]  # fmt: skip
        assert wrong == []
        assert {(point, event) for _, point, *_, event in watch.told if point == "cover_open"} == {("cover_open", True)}
        assert listener.bad == 0

    asyncio.run(scenario())


@WITH_CHIRPSTACK
def test_faults_of_a_sensor_are_told_and_end(broker):
    async def scenario():
        one = emulated("em500-swl")
        watch = Watch({"em500-swl": one.profile}, [device("em500-swl", one.address, profile="em500-swl")])
        listener = listener_on(broker)
        stack = ChirpstackEvents(devices=[one], connect=connect(broker), period_s=60)
        sensor = stack.sensors[one.address]

        def told(point):
            return [entry for entry in watch.told if entry[1] == point]

        async with running(Hearing(listener=listener, **watch.hearing)):
            await until(lambda: listener.connected)
            async with stack:
                await until(lambda: told("level"))
                sensor.faults.garbage = True
                await stack.send(sensor)
                await until(lambda: listener.bad == 1)
                sensor.faults.garbage, sensor.faults.twice = False, True
                await stack.send(sensor)
                await until(lambda: listener.repeated == 1)
                sensor.faults.twice, sensor.faults.cut_off = False, True
                one.hold("battery", 50)
                one.hold("level", 3.0)
                await stack.send(sensor)  # the level's last byte is missing: the battery before it is read
                await until(lambda: told("battery")[-1][3] == 50)
                assert told("level")[-1][3] != 3.0
                sensor.faults.cut_off, sensor.faults.no_clock = False, True
                await stack.send(sensor)
                await until(lambda: told("level")[-1][3] == 3.0)
                assert abs(told("level")[-1][2] - time.time() * 1000) < 20_000
                with pytest.raises(errors.Refused):
                    await listener.tell(one.address, "0377", 1)

    asyncio.run(scenario())


@WITH_CHIRPSTACK
def test_a_broker_that_starts_anew_is_heard_again(broker):
    async def scenario():
        ears = Ears()
        listener = listener_on(broker)
        async with running(Listening(listener, ears)):
            await until(lambda: listener.connected)
            await asyncio.to_thread(broker.kill)
            await until(lambda: not listener.connected)
            await asyncio.to_thread(broker.start)
            async with aiomqtt.Client(**connect(broker)) as client:
                await until(lambda: listener.connected)
                await client.publish(topic(), up(fCnt=1), qos=1)
                await until(lambda: ears.all)
            assert [address for address, *_ in ears.all] == [EUI.lower()]

    asyncio.run(scenario())


class Cable:
    """The way to the broker, which a test can cut."""

    def __init__(self, port):
        self.port = 0
        self._to = port
        self._server = None
        self._writers = []

    async def mend(self):
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _carry(self, reader, writer):
        other, out = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, out]
        await asyncio.gather(self._pump(reader, out), self._pump(other, writer), return_exceptions=True)

    async def _pump(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@WITH_CHIRPSTACK
def test_what_was_told_while_the_connection_was_cut_is_heard(broker, monkeypatch):
    monkeypatch.setattr(chirpstack_listener, "RETRY_S", (0.05, 0.1))

    async def scenario():
        ears, cable = Ears(), Cable(broker.port)
        await cable.mend()
        listener = listener_on(broker, cable.port)
        async with running(Listening(listener, ears)), aiomqtt.Client(**connect(broker)) as client:
            await until(lambda: listener.connected)
            cable.cut()
            await until(lambda: not listener.connected)
            await client.publish(topic(), up(fCnt=5), qos=1)
            await asyncio.sleep(0.2)
            assert ears.all == []
            await cable.mend()
            await until(lambda: ears.all)
            assert ears.all[0][1]["fCnt"] == 5
        cable.cut()

    asyncio.run(scenario())


def test_a_broker_that_is_not_there_is_said_once(monkeypatch):
    monkeypatch.setattr(chirpstack_listener, "RETRY_S", (0.01, 0.02))

    async def scenario():
        with structlog.testing.capture_logs() as logs:
            listener = ChirpstackListener(broker="mqtt://127.0.0.1:1", user="x", password="y")
            async with running(Listening(listener, Ears())):
                await until(lambda: logs)
                await asyncio.sleep(0.3)
        assert [entry["event"] for entry in logs] == ["broker: connection lost or refused, trying on"]

    asyncio.run(scenario())


@WITH_CHIRPSTACK
def test_a_stop_in_the_middle_of_events_ends(broker):
    async def scenario():
        ears = Ears()
        listener = listener_on(broker)
        async with aiomqtt.Client(**connect(broker)) as client:
            async with asyncio.timeout(10):
                async with running(Listening(listener, ears)):
                    await until(lambda: listener.connected)
                    for index in range(200):
                        await client.publish(topic(), up(fCnt=index), qos=0)
                    await until(lambda: ears.all)

    asyncio.run(scenario())


@WITH_CHIRPSTACK
def test_an_event_that_is_too_large_is_refused_or_never_reaches_us(broker):
    async def scenario():
        ears = Ears()
        listener = listener_on(broker)
        async with running(Listening(listener, ears)):
            await until(lambda: listener.connected)
            async with aiomqtt.Client(**connect(broker)) as client:
                for size in (70_000, 200_000, 1_000_000):
                    with contextlib.suppress(aiomqtt.MqttError):
                        await client.publish(topic(), up(object={"a": "x" * size}), qos=0)
            async with aiomqtt.Client(**connect(broker)) as client:
                await client.publish(topic(), up(fCnt=9), qos=1)
                await until(lambda: ears.all)
            assert [items["fCnt"] for _, items, _ in ears.all] == [9]
            assert (listener.connected, listener.bad) == (True, 1), "70 kB reach us and are refused"

    asyncio.run(scenario())


def took(listener, *events):
    ears = Ears()
    for kind, body in events:
        listener.take(topic(kind), body, ears)
    return ears.all


def test_the_same_uplink_is_taken_once_and_a_new_one_of_the_same_number_again():
    listener = ChirpstackListener(broker="mqtt://h:1")
    first = up(fCnt=7, time="2026-11-21T10:00:00Z")
    later = up(fCnt=7, time="2026-11-21T11:00:00Z")
    assert [at for _, _, at in took(listener, ("up", first), ("up", first), ("up", later))] == [
        1_795_255_200_000,
        1_795_258_800_000,
    ]
    assert listener.repeated == 1


def test_after_a_join_the_counter_begins_again():
    listener = ChirpstackListener(broker="mqtt://h:1")
    join = json.dumps({"deviceInfo": {"devEui": EUI}, "devAddr": "00189440"}).encode()
    assert len(took(listener, ("up", up(fCnt=0)), ("join", join), ("up", up(fCnt=0)))) == 3
    assert listener.repeated == 0


def test_what_is_remembered_of_devices_is_bounded(monkeypatch):
    monkeypatch.setattr(chirpstack_listener, "DEVICES_KEPT", 10)
    listener = ChirpstackListener(broker="mqtt://h:1")
    for index in range(100):
        body = up(fCnt=1).replace(EUI.lower().encode(), eui(index).lower().encode())
        for count in range(50):
            listener.take(topic(), body.replace(b'"fCnt": 1', b'"fCnt": %d' % count), Ears())
    assert len(listener._seen) == 10
    assert {len(counts) for counts in listener._seen.values()} == {chirpstack_listener.COUNTS_KEPT}


@pytest.mark.parametrize(
    ("where", "body"),
    [
        ("application/x/device/y/event", b"{}"),
        ("v3/x/device/y/event/up", b"{}"),
        (topic(), b""),
        (topic(), b"\xff"),
        (topic(), b"[]"),
        (topic(), b"{}"),
        (topic(), b"[" * 60_000),
        (topic(), up("not base64!")),
        (topic(), up("A" * 1000)),
        (topic(), b" " * 70_000),
    ],
)
def test_what_is_no_event_is_counted_and_passed_over(where, body):
    listener, ears = ChirpstackListener(broker="mqtt://h:1"), Ears()
    listener.take(where, body, ears)
    assert (ears.all, listener.bad, listener.events) == ([], 1, 0)


def test_a_payload_that_is_not_decoded_to_its_end_is_said_once():
    listener = ChirpstackListener(broker="mqtt://h:1")
    with structlog.testing.capture_logs() as logs:
        heard = took(listener, ("up", up("AXVc/8AB", fCnt=1)), ("up", up("AXVd/8AB", fCnt=2)))
    assert [items["0175"] for _, items, _ in heard] == [b"\x5c", b"\x5d"]
    assert [entry["bytes"] for entry in logs] == ["ffc001"]


def test_a_status_tells_the_battery():
    sensor = Sensor(device=emulated("em500-swl"))
    ((_, items, _),) = took(
        ChirpstackListener(broker="mqtt://h:1"), ("status", json.dumps(sensor.status(88.3)).encode())
    )
    assert items == {"margin": 10, "batteryLevel": 88.3, "externalPowerSource": False}
