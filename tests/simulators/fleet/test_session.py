"""Sessions of emulated nodes with a real broker."""

import os
import resource
import socket
import time

import pytest

from simulators.fleet import mqtt_bytes, session
from simulators.fleet.loop import Loop
from simulators.fleet.session import Session


class Heard:
    def __init__(self):
        self.said = []

    def opened(self):
        self.said.append("opened")

    def acknowledged(self, packet_id):
        self.said.append(("acknowledged", packet_id))

    def received(self, topic, payload):
        self.said.append((topic.decode(), payload))

    def lost(self, reason):
        self.said.append(("lost", reason))


@pytest.fixture
def loop():
    made = Loop()
    yield made
    made.close()


def until(loop, condition, seconds=20):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        loop.turn(0.05)


def begin(loop, broker, user="gw-1", *, password=None, will=None, source=""):
    heard = Heard()
    one = Session(loop=loop, owner=heard)
    greeting = mqtt_bytes.connect(
        user, user=user, password=password or broker.passwords[user], keep_alive_s=30, will=will
    )
    one.start(("127.0.0.1", broker.port), greeting, source=source)
    return one, heard


def test_a_node_publishes_hears_and_leaves(loop, broker):
    node, heard = begin(loop, broker, source="127.0.0.7")
    until(loop, lambda: "opened" in heard.said)
    node.send(mqtt_bytes.subscribe(1, [b"poles/+/gw-1/down/#"]))
    ingest, other = begin(loop, broker, "ingest")
    until(loop, lambda: "opened" in other.said)
    ingest.send(mqtt_bytes.subscribe(1, [b"poles/+/+/up/#"]))
    loop.turn(0.2)
    big = b"x" * 200_000
    node.send(mqtt_bytes.publish(b"poles/wuhou/gw-1/up/birth", big, 65535, retain=True))
    until(loop, lambda: ("acknowledged", 65535) in heard.said)
    until(loop, lambda: ("poles/wuhou/gw-1/up/birth", big) in other.said)
    ingest.send(mqtt_bytes.publish(b"poles/wuhou/gw-1/down/stored", b"{}", 2))
    until(loop, lambda: ("poles/wuhou/gw-1/down/stored", b"{}") in heard.said)
    node.close(politely=True)
    assert node.state == session.CLOSED
    assert len(loop) == 1
    ingest.close()


def test_a_node_that_dies_has_its_will_published(loop, broker):
    ingest, other = begin(loop, broker, "ingest")
    until(loop, lambda: "opened" in other.said)
    ingest.send(mqtt_bytes.subscribe(1, [b"poles/+/+/up/status"]))
    node, heard = begin(loop, broker, will=(b"poles/wuhou/gw-1/up/status", b"gone"))
    until(loop, lambda: "opened" in heard.said)
    node.close()
    until(loop, lambda: ("poles/wuhou/gw-1/up/status", b"gone") in other.said)
    ingest.close()


def test_a_wrong_password_is_told(loop, broker):
    node, heard = begin(loop, broker, password="wrong")
    until(loop, lambda: heard.said)
    assert heard.said == [("lost", "the broker refuses us: not authorised")]
    assert node.state == session.CLOSED


def test_a_broker_that_is_not_there_and_one_that_dies(loop, broker):
    _, heard = begin(loop, broker)
    until(loop, lambda: heard.said)
    broker.kill()
    until(loop, lambda: len(heard.said) == 2)
    assert heard.said[1] == ("lost", "the broker closed the connection")
    _, heard = begin(loop, broker)
    until(loop, lambda: heard.said)
    assert heard.said == [("lost", "cannot connect: ECONNREFUSED")]
    assert len(loop) == 0


def test_a_process_without_descriptors_says_so_and_leaks_nothing(loop, broker):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(loop)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            begin(loop, broker)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(loop) == used


def test_packets_are_taken_from_pieces_of_every_size():
    stream = b"".join((
        mqtt_bytes.puback(7), mqtt_bytes.publish(b"poles/a/n/down/stored", b"y" * 300, 65535), mqtt_bytes.DISCONNECT,
        mqtt_bytes.subscribe(3, [b"a/#"]),
    ))  # fmt: skip
    whole, taken = mqtt_bytes.packets(stream)
    assert taken == len(stream)
    assert [first & 0xF0 for first, _ in whole] == [0x40, 0x30, 0xE0, 0x80]
    assert mqtt_bytes.published(*whole[1]) == (b"poles/a/n/down/stored", b"y" * 300, 65535)
    for cut in range(len(stream)):
        head, taken = mqtt_bytes.packets(stream[:cut])
        rest, _ = mqtt_bytes.packets(stream[taken:cut] + stream[cut:])
        assert head + rest == whole


@pytest.mark.parametrize("data", [b"\x30\xff\xff\xff\xff\x01", b"\x30\xff\xff\xff\x7f"])
def test_a_length_that_lies_is_refused(data):
    with pytest.raises(mqtt_bytes.Malformed):
        mqtt_bytes.packets(data)


@pytest.mark.parametrize(("first", "body"), [(0x32, b"\x00\x09abc"), (0x32, b"\x00\x01a"), (0x30, b"")])
def test_a_publish_that_is_too_short_is_refused(first, body):
    with pytest.raises(mqtt_bytes.Malformed):
        mqtt_bytes.published(first, body)


@pytest.mark.parametrize("size", [0, 127, 128, 16_383, 16_384, 300_000])
def test_a_packet_of_any_length_is_read_as_it_was_written(size):
    (packet,), taken = mqtt_bytes.packets(written := b"\x30" + mqtt_bytes.length(size) + bytes(size))
    assert (packet, taken) == ((0x30, bytes(size)), len(written))


def test_receipts_that_come_in_pieces_are_each_heard_once(loop):
    heard = Heard()
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = Session(loop=loop, owner=heard)
        one.start(server.getsockname(), b"greeting")
        accepted, _ = server.accept()
        with accepted:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.sendall(b"\x20\x02\x00\x00")
            until(loop, lambda: "opened" in heard.said)
            for number in range(1, 4):
                receipt = mqtt_bytes.puback(number)
                for piece in (receipt[:number], receipt[number:]):
                    accepted.sendall(piece)
                    loop.turn(0.2)
                until(loop, lambda wanted=number: ("acknowledged", wanted) in heard.said)
        one.close()
    assert heard.said == ["opened", ("acknowledged", 1), ("acknowledged", 2), ("acknowledged", 3)]
