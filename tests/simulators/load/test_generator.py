"""The open loop against a real broker: also one that stands still, and one that goes away."""

import os
import signal
import time

import paho.mqtt.client as mqtt
import pytest

from device_profiles import loader
from simulators.descriptors import SPARE
from simulators.load import generator, schedule
from simulators.load.errors import LoadError
from simulators.load.generator import Generator
from simulators.load.priority import real_time
from simulators.load.target import Target, loopback, make_room
from wire import packs, stored

NODES = tuple(f"L{number:05}" for number in range(20))
with_nodes = pytest.mark.parametrize("broker", [NODES], indirect=True)


def made(broker, plan, *, told=lambda moment: None, **changed):
    wanted = {
        "host": "127.0.0.1", "port": broker.port, "users": dict(broker.passwords), "sources": loopback(3),
        "confirm": "broker", "parts": {"broker": broker.pid},
    }  # fmt: skip
    return Generator(
        target=Target(**wanted | changed), schedule=plan, profiles=loader.profiles(), readings=10, told=told
    )


def once_sending(act):
    """told: acts when the first packs are due."""
    acted = []

    def told(moment):
        if moment.phase == "sending" and not acted:
            acted.append(True)
            act()

    return told


@with_nodes
def test_a_broker_that_stands_still_shows_in_every_pack_that_was_due_meanwhile(broker, monkeypatch):
    rate, seconds, stopped, until_s = 200, 4.0, [], []

    def told(moment):
        """Stops the broker, and lets it go on a second later: here, as a thread of its own may wait for its turn."""
        if moment.phase != "sending" or moment.at_s == 0 or len(stopped) == 2:  # 0: nothing is due yet
            return
        if not stopped:
            os.kill(broker.pid, signal.SIGSTOP)
            until_s.append(seconds - moment.at_s)  # on a loaded machine the last pack may be due soon
        stopped.append(time.monotonic())
        if len(stopped) == 2:
            os.kill(broker.pid, signal.SIGCONT)

    monkeypatch.setattr(generator, "DRAIN_QUIET_S", 20.0)  # a broker on a loaded machine
    result = made(broker, schedule.steps([rate], seconds), told=told).run()
    (account,) = result.accounts
    still = stopped[1] - stopped[0]
    assert account.sent == account.to_puback.count == account.due == seconds * rate
    # what was due in the first half of the stop waits for more than half of it. A generator that waits for a receipt
    # before it sends again would have one such pack a node
    assert account.to_puback.above(0.49 * still) >= min(0.5 * still, until_s[0]) * rate - 2 > len(NODES)
    assert account.to_puback.largest_us / 1e6 >= still - 2 / rate
    assert account.to_puback.percentile(0.99) >= still - (0.01 * seconds * rate + 2) / rate


@with_nodes
def test_all_that_is_due_is_sent_from_every_source_and_acknowledged(broker):
    moments = []
    result = made(broker, schedule.steps([100, 300], 1.0), told=moments.append).run()
    assert [row["due"] for row in result.rows] == [row["acknowledged"] for row in result.rows] == [100, 300]
    assert (result.sent, result.confirmed, result.losses) == (400, 400, {})
    assert [row["stored"] for row in result.rows] == [0, 0]
    assert all(row["own_cpu_us_per_pack"] > 0 for row in result.rows)
    log = broker.log.read_text()
    assert all(f"New client connected from 127.0.0.{source}:" in log for source in (1, 2, 3))
    assert all(log.count(f" as {node} ") == 1 for node in NODES)
    assert {moment.phase for moment in moments} >= {"connecting", "sending"}


@with_nodes
def test_packs_that_are_due_without_a_connection_count(broker):
    result = made(broker, schedule.steps([200], 2.0), told=once_sending(broker.kill)).run()
    (row,) = result.rows
    assert sum(result.losses.values()) == len(NODES)  # closed, or reset where something was under way
    assert row["sent"] < row["due"] == 400
    assert row["verdict"] in ("not held", "do not trust")
    assert row["puback_ms"]["p99"] is None
    assert result.highest_held is None


@with_nodes
def test_a_broker_without_ingest_is_noticed_before_anything_is_measured(broker, monkeypatch):
    monkeypatch.setattr(generator, "SILENCE_S", 0.5)
    with pytest.raises(LoadError, match="Is ingest connected to this broker"):
        made(broker, schedule.steps([100], 1.0), confirm="stored").run()


@with_nodes
def test_a_broker_that_refuses_a_node_says_so(broker):
    with pytest.raises(LoadError, match=r"refuses us: not authorised; 0 of 1 nodes were ready"):
        made(broker, schedule.steps([100], 1.0), users={NODES[0]: "wrong"}).run()


def test_more_nodes_than_open_files_are_refused_with_the_number_that_fits(monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda which: (1024, 5000))
    with pytest.raises(LoadError, match=f"at most {5000 - SPARE} nodes"):
        make_room(5000)


def test_priority_is_taken_for_the_time_of_the_measurement_only():
    before = os.sched_getscheduler(0)
    with real_time() as priority:
        inside = os.sched_getscheduler(0)
    assert os.sched_getscheduler(0) == before
    assert (inside != before) == (priority == "real-time")


def confirmed_by(broker, say):
    """Two nodes for a second, and an ingest that answers say(pack): (result, the numbers that it heard)."""
    heard = []

    def on_message(client, userdata, message):
        if message.topic.endswith("/up/telemetry"):
            pack = packs.decode(message.payload)
            for payload in say(pack):
                client.publish(message.topic.replace("/up/telemetry", "/down/stored"), payload)
            heard.append(pack.number)
            if len(heard) == 52:  # the last one: from now on nothing is to come
                generator.DRAIN_QUIET_S = 1.0

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="ingest")
    client.username_pw_set("ingest", broker.passwords["ingest"])
    client.on_message = on_message
    client.connect("127.0.0.1", broker.port)
    client.subscribe("poles/+/+/up/#", 1)
    client.loop_start()
    users = {node: broker.passwords[node] for node in NODES[:2]}
    try:
        return made(broker, schedule.steps([50], 1.0), users=users, confirm="stored").run(), heard
    finally:
        client.loop_stop()
        client.disconnect()


with_ingest = pytest.mark.parametrize("broker", [(*NODES[:2], "ingest")], indirect=True)


@with_ingest
def test_packs_count_as_stored_when_their_own_epoch_and_number_are_confirmed(broker, monkeypatch):
    def say(pack):
        foreign = "0" * 8 if pack.epoch != "0" * 8 else "1" * 8
        return [
            stored.encode(foreign, [[1, 50]]),
            stored.encode(pack.epoch, [[pack.number, pack.number]] if pack.number % 2 else [[900, 999]]),
        ]

    monkeypatch.setattr(generator, "DRAIN_QUIET_S", 20.0)
    result, heard = confirmed_by(broker, say)
    (row,) = result.rows
    assert (row["due"], row["acknowledged"], len(heard)) == (50, 50, 52)
    assert row["stored"] == sum(number % 2 for number in heard) - 2 == 24
    assert row["verdict"] != "held"


@with_ingest
def test_an_ingest_that_says_something_else_ends_the_load(broker):
    with pytest.raises(LoadError, match=r"poles/load/L0000./down/stored: .* that is no down/stored"):
        confirmed_by(broker, lambda pack: [b'{"ep":"9f3c21aa"}'])
