"""The agent's MQTT client against a real mosquitto, on its three interpreters."""

import json
import socket
import subprocess
import threading
import time

import paho.mqtt.client as paho
import pytest

pytestmark = pytest.mark.parametrize("broker", [("gw-1", "gw-2", "ingest", "operator")], indirect=True)


class Companion:
    """Hears all that nodes say; and publishes under down/ what they ask for under up/reply."""

    def __init__(self, broker):
        self.heard = []  # topic, payload, retained
        self._hearing = threading.Event()
        self._clients = [self._client(broker, user) for user in ("ingest", "operator")]
        self._clients[0].on_message = self._on_message
        self._clients[0].on_subscribe = lambda *_: self._hearing.set()
        self._clients[0].subscribe("poles/+/+/up/#", qos=1)
        assert self._hearing.wait(10)

    def _client(self, broker, user):
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.username_pw_set(user, broker.passwords[user])
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        return client

    def _on_message(self, client, _, message):
        self.heard.append((message.topic, message.payload, message.retain))
        if message.topic.endswith("/reply"):
            channel, payload, qos, times = json.loads(message.payload)
            area, node = message.topic.split("/")[1:3]
            if "/" in channel:
                node, channel = channel.split("/")
            payload = "x" * payload if isinstance(payload, int) else payload
            for _ in range(times):
                self._clients[channel != "stored"].publish(f"poles/{area}/{node}/down/{channel}", payload, qos)

    def on(self, channel):
        return [payload for topic, payload, _ in self.heard if topic.endswith(f"/up/{channel}")]

    def close(self):
        for client in self._clients:
            client.disconnect()
            client.loop_stop()


@pytest.fixture
def companion(broker):
    companion = Companion(broker)
    yield companion
    companion.close()


@pytest.fixture
def arguments(broker, tmp_path):
    for user in ("gw-1", "gw-2"):
        (tmp_path / user).mkdir()
        (tmp_path / user / "password").write_text(f"{broker.passwords[user]}\n")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        yield {
            "port": broker.port, "node": "gw-1", "folder": str(tmp_path / "gw-1"), "other": "gw-2",
            "other_folder": str(tmp_path / "gw-2"), "closed_port": closed.getsockname()[1],
        }  # fmt: skip


def eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_client(interpreter, companion, arguments):
    assert "ran 11" in interpreter.run("mqtt", **arguments)
    eventually(lambda: len(companion.on("telemetry")) == 6)
    telemetry = companion.on("telemetry")
    assert [len(payload) for payload in telemetry] == [0, 1, 60, 200, 16300, 70000]
    assert all(payload == bytes((len(payload) - place) & 255 for place in range(len(payload))) for payload in telemetry)
    eventually(lambda: companion.on("birth"))
    assert companion.on("birth") == [b"birth"]

    def events():
        return [event for event in companion.on("event") if event[0] in b"abc" and event[1:2] == b" "]

    eventually(lambda: len(events()) >= 30)
    for name in b"abc":
        assert [event for event in events() if event[0] == name] == [b"%c %d" % (name, number) for number in range(10)]


def test_the_will_comes_when_it_dies_and_not_when_it_ends(interpreter, companion, arguments):
    with interpreter.start("mqtt_victim", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **arguments) as process:
        try:
            assert process.stdout.readline() == "connected\n"
            eventually(lambda: companion.on("status"))
        finally:
            process.kill()
    eventually(lambda: companion.on("status")[-1] == b"died")
    assert companion.on("status") == [b"planned", b"died"], "a planned end has no will"
