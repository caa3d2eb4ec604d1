"""mosquitto.conf and mosquitto.acl, as the real broker applies them."""

import asyncio
import contextlib
import re
from concurrent.futures import ThreadPoolExecutor

import aiomqtt
import pytest

from pole import broker as module
from pole.broker import Broker, BrokerError, substitute

UP, DOWN = "poles/wuhou/gw-1/up/telemetry", "poles/wuhou/gw-1/down/command"


def client(broker, user, timeout=20):
    return aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        username=user,
        password=broker.passwords[user],
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=timeout,
    )


async def heard(broker, *, listener, subscribed, sender, topics):
    """Topics that arrive, up to the last of `topics`, an allowed one: a refused one would have come before it."""
    got = []
    async with client(broker, listener) as ear, client(broker, sender) as mouth:
        await ear.subscribe(subscribed, qos=1)
        for topic in topics:
            with contextlib.suppress(aiomqtt.MqttError):  # MQTT 5: the PUBACK says "not authorized"
                await mouth.publish(topic, b"x", qos=1)
        while topics[-1] not in got:
            got.append(str((await asyncio.wait_for(anext(ear.messages), 20)).topic))
    return got


def test_node_is_heard_and_hears_under_its_own_name(broker):
    run = heard(broker, listener="ingest", subscribed="poles/+/+/up/#", sender="gw-1", topics=[UP])
    assert asyncio.run(run) == [UP]
    run = heard(broker, listener="gw-1", subscribed="poles/+/gw-1/down/#", sender="operator", topics=[DOWN])
    assert asyncio.run(run) == [DOWN]


def test_shared_subscription_of_ingest_receives(broker):
    run = heard(broker, listener="ingest", subscribed="$share/ingest/poles/+/+/up/#", sender="gw-1", topics=[UP])
    assert asyncio.run(run) == [UP]


def test_node_cannot_speak_as_another_node(broker):
    topics = ["poles/wuhou/gw-2/up/telemetry", "poles/wuhou/gw-2/down/command", DOWN, UP]
    run = heard(broker, listener="operator", subscribed="poles/#", sender="gw-1", topics=topics)
    assert asyncio.run(run) == [UP]


def test_node_cannot_hear_another_node(broker):
    topics = ["poles/wuhou/gw-2/down/command", DOWN]
    run = heard(broker, listener="gw-1", subscribed="poles/#", sender="operator", topics=topics)
    assert asyncio.run(run) == [DOWN]


def test_ingest_confirms_but_commands_nobody(broker):
    stored = "poles/wuhou/gw-1/down/stored"
    topics = [DOWN, "poles/wuhou/gw-1/down/config", "poles/wuhou/gw-1/down/release", UP, stored]
    run = heard(broker, listener="gw-1", subscribed="poles/+/gw-1/down/#", sender="ingest", topics=topics)
    assert asyncio.run(run) == [stored]


def test_operator_cannot_confirm_a_pack(broker):
    topics = ["poles/wuhou/gw-1/down/stored", "poles/wuhou/gw-1/down/config"]
    run = heard(broker, listener="gw-1", subscribed="poles/+/gw-1/down/#", sender="operator", topics=topics)
    assert asyncio.run(run) == topics[1:]


def test_what_a_lorawan_server_tells_is_heard_by_nodes_and_nobody_speaks_for_it(broker):
    events = "application/+/device/+/event/+"
    event, forged = (f"application/a1/device/24e124{number}/event/up" for number in (1, 2))

    async def scene():
        got = []
        async with client(broker, "gw-2") as ear, client(broker, "gw-1") as node, client(broker, "chirpstack") as lora:
            await ear.subscribe(events, qos=1)
            with contextlib.suppress(aiomqtt.MqttError):
                await node.publish(forged, b"x", qos=1)
            await lora.publish(event, b"x", qos=1)
            while event not in got:
                got.append(str((await asyncio.wait_for(anext(ear.messages), 20)).topic))
        return got

    assert asyncio.run(scene()) == [event]


def test_a_lorawan_server_cannot_speak_as_a_node(broker):
    async def scene():
        async with (
            client(broker, "operator") as ear,
            client(broker, "gw-1") as node,
            client(broker, "chirpstack") as lora,
        ):
            await ear.subscribe("poles/#", qos=1)
            with contextlib.suppress(aiomqtt.MqttError):
                await lora.publish(UP, b"forged", qos=1)
            await node.publish(UP, b"true", qos=1)
            return (await asyncio.wait_for(anext(ear.messages), 20)).payload

    assert asyncio.run(scene()) == b"true"


@pytest.mark.parametrize(("user", "password"), [(None, None), ("gw-1", "wrong"), ("stranger", "x")])
def test_nobody_connects_without_an_identity(broker, user, password):
    async def connect():
        async with aiomqtt.Client("127.0.0.1", broker.port, username=user, password=password, timeout=20):
            pass

    with pytest.raises(aiomqtt.MqttError, match=r"[Nn]ot authori[sz]ed"):
        asyncio.run(connect())


def test_largest_birth_passes_and_a_larger_packet_does_not(broker):
    async def publish(size, patience=20):
        async with client(broker, "gw-1", timeout=patience) as node:
            await node.publish("poles/wuhou/gw-1/up/birth", b"x" * size, qos=1)

    asyncio.run(publish(256 * 1024))
    with pytest.raises(aiomqtt.MqttError):
        asyncio.run(publish(310_000, patience=1))


def test_retained_birth_survives_a_stop_and_the_port_a_kill(broker):
    topic = "poles/wuhou/gw-1/up/birth"

    async def publish():
        async with client(broker, "gw-1") as node:
            await node.publish(topic, b"born", qos=1, retain=True)

    async def read():
        async with client(broker, "operator") as ear:
            await ear.subscribe("poles/+/+/up/birth")
            return (await asyncio.wait_for(anext(ear.messages), 20)).payload

    asyncio.run(publish())
    port, first = broker.port, broker.pid
    broker.stop()
    assert broker.pid is None
    broker.start()
    assert asyncio.run(read()) == b"born"
    broker.restart()
    assert broker.port == port
    assert broker.pid not in (None, first)
    assert asyncio.run(read()) == b"born"


def test_passwords_are_hashed(broker):
    text = (broker.folder / "mosquitto.password").read_text()
    assert sorted(line.split(":")[0] for line in text.splitlines()) == sorted(broker.passwords)
    assert all(line.split(":")[1].startswith("$") for line in text.splitlines())
    assert not any(password in text for password in broker.passwords.values())


def test_broker_listens_on_loopback_only(broker):
    text = (broker.folder / "mosquitto.conf").read_text()
    assert re.findall(r"^listener .*", text, re.M) == [f"listener {broker.port} 127.0.0.1"]


def test_a_broker_that_cannot_start_says_why(broker, tmp_path):
    second = module.Broker(folder=tmp_path / "second", passwords={"a": "b"})
    configuration = tmp_path / "second" / "mosquitto.conf"
    configuration.write_text(configuration.read_text() + "no_such_directive 1\n")
    with pytest.raises(BrokerError, match="no_such_directive"):
        second.start()
    assert second.pid is None


@pytest.mark.parametrize("text", ["port 1\n", "listener 1\nlistener 2\n"])
def test_substitution_refuses_a_directive_that_is_not_there_once(text):
    with pytest.raises(BrokerError, match=r"`listener` stands there [02] times"):
        substitute(text, {"listener": "5"})


def test_substitution_leaves_comments_and_other_lines_alone():
    assert substitute("# listener 1\nlistener 1\nuser x\n", {"listener": "5"}) == "# listener 1\nlistener 5\nuser x\n"


def test_several_that_start_it_at_once_start_one(broker):
    broker.kill()
    with ThreadPoolExecutor(4) as threads:
        for started in [threads.submit(broker.start) for _ in range(4)]:
            started.result()
    assert broker.log.read_text().count(" running") == 2, "before, and now"


def test_a_port_that_another_broker_has_is_an_error_and_not_mistaken_for_ours(broker, tmp_path):
    other = Broker(folder=tmp_path / "other", passwords={"gw-1": "x"}, port=broker.port)
    with pytest.raises(BrokerError, match="in use"):
        other.start()
