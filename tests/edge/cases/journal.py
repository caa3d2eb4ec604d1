"""The journal on an ordinary file system: numbers, shares, confirmations, damage."""

import os
import random

from journal_rig import Node, body, fresh


def test_packs_are_sent_until_they_are_stored(args):
    node = Node(fresh(args, "plain"))
    assert [node.append(1), node.append(2, event=True), node.append(3)] == [1, 2, 3]
    assert node.counts() == (3, 0, 3, 0)
    assert [node.take()[:2] for _ in range(3)] == [("event", 2), ("telemetry", 1), ("telemetry", 3)]
    assert node.take() is None
    node.journal.stored(2, 3)
    assert node.counts() == (3, 2, 1, 0)
    node.start()
    assert sorted(node.waiting()) == [1, 2, 3], "the last confirmations are only remembered now and then"
    node.journal.stored(2, 3)
    node.journal.save()
    node.start()
    assert sorted(node.waiting()) == [1]
    assert node.journal.state()["readings"] == 3


def test_a_pack_reads_like_the_wire_says(args):
    node = Node(fresh(args, "wire"))
    node.append(35.2)
    channel, number, data = node.take()
    assert (channel, number) == ("telemetry", 1)
    assert data.startswith(('[{"ep":"%s","sq":1,"bt":1763683201.2' % node.journal.epoch).encode()), data
    assert data.endswith(body(35.2)), data


def test_confirmations_come_in_any_order(args):
    node = Node(fresh(args, "order"))
    for value in range(40):
        node.append(value, event=value % 7 == 0)
    for first, last, stored in (
        (10, 12, 3), (10, 12, 3), (20, 30, 14), (11, 25, 21), (41, 99, 21), (0, 0, 21), (1, 2, 23), (38, 1000, 26),
        (1, 9, 33), (31, 36, 39), (37, 37, 40),
    ):  # fmt: skip
        node.journal.stored(first, last)
        assert node.counts() == (40, stored, 40 - stored, 0), (first, last, node.counts())
    assert node.append(1) == 41, "a range beyond the head means nothing"
    assert node.counts() == (41, 40, 1, 0)


def test_more_gaps_than_are_remembered_only_send_again(args):
    node = Node(fresh(args, "gaps"))
    for value in range(40):
        node.append(value)
    for number in range(2, 41, 2):
        node.journal.stored(number, number)
    head, stored, pending, _ = node.counts()
    assert (head, stored + pending) == (40, 40)
    assert 0 < stored < 20
    forgotten = [number for number in node.waiting() if number % 2 == 0]
    assert len(forgotten) == 20 - stored
    for number in sorted(node.waiting()):
        node.journal.stored(number, number)
    assert node.counts() == (40, 40, 0, 0)


def test_the_oldest_is_never_forgotten(args):
    node = Node(fresh(args, "oldest"))
    for value in range(20):
        node.append(value)
    for number in (4, 6, 8, 10, 12, 14):
        node.journal.stored(number, number)
    assert node.counts() == (20, 5, 15, 0), "one gap too many"
    node.journal.stored(1, 1)
    assert node.counts() == (20, 6, 14, 0), "or the row would wait for it for ever"


def test_a_full_share_drops_the_oldest_telemetry_and_no_event(args):
    node = Node(fresh(args, "full"), size=16 * 1024)
    for value in range(10):
        node.append(value, event=True, length=50)
    for value in range(200):
        node.append(value, length=50)
        node.counts()
    head, stored, pending, dropped = node.counts()
    assert (head, stored) == (210, 0)
    assert dropped > 50
    assert node.journal.state()["dropped"] == {"full": dropped, "damaged": 0}
    there = node.waiting()
    assert sorted(there)[:10] == list(range(1, 11)), "the events"
    assert sorted(there)[10:] == list(range(211 - (pending - 10), 211)), "and the newest telemetry"
    size = sum([os.stat(node.journal.folder + name)[6] for name in os.listdir(node.journal.folder[:-1])])
    assert size <= 16 * 1024 + 200, size
    node.start()
    assert node.counts() == (head, stored, pending, dropped)


def test_a_full_share_of_events_drops_the_oldest_events(args):
    node = Node(fresh(args, "events"), size=16 * 1024)
    node.append(0)
    for value in range(100):
        node.append(value, event=True, length=50)
    head, stored, pending, dropped = node.counts()
    assert stored == 0
    assert dropped > 40
    assert sorted(node.waiting()) == [1] + list(range(head - pending + 2, head + 1))


def test_a_number_is_never_given_twice(args):
    node = Node(fresh(args, "numbers"), size=8 * 1024)
    given = 0
    for turn in range(30):
        for _ in range(turn % 5):
            given += 1
            assert node.append(given, event=turn % 3 == 0, length=90) == given
        node.journal.stored(1, given)
        assert node.counts() == (given, given, 0, 0)
        node.start()
        assert node.journal.head == given, turn
        node.journal.stored(1, given)
        node.counts()


def test_what_was_dropped_is_confirmed_in_vain(args):
    node = Node(fresh(args, "vain"), size=8 * 1024)
    for value in range(100):
        node.append(value, length=50)
    _, _, pending, dropped = node.counts()
    node.journal.stored(1, dropped)
    assert node.counts() == (100, 0, pending, dropped)
    node.journal.stored(1, 100)
    assert node.counts() == (100, pending, 0, dropped)


def test_a_long_life_matches_its_account(args):
    random.seed(args.get("seed", 5))
    node = Node(fresh(args, "life"), size=8 * 1024)
    content, confirmed, readings = {}, set(), 0
    for turn in range(args.get("turns", 160)):
        what = random.randint(0, 9)
        if what < 6:
            number = node.append(turn, event=what == 0, length=random.randint(0, 120))
            assert number not in content
            content[number] = turn
            readings += 1
        elif what < 9 and content:
            first = random.randint(max(1, len(content) - 60), len(content) + 1)
            last = first + random.randint(0, 12)
            node.journal.stored(first, last)
            confirmed.update(range(first, last + 1))
        else:
            node.start()
        head, stored, pending, dropped = node.counts()
        assert head == len(content)
        assert node.journal.state()["readings"] == readings
        if turn % 10 == 0:
            there = node.waiting()
            assert len(there) == pending
            for number in there:
                assert there[number] == content[number]
            gone = [number for number in content if number not in there and number not in confirmed]
            assert len(gone) <= dropped, (gone, dropped)


def _flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes((byte ^ 0x10,)))


def _segment(node, kind, which=0):
    names = sorted([name for name in os.listdir(node.journal.folder[:-1]) if name[0] == kind])
    return node.journal.folder + names[which]


def test_a_damaged_body_costs_only_itself(args):
    node = Node(fresh(args, "body"))
    for value in range(5):
        node.append(value)
    _flip(_segment(node, "t"), 2 * (32 + len(body(0))) + 40)
    assert [node.take()[1] for _ in range(4)] == [1, 2, 4, 5]
    assert node.take() is None
    assert node.counts() == (5, 0, 4, 1)
    assert node.journal.state()["dropped"] == {"full": 0, "damaged": 1}
    node.start()
    assert node.counts() == (5, 0, 4, 1)
    node.journal.stored(1, 5)
    assert node.counts() == (5, 4, 0, 1)


def test_a_damaged_header_costs_only_its_pack(args):
    node = Node(fresh(args, "header"), size=16 * 1024)
    for value in range(10):
        node.append(value, length=50)
    for place in range(32):
        at = 32 + len(body(0, 50)) + place
        _flip(_segment(node, "t"), at)
        node.start()
        assert sorted(node.waiting()) == [1] + list(range(3, 11)), place
        assert node.counts() == (10, 0, 10, 0), "the damaged one waits with its segment"
        _flip(_segment(node, "t"), at)
    _flip(_segment(node, "t"), at)
    node.start()
    node.journal.stored(1, 10)
    assert node.counts() == (10, 9, 0, 1)
    node.start()
    assert node.counts() == (10, 9, 0, 1)


def test_a_damaged_header_is_never_taken_for_a_confirmed_pack(args):
    node = Node(fresh(args, "never"), size=16 * 1024)
    for value in range(3):
        node.append(value, length=50)
    _flip(_segment(node, "t"), 32 + len(body(0, 50)) + 3)
    node.start()
    node.journal.stored(1, 3)
    node.journal.save()
    for value in range(3):
        node.append(value, length=50)
    assert len(node.journal.telemetry.firsts) == 2
    node.start()
    head, stored, pending, dropped = node.counts()
    assert (head, stored, pending + dropped) == (6, 2, 4)
    node.journal.stored(4, 6)
    assert node.counts() == (6, 5, 0, 1)


def test_a_segment_with_damage_waits_for_the_one_before_it(args):
    node = Node(fresh(args, "middle"), size=16 * 1024)
    for value in range(10):
        node.append(value, length=50)
    first, second, third = node.journal.telemetry.firsts[:3]
    _flip(_segment(node, "t", 1), 3)
    node.start()
    node.journal.stored(second, third - 1)
    node.journal.stored(third, 10)
    assert sorted(node.waiting()) == list(range(first, second))
    assert node.counts()[3] == 0
    node.start()
    node.journal.stored(1, 10)
    assert node.counts() == (10, 9, 0, 1)


def test_the_last_header_of_a_segment_is_missed_too(args):
    node = Node(fresh(args, "last"), size=16 * 1024)
    each = 32 + len(body(10, 50))
    for value in range(10, 30):
        node.append(value, length=50)
    count = 512 // each
    _flip(_segment(node, "t"), (count - 1) * each + 9)
    node.start()
    assert sorted(node.waiting()) == [number for number in range(1, 21) if number != count]
    node.journal.stored(1, 20)
    assert node.counts() == (20, 19, 0, 1)


def test_a_state_that_cannot_be_read_begins_a_new_epoch(args):
    node = Node(fresh(args, "epoch"), size=16 * 1024)
    for value in range(30):
        node.append(value, event=value % 5 == 0, length=20)
    node.journal.stored(1, 10)
    node.journal.save()
    epoch, there = node.journal.epoch, sorted(node.waiting().values())
    _flip(_segment(node, "t"), 60)
    _flip(node.journal.folder + "state", 9)
    node.start()
    assert node.journal.epoch != epoch
    now = sorted(node.waiting().values())
    assert [value for value in there if value not in now] in ([], [1]), "the one that is damaged"
    head, stored, pending, dropped = node.counts()
    assert (stored, pending, dropped) == (0, len(now), 1), node.counts()
    assert len(now) == len(set(node.waiting())) == head - 1
    again = node.journal.epoch
    node.start()
    assert (node.journal.epoch, node.counts()) == (again, (head, stored, pending, dropped))
    assert [name for name in os.listdir(node.journal.folder[:-1]) if name[0] == "x"] == []


def test_an_append_that_was_cut_off_is_forgotten(args):
    node = Node(fresh(args, "torn"))
    node.append(1)
    with open(_segment(node, "t"), "ab") as file:
        file.write(b"\xa7\x5b half a header")
    node.start()
    # MicroPython cannot shorten a file: there it is a new epoch (LittleFS2 leaves no half of a record)
    assert node.append(2) == node.journal.head
    assert sorted(node.waiting().values()) == [1, 2]
    node.start()
    assert sorted(node.waiting().values()) == [1, 2]
    assert node.counts()[2] == 2


def test_a_journal_that_is_told_to_be_smaller_shrinks(args):
    node = Node(fresh(args, "smaller"), size=16 * 1024)
    for value in range(60):
        node.append(value, length=50)
    assert node.counts() == (60, 0, 60, 0)
    node.size = 8 * 1024
    node.start()
    node.journal.telemetry.most = 6
    assert node.counts() == (60, 0, 60, 0)
    for value in range(60, 70):
        node.append(value, length=50)
    head, stored, pending, dropped = node.counts()
    assert (head, stored) == (70, 0)
    assert len(node.journal.telemetry.firsts) == 6
    assert sorted(node.waiting().values()) == list(range(dropped, 70))
    assert pending < 30
