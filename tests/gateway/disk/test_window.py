import random

import pytest

from gateway.disk import window
from gateway.disk.spool import Spool

NOW_MS = 1_800_000_000_000


@pytest.fixture
def spool(tmp_path):
    spool = Spool(path=tmp_path / "gw.db", max_bytes=64 << 20)
    yield spool
    spool.close()


def add(spool, count, *, age_s=0, event=False):
    return [
        spool.append(event=event, readings=[("P1/a", "x", NOW_MS - age_s * 1000 + index, index, None)])[0]
        for index in range(count)
    ]


def channels(sends):
    return [(send.channel, send.number) for send in sends]


def test_events_then_live_then_what_is_left_from_before(spool):
    old = add(spool, 3, age_s=600)
    events = add(spool, 2, age_s=600, event=True)
    live = add(spool, 2)
    sends = window.Window().take(spool, NOW_MS, 1.0)
    assert channels(sends) == [
        *[("event", number) for number in events],
        *[("telemetry", number) for number in live],
        *[("backfill", number) for number in old],
    ]


def test_a_window_at_most_is_under_way_and_the_rest_waits_on_the_disk(spool):
    numbers = add(spool, 100)
    under_way = window.Window()
    first = under_way.take(spool, NOW_MS, 1.0)
    assert [send.number for send in first] == numbers[: window.TELEMETRY_WINDOW]
    assert under_way.take(spool, NOW_MS, 1.1) == []
    spool.confirm(spool.epoch, [[1, 5]])
    under_way.confirmed([[1, 5]])
    assert [send.number for send in under_way.take(spool, NOW_MS, 1.2)] == numbers[32:37]


def test_backfill_leaves_half_the_window_to_live_readings(spool):
    add(spool, 200, age_s=600)
    under_way = window.Window()
    assert len(under_way.take(spool, NOW_MS, 1.0)) == window.TELEMETRY_WINDOW // 2
    live = add(spool, 3)
    assert channels(under_way.take(spool, NOW_MS, 1.1)) == [("telemetry", number) for number in live]


def test_backfill_keeps_its_rate(spool):
    add(spool, 500, age_s=600)
    under_way = window.Window()
    sent = 0
    for tick in range(101):  # ten seconds, everything confirmed at once
        sends = under_way.take(spool, NOW_MS, 1.0 + tick / 10)
        sent += len(sends)
        for send in sends:
            spool.confirm(spool.epoch, [[send.number, send.number]])
            under_way.confirmed([[send.number, send.number]])
    assert window.BACKFILL_RATE * 9 <= sent <= window.BACKFILL_RATE * 11 + 1


def test_what_is_not_confirmed_in_time_is_sent_again_ever_less_often(spool):
    (number,) = add(spool, 1)
    under_way = window.Window()
    times = [second for second in range(1000) if under_way.take(spool, NOW_MS, float(second))]
    assert times[:5] == [0, 20, 60, 120, 180]
    spool.confirm(spool.epoch, [[number, number]])
    assert all(not under_way.take(spool, NOW_MS, float(second)) for second in range(1000, 3000)), "gone from the disk"


def test_what_was_overtaken_is_sent_again_at_once_and_once(spool):
    early, lost = add(spool, 2)
    under_way = window.Window()
    under_way.take(spool, NOW_MS, 1.0)
    (late,) = add(spool, 1)
    under_way.take(spool, NOW_MS, 3.0)
    under_way.confirmed([[early, early]])
    assert under_way.take(spool, NOW_MS, 3.1) == [], "sent together with what was confirmed: it may still come"
    under_way.confirmed([[late, late]])
    assert [send.number for send in under_way.take(spool, NOW_MS, 3.2)] == [lost]
    (later,) = add(spool, 1)
    under_way.take(spool, NOW_MS, 6.0)
    under_way.confirmed([[later, later]])
    assert under_way.take(spool, NOW_MS, 6.1) == []


def test_a_new_connection_sends_everything_that_is_left(spool):
    numbers = add(spool, 5)
    under_way = window.Window()
    under_way.take(spool, NOW_MS, 1.0)
    under_way.reset()
    assert [send.number for send in under_way.take(spool, NOW_MS, 1.0)] == numbers


def test_live_packs_that_wait_too_long_become_backfill(spool):
    numbers = add(spool, 40)
    under_way = window.Window()
    assert len(under_way.take(spool, NOW_MS, 1.0)) == 32
    spool.confirm(spool.epoch, [[1, 32]])
    under_way.confirmed([[1, 32]])
    later = under_way.take(spool, NOW_MS + 2 * window.LIVE_MS, 2.0)
    assert channels(later) == [("backfill", number) for number in numbers[32:]]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_clock_and_the_confirmations_do_everything_arrives(spool, seed):
    source = random.Random(seed)
    under_way, received = window.Window(), set()
    clock_ms, numbers = NOW_MS, set()
    for tick in range(600):
        if tick < 200:
            clock_ms += source.choice([1000, 1000, 1000, 200_000, -150_000])
            event = source.random() < 0.1
            numbers |= set(spool.append(event=event, readings=[("P1/a", "x", clock_ms, tick, None)]))
        if source.random() < 0.02:
            under_way.reset()
        for send in under_way.take(spool, clock_ms, float(tick * 5)):
            if source.random() < 0.7:  # the others, or their confirmations, are lost
                received.add(send.number)
                spool.confirm(spool.epoch, [[send.number, send.number]])
                under_way.confirmed([[send.number, send.number]])
        clock_ms += 5000
    assert received == numbers
    assert spool.state().pending == 0
