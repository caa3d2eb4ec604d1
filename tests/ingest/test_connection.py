"""The MQTT client against a broker that misbehaves on purpose, written on the codec alone."""

import asyncio

import mqtt5
import pytest

from ingest.connection import Connection, retained
from ingest.errors import BrokerGone
from ingest.session import Address
from pole.broker import free_port


class Peer:
    """The broker's end of one connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self._buffer = reader, writer, bytearray()

    def send(self, packet):
        self.writer.write(packet.write())

    async def receive(self, seconds=20.0):
        async with asyncio.timeout(seconds):
            while True:
                try:
                    with memoryview(self._buffer) as view:
                        packet, size = mqtt5.read(view)
                    del self._buffer[:size]
                    return packet
                except IndexError:
                    data = await self.reader.read(4096)
                    if not data:
                        raise EOFError from None
                    self._buffer += data

    async def welcome(self, code=mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE):
        """Answers CONNECT and SUBSCRIBE; returns both."""
        connect = await self.receive()
        self.send(mqtt5.ConnAckPacket(session_present=True))
        subscribe = await self.receive()
        self.send(mqtt5.SubAckPacket(subscribe.packet_id, [code] * len(subscribe.topic_filters)))
        return connect, subscribe

    def publish(self, packet_id, body=b"x"):
        self.send(mqtt5.PublishPacket("poles/a/n/up/telemetry", body, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=packet_id))


class Bench:
    """A connection under test, the peers that it reaches, and what it received."""

    def __init__(self, keep_alive_s):
        self.messages, self.lost, self.room = [], [], True
        self.keep_alive_s = keep_alive_s
        self.peers = asyncio.Queue()

    async def __aenter__(self):
        self.server = await asyncio.start_server(lambda *ends: self.peers.put_nowait(Peer(*ends)), "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        self.connection = Connection(
            address=Address(
                host="127.0.0.1", port=port, client_id="ingest-1", keep_alive_s=self.keep_alive_s, receive_max=77
            ),
            filters=["poles/+/+/up/telemetry"],
            on_message=self.messages.append,
            on_read=lambda: None,
            on_lost=self.lost.append,
            room=lambda: self.room,
        )
        self.task = asyncio.create_task(self.connection.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        self.server.close()

    async def peer(self):
        async with asyncio.timeout(20):
            return await self.peers.get()

    async def received(self, count):
        async with asyncio.timeout(20):
            while len(self.messages) < count:
                await asyncio.sleep(0.005)


def run(test, *, keep_alive_s=30):
    """Peers answer no ping: with a short keep-alive a machine that stands still for a moment ends their sessions."""

    async def work():
        async with Bench(keep_alive_s) as bench:
            await test(bench)

    asyncio.run(work())


async def nothing_but_pings(peer, seconds):
    try:
        while True:
            assert isinstance(await peer.receive(seconds), mqtt5.PingReqPacket)
    except TimeoutError:
        pass


def test_it_keeps_its_session_and_states_its_window():
    async def test(bench):
        connect, subscribe = await (await bench.peer()).welcome()
        assert (connect.client_id, connect.clean_start, connect.receive_max) == ("ingest-1", False, 77)
        assert connect.session_expiry_interval == 7 * 86400
        assert [(wanted.pattern, int(wanted.max_qos)) for wanted in subscribe.topic_filters] == [
            ("poles/+/+/up/telemetry", 1)
        ]

    run(test)


def test_of_what_it_asked_for_the_broker_keeps_the_latest_and_forgets_the_rest(monkeypatch):
    monkeypatch.setattr("ingest.connection.MOST_ASKED", 3)

    async def test(bench):
        peer = await bench.peer()
        await peer.welcome()
        while bench.connection.waiting_for is not None:
            await asyncio.sleep(0.005)
        kept, numbers = [], []
        for number in range(9):
            bench.connection.ask(f"poles/a/n{number}/up/birth")
        while len(numbers) < 15:
            packet = await peer.receive()
            if isinstance(packet, mqtt5.SubscribePacket):
                kept += [each.pattern for each in packet.topic_filters]
                numbers.append(packet.packet_id)
            elif isinstance(packet, mqtt5.UnsubscribePacket):
                kept = [topic for topic in kept if topic not in packet.patterns]
                numbers.append(packet.packet_id)
        peer.send(mqtt5.UnsubAckPacket(numbers[-1], [mqtt5.UnsubAckReasonCode.SUCCESS]))
        peer.publish(1)
        await bench.received(1)
        assert kept == [f"poles/a/n{number}/up/birth" for number in (6, 7, 8)]
        assert len(set(numbers)) == 15

    run(test)


def test_nothing_is_acknowledged_before_the_word_and_then_by_its_own_id():
    async def test(bench):
        peer = await bench.peer()
        await peer.welcome()
        peer.publish(5)
        peer.publish(6)
        await bench.received(2)
        await nothing_but_pings(peer, 0.3)
        bench.messages[1].acknowledge()
        packet = await peer.receive()
        assert isinstance(packet, mqtt5.PubAckPacket)
        assert packet.packet_id == 6

    run(test)


def test_an_id_of_a_former_connection_is_never_acknowledged_on_a_new_one():
    async def test(bench):
        first = await bench.peer()
        await first.welcome()
        first.publish(1)
        await bench.received(1)
        first.writer.close()
        second = await bench.peer()
        await second.welcome()
        assert bench.messages[0].stale
        bench.messages[0].acknowledge()
        await nothing_but_pings(second, 0.3)
        assert bench.lost == [bench.messages[0].session]

    run(test)


def test_it_comes_back_from_silence_garbage_and_refusals():
    async def test(bench):
        first = await bench.peer()
        await first.welcome()  # then not a word: the keep-alive is 1 s
        second = await bench.peer()
        assert "said nothing for 1 s" in bench.connection.waiting_for
        await second.welcome()
        second.writer.write(b"\xff\xff\xff\xff\xff\xff")
        third = await bench.peer()
        assert "not MQTT 5" in bench.connection.waiting_for
        await third.receive()
        third.send(mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode.BAD_USER_NAME_OR_PASSWORD))
        fourth = await bench.peer()
        assert "BAD_USER_NAME_OR_PASSWORD" in bench.connection.waiting_for
        await fourth.welcome(mqtt5.SubAckReasonCode.NOT_AUTHORIZED)
        fifth = await bench.peer()
        assert "poles/+/+/up/telemetry (NOT_AUTHORIZED)" in bench.connection.waiting_for
        await fifth.welcome()
        fifth.publish(9)
        await bench.received(1)
        assert bench.connection.waiting_for is None

    run(test, keep_alive_s=1)


def test_without_room_it_stops_reading_and_stays_alive():
    async def test(bench):
        peer = await bench.peer()
        await peer.welcome()
        bench.room = False
        for packet_id in range(1, 11):
            peer.publish(packet_id)
        pings = 0
        async with asyncio.timeout(30):
            while pings < 4:  # two keep-alives without an answer
                pings += isinstance(await peer.receive(), mqtt5.PingReqPacket)
        assert len(bench.messages) <= 1  # the one it was reading
        bench.room = True
        bench.connection.room_made.set()
        await bench.received(10)
        assert bench.lost == []

    run(test, keep_alive_s=1)


def test_an_endless_packet_is_not_collected():
    async def test(bench):
        peer = await bench.peer()
        await peer.welcome()
        peer.writer.write(b"\x30\xff\xff\xff\x7f")  # a publish of 256 MiB
        try:
            for _ in range(64):
                peer.writer.write(bytes(64 * 1024))
                await peer.writer.drain()
        except ConnectionError:
            pass
        await bench.peer()
        assert "above the stated maximum" in bench.connection.waiting_for

    run(test)


def test_publishing_without_a_session_says_so():
    async def test(bench):
        assert bench.connection.publish("poles/a/n/down/stored", b"x") is False
        peer = await bench.peer()
        await peer.welcome()
        async with asyncio.timeout(20):
            while not bench.connection.publish("poles/a/n/down/stored", b"x"):
                await asyncio.sleep(0.01)
        packet = await peer.receive()
        assert (packet.topic, packet.payload, int(packet.qos)) == ("poles/a/n/down/stored", b"x", 0)

    run(test)


def test_a_broker_that_is_not_there_is_named():
    address = Address(host="127.0.0.1", port=free_port(), client_id="x")
    with pytest.raises(BrokerGone, match="cannot connect"):
        asyncio.run(retained(address, ["poles/+/+/up/status"]))
