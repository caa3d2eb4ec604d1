"""The order of sending: events, then live telemetry, then what is left from earlier, a few at a time."""

import os

from journal_rig import Node, body, fresh


def drain(node, wait=0):
    out = []
    while len(out) < 100:
        pack = node.take(wait if not out else 0)
        if pack is None:
            return out
        out.append(pack[:2])
    raise AssertionError("no end: %s" % out[-5:])


def confirm(node, sent, after=0):
    node.board.now += after
    for _, number in sent:
        node.journal.stored(number, number)


def test_events_find_room_beside_telemetry(args):
    node = Node(fresh(args, "room"))
    for value in range(10):
        node.append(value)
    assert drain(node) == [("telemetry", number) for number in range(1, 7)], "six, and the store stands still"
    for value in range(5):
        node.append(value, event=True)
    assert drain(node) == [("event", 11), ("event", 12)], "eight in all"
    confirm(node, [("telemetry", 3)])
    assert drain(node) == [("event", 13)], "before the telemetry that waits"
    confirm(node, [("event", 11), ("event", 12), ("event", 13), ("telemetry", 1)])
    assert drain(node) == [("event", 14), ("event", 15), ("telemetry", 7), ("telemetry", 8)]


def test_old_telemetry_is_backfill(args):
    node = Node(fresh(args, "old"))
    for value in range(20):
        node.append(value)
        node.board.now += 10_000
    node.journal.lost_sight()
    assert drain(node) == [("telemetry", number) for number in (15, 16, 17, 18, 19, 20)]
    confirm(node, [("telemetry", number) for number in range(15, 21)])
    assert drain(node, 6000) == [("backfill", 1)]
    node.append(20)
    assert drain(node) == [("telemetry", 21)], "goes before the backlog"
    confirm(node, [("telemetry", 21), ("backfill", 1)])
    assert drain(node) == [("backfill", 2), ("backfill", 3)], "as fast as it is confirmed"
    confirm(node, [("backfill", 2), ("backfill", 3)], after=500)
    assert len(drain(node)) == 4, "four at most"
    confirm(node, [("backfill", number) for number in range(4, 8)], after=1500)
    assert drain(node) == [("backfill", 8)], "late confirmations: slowly again"


def test_backfill_begins_when_not_all_nodes_begin(args):
    begins = set()
    for turn in range(8):
        node = Node(fresh(args, "begin%d" % turn))
        node.append(1)
        node.board.now += 100_000
        node.journal.lost_sight()
        waited = 0
        while node.take() is None:
            node.board.now += 50
            waited += 50
        assert waited <= 5000
        begins.add(waited)
    assert len(begins) > 2


def test_silence_is_answered_by_sending_again(args):
    node = Node(fresh(args, "again"))
    node.append(1)
    first = node.take()
    assert node.take(19_999) is None
    assert node.take(1) == first
    assert node.take(39_999) is None
    assert node.take(1) == first, "a minute old"
    assert node.take(59_999) is None
    assert node.take(1) == ("backfill", 1, first[2]), "no longer live, but what it says is the same"
    node.journal.stored(1, 1)
    assert node.take(100_000) is None


def test_a_new_connection_sends_all_again(args):
    node = Node(fresh(args, "new"))
    for value in range(4):
        node.append(value, event=value == 2)
    sent = drain(node)
    assert len(sent) == 4
    node.journal.lost_sight()
    assert drain(node) == sent
    node.journal.stored(1, 3)
    node.journal.lost_sight()
    assert drain(node) == [("telemetry", 4)]


def test_what_was_dropped_is_not_sent_again(args):
    node = Node(fresh(args, "dropped"), size=4096)
    for value in range(4):
        node.append(value, length=40)
    assert len(drain(node)) == 4
    for value in range(200):
        node.append(value, length=40)
    assert node.journal.head - node.counts()[2] > 4
    sent = drain(node, 30_000)
    assert min([number for _, number in sent]) > 4
    assert len(sent) == 6


def test_a_long_pack_goes_out_in_small_pieces(args):
    node = Node(fresh(args, "long"))
    for length in (0, 255, 256, 257, 1500):
        node.append(7, length=length)
        channel, size, chunks = node.journal.next(node.board.now)
        pieces = [bytes(chunk) for chunk in chunks]
        assert max([len(piece) for piece in pieces]) <= 256
        assert len(b"".join(pieces)) == size
        assert b"".join(pieces)[-len(body(7, length)) :] == body(7, length)


def test_a_pack_that_is_being_sent_keeps_its_segment(args):
    node = Node(fresh(args, "held"), size=4096)
    node.append(1, length=400)
    _, size, chunks = node.journal.next(node.board.now)
    chunks = iter(chunks)
    got = len(next(chunks))
    for value in range(10):
        node.append(value, length=60)
    segment = node.journal.telemetry.name(1)
    node.journal.stored(1, 11)
    os.stat(segment)
    for chunk in chunks:
        got += len(chunk)
    assert got == size
    head, stored, pending, dropped = node.counts()
    assert (head, pending) == (11, 0)
    assert node.take() is None
    node.journal.stored(11, 11)
    assert segment.rpartition("/")[2] not in os.listdir(node.folder + "/journal")
    node.journal.save()
    node.start()
    assert node.counts() == (head, stored, pending, dropped)


def test_a_pack_that_is_being_sent_is_dropped_when_its_room_is_needed(args):
    node = Node(fresh(args, "broken"), size=4096)
    node.append(1, length=400)
    _, size, chunks = node.journal.next(node.board.now)
    chunks = iter(chunks)
    next(chunks)
    next(chunks)
    for value in range(60):
        node.append(value, length=60)
    assert node.counts()[3] > 30
    try:
        next(chunks)
    except OSError:
        return
    raise AssertionError("it is no longer there")
