"""One node: what it sends in which order, and what it keeps until it is stored."""

import pytest

from simulators.fleet import node as nodes
from simulators.fleet.mqtt_bytes import packets, published
from simulators.fleet.node import BACKFILL_WINDOW, CONFIRM_S, EVENT_WINDOW, SILENT_S, WINDOW, Node
from simulators.fleet.session import OPEN
from wire import messages, stored


class Wire:
    """A session that is always open."""

    def __init__(self):
        self.state = OPEN
        self.sent = []

    def send(self, data):
        found, _ = packets(data)
        for first, body in found:
            if first & 0xF0 == 0x30:
                topic, payload, _ = published(first, body)
                self.sent.append((topic.decode().rpartition("/")[2], payload))

    def close(self):
        self.state = 0

    def take(self):
        sent, self.sent = self.sent, []
        return sent


class Fleet:
    def __init__(self):
        self.now, self.live_ms = 1000.0, 0
        self.packs, self.due, self.lost, self.done = {}, [], [], []

    def pack(self, node, number):
        return self.packs.get(number)

    def confirmed(self, node, numbers, seconds):
        self.done += numbers

    def overdue(self, node, number, due):
        self.due.append((number, due))

    def greeting(self, node):
        pass

    def gone(self, node, reason, *, was_open):
        self.lost.append((reason, was_open))

    def make(self, node, number, *, event=False, time_ms=1):
        self.packs[number] = (int(event), time_ms, b"%d" % number)
        node.made(number, b"%d" % number, event=event)


@pytest.fixture
def fleet():
    return Fleet()


@pytest.fixture
def node(fleet):
    made = Node(fleet=fleet, index=0, name="P00001-node", area="wuhou", epoch="0123abcd", session=Wire())
    made.opened()
    return made


def confirm(node, *told, epoch="0123abcd"):
    node.received(node.topic + b"down/stored", stored.encode(epoch, [list(pair) for pair in told]))


def test_at_most_a_window_is_under_way_and_events_pass(node, fleet):
    for number in range(1, WINDOW + 5):
        fleet.make(node, number)
    fleet.make(node, WINDOW + 5, event=True)
    assert node.session.take() == [("telemetry", b"%d" % n) for n in range(1, WINDOW + 1)] + [
        ("event", b"%d" % (WINDOW + 5))
    ]
    assert node.pending == WINDOW + 5
    confirm(node, (1, WINDOW - 1))
    assert len(node.session.take()) == BACKFILL_WINDOW - 2, "two are still under way: what waited waits on"
    confirm(node, (WINDOW, WINDOW), (WINDOW + 5, WINDOW + 5))
    assert node.session.take() == [("telemetry", b"%d" % (WINDOW + n)) for n in (1, 2)]
    confirm(node, (WINDOW + 1, WINDOW + 4))
    assert (node.pending, node.unsent, node.waiting) == (0, [], {})
    assert sorted(fleet.done) == list(range(1, WINDOW + 6))


def test_what_is_old_goes_as_backfill_after_the_events(node, fleet):
    node.session.state = 0
    for number in (1, 2, 3):
        fleet.make(node, number, time_ms=5)
    fleet.make(node, 4, event=True, time_ms=5)
    fleet.live_ms = 6
    node.session.state = OPEN
    node.opened()
    assert node.session.take()[-2:] == [("event", b"4"), ("backfill", b"1")]


def test_only_what_is_named_goes_and_other_epochs_mean_nothing(node, fleet):
    for number in (1, 2, 3):
        fleet.make(node, number)
    confirm(node, (1, 3), epoch="ffffffff")
    node.received(node.topic + b"down/stored", b"{broken")
    assert fleet.done == []
    confirm(node, (2, 2))
    assert (fleet.done, sorted(node.waiting), node.pending) == ([2], [1, 3], 2)
    confirm(node, (2, 2))
    assert (node.stored, node.pending) == (1, 2)


def test_a_session_that_ends_has_what_was_under_way_sent_again_first(node, fleet):
    for number in (1, 2, 3):
        fleet.make(node, number)
    node.session.take()
    node.lost("cut")
    assert fleet.lost == [("cut", True)]
    node.session.state = 0
    fleet.make(node, 4)
    node.session.state = OPEN
    node.opened()
    assert [payload for _, payload in node.session.take()] == [b"1", b"2"]
    confirm(node, (1, 2))
    assert [payload for _, payload in node.session.take()] == [b"3", b"4"]


def test_an_overdue_pack_is_sent_again_and_then_more_patiently(node, fleet):
    fleet.make(node, 1)
    node.session.take()
    assert fleet.due.pop() == (1, fleet.now + CONFIRM_S)
    fleet.now += CONFIRM_S
    node.resend(1)
    assert node.session.take() == [("telemetry", b"1")]
    assert fleet.due.pop() == (1, fleet.now + 2 * CONFIRM_S)
    confirm(node, (1, 1))
    node.resend(1)
    assert node.session.take() == []


def test_a_broker_that_says_nothing_is_left(node, fleet):
    fleet.make(node, 1)
    fleet.now += SILENT_S + 1
    node.resend(1)
    assert fleet.lost == [(f"the broker said nothing for {SILENT_S:g} s", True)]
    assert node.again == [1]


def test_without_a_clock_nothing_leaves(node, fleet):
    node.clock = False
    fleet.make(node, 1)
    fleet.make(node, 2, event=True)
    assert node.session.take() == []
    node.clock = True
    node.pump()
    assert node.session.take() == [("event", b"2"), ("telemetry", b"1")]


def test_a_full_spool_gives_up_the_oldest_telemetry(node, fleet):
    node.session.state = 0
    fleet.make(node, 1, event=True)
    for number in (2, 3):
        fleet.make(node, number)
    assert [node.drop_oldest() for _ in range(3)] == [2, 3, None]


def test_a_status_adds_up(node, fleet):
    for number in range(1, 4):
        fleet.make(node, number)
    confirm(node, (1, 1))
    said = messages.decode(nodes.status(node, online=True, readings=30, version="1", time_ms=5), messages.STATUS)
    assert said["head"] == said["stored"] + said["pending"] + sum(said["dropped"].values()) == 3


def test_packet_ids_of_packs_leave_room_for_the_others():
    ids = {(number - 1) % (nodes.STATUS_ID - 1) + 1 for number in range(1, 200_000)}
    assert (min(ids), max(ids)) == (1, nodes.STATUS_ID - 1)
    assert EVENT_WINDOW > 0
