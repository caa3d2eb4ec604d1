"""Times of readings that were taken before the time was known, and what steps of the clock do."""

import os
import sys

from journal_rig import UTC, Board, Node, fresh, time_of, value_of

from edge.clock import Clock
from edge.estimate import marked


def unclocked(args, name):
    """A node that does not know the time, with two packs of seconds 2 and 5."""
    node = Node(fresh(args, name), utc=None)
    node.board.now = 2000
    node.append(1)
    node.board.now = 5000
    node.append(2, event=True)
    return node


def test_packs_wait_for_the_time_and_get_it(args):
    node = unclocked(args, "late")
    assert node.clock.now() is None
    assert node.take() is None
    assert node.counts() == (2, 0, 2, 0)
    node.board.now = 65_000
    node.clock.set(UTC)
    assert node.board.utc_ms() == UTC
    assert time_of(node.take()[2]) == (UTC // 10 * 10 - 60_000 + 1, False), "boot 1 is the digit"
    node.append(3)
    sent = [node.take(6000), node.take()]
    assert [(channel, value_of(data)) for channel, _, data in sent] == [("telemetry", 3), ("backfill", 1)]
    assert time_of(sent[1][2]) == (UTC // 10 * 10 - 63_000 + 1, False)


def test_a_pack_has_the_same_times_for_ever(args):
    node = unclocked(args, "same")
    node.clock.set(UTC)
    node.append(3)
    times = node.waiting(time_of)
    node.clock.set(UTC + 7_000_000)
    assert node.waiting(time_of) == times, "a step changes nothing that has a number"
    for utc in (None, UTC - 9_000_000, UTC + 90_000_000):
        node.start(utc)
        assert node.waiting(time_of) == times, "neither does a restart, whatever the clock says now"


def test_the_offset_is_on_the_disk_before_a_pack_can_be_sent(args):
    node = unclocked(args, "before")
    node.clock.set(UTC)
    node.start(None)
    assert node.clock.now() is None
    assert [time_of(data)[1] for data in node.waiting(bytes).values()] == [False, False]
    node.append(3)
    node.journal._backfill_from = node.board.now + 5000  # it is drawn, and one of 256 begins at once
    assert node.take()[:2] == ("event", 2)
    assert node.take() is None
    assert node.take(6000)[:2] == ("backfill", 1), "of an earlier boot"
    assert node.take() is None, "what has no time yet waits"


def test_a_boot_without_a_clock_gets_the_latest_times_that_it_can_have(args):
    node = unclocked(args, "never")
    node.start(None)
    node.board.now = 3000
    node.append(3)
    node.start(None)
    node.board.now = 4000
    node.append(4)
    assert node.take() is None
    node.board.now = 10_000
    node.clock.set(UTC)
    times = node.waiting(time_of)
    now = UTC // 10 * 10 + node.clock.boot
    assert times[4] == (now - 6000, False)
    assert [times[number][1] for number in (1, 2, 3)] == [True, True, True]
    assert times[2][0] - times[1][0] == 3000, "the true distance"
    assert times[2][0] < times[3][0] < now - 10_000 < times[4][0]
    assert times[4][0] - times[2][0] < 60_000, "not much earlier than they can have been"
    node.start(UTC + 5_000_000)
    assert node.waiting(time_of) == times


def test_a_boot_with_a_clock_ends_the_guessing(args):
    node = unclocked(args, "ends")
    node.start(None)
    node.append(3)
    node.clock.set(UTC)
    times = node.waiting(time_of)
    node.start(None)
    node.board.now = 500_000
    node.append(4)
    node.board.now = 600_000
    node.clock.set(UTC + 86_400_000)
    after = node.waiting(time_of)
    assert after[4] == (UTC // 10 * 10 + 86_400_000 - 100_000 + node.clock.boot, False)
    assert [after[number] for number in (1, 2, 3)] == [times[number] for number in (1, 2, 3)]


def test_more_boots_than_have_room_wait_for_it(args):
    node = Node(fresh(args, "many"), utc=None)
    for boot in range(70):
        node.append(boot)
        node.clock.set(UTC + boot * 1_000_000)
        node.start(None)
    assert sorted(node.waiting()) == list(range(1, 65))
    node.journal.stored(1, 50)
    node.journal.save()
    node.start(None)
    node.clock.set(UTC + 100_000_000)
    times = node.waiting(time_of)
    assert [number for number in sorted(times) if times[number][1]] == [65, 66, 67, 68, 69, 70]
    assert sorted(times) == list(range(51, 71))


def test_the_clocks_file_may_be_lost(args):
    node = unclocked(args, "lost")
    node.start(None)
    assert node.clock.boot == 2
    node.clock.set(UTC)
    os.remove(node.folder + "/clock")
    node.start(None)
    node.append(3)
    node.clock.set(UTC)
    assert sorted(node.waiting(time_of)) == [1, 2, 3]


def test_the_clocks_file_may_go_bad_while_it_is_needed(args):
    node = unclocked(args, "bad")
    node.clock.set(UTC)
    os.remove(node.folder + "/clock")
    assert node.waiting() == {}
    assert node.take() is None
    node.start(None)
    node.clock.set(UTC)
    assert sorted(node.waiting()) == [1, 2]


def plain(utc=None, ntp="somewhere"):
    board = Board("/nowhere", utc)
    return board, Clock(board, {"ntp": ntp})


def test_a_time_that_cannot_be_is_not_taken(args):
    board, clock = plain()
    for utc in (0, 1_735_689_599_999, 4_102_444_800_000, 1 << 60):
        clock.set(utc)
        assert clock.now() is None
        assert board.utc is None
    clock.set(1_735_689_600_000)
    assert clock.now() == 1_735_689_600_001


def test_the_board_may_know_the_time(args):
    _, clock = plain(UTC)
    assert clock.now() == (UTC + 1000) // 10 * 10 + 1
    board, clock = plain(None, None)
    assert clock.now() is None
    board.utc = UTC
    assert clock.now() == (UTC + 1000) // 10 * 10 + 1
    board.utc += 5000
    assert clock.now() == (UTC + 1000) // 10 * 10 + 1, "it is looked at again after a minute"
    board.now += 60_000
    assert clock.now() == (UTC + 66_000) // 10 * 10 + 1
    assert clock.steps == 1


def test_steps_are_counted_and_no_stamp_comes_twice(args):
    board, clock = plain(UTC)
    stamps = set()
    for step in (0, 40, -40, 150, -150, 5000, -5100, 3, -90):
        clock.set(board.utc_ms() + step)
        for _ in range(20):
            board.now += 10
            assert clock.now() not in stamps, step
            stamps.add(clock.now())
    assert clock.steps == 2


def test_the_milliseconds_never_go_back(args):
    board, clock = plain()
    last = -1
    for ms in (0, 9, 10, 19, 1000, (1 << 30) + 1, (1 << 32) + 1, 1 << 36):
        board.now = ms
        assert clock.ms() == ms // 10 * 10
        assert clock.ms() > last or ms < 10 or ms == 19
        last = clock.ms()


def test_each_point_is_told_as_an_estimate_once(args):
    body = (
        b'"bn":"P1/a/","n":"x","v":1},{"n":"y","t":0.020,"vs":"a\\"n\\":\\"z\\",b"},{"n":"x","t":1.000,"v":2},'
        b'{"bn":"P1/b/","n":"x","q":"timeout"}]'
    )
    mark = b'"t":-0.010,"q":"clock"},{'
    assert marked(body) == (
        b'"bn":"P1/a/","n":"x",' + mark + b'"bn":"P1/a/","n":"y",' + mark + b'"bn":"P1/b/","n":"x",' + mark + body
    )
    if sys.implementation.name == "cpython":
        from wire.packs import decode

        pack = decode(b'[{"ep":"0123abcd","sq":1,"bt":%d,' % (UTC // 1000) + marked(body))
        assert pack.refused == []
        assert [(point, quality) for _, _, point, _, _, quality, _ in pack.readings][:3] == [
            ("x", "clock"), ("y", "clock"), ("x", "clock"),
        ]  # fmt: skip
