import collections
import random

import pytest

from gateway.disk import window
from gateway.disk.rows import Kept
from gateway.disk.spool import Spool

NOW_MS = 1_800_000_000_000


class AtOnce(random.Random):
    """No wait before backfill begins."""

    def uniform(self, low, high):
        return low


def new_window():
    return window.Window(jitter=AtOnce())


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
    old = add(spool, 1, age_s=600)
    events = add(spool, 2, age_s=600, event=True)
    live = add(spool, 2)
    sends = new_window().take(spool, NOW_MS, 1.0)
    assert channels(sends) == [
        *[("event", number) for number in events],
        *[("telemetry", number) for number in live],
        *[("backfill", number) for number in old],
    ]


def test_a_window_at_most_is_under_way_and_the_rest_waits_on_the_disk(spool):
    numbers = add(spool, 100)
    under_way = new_window()
    first = under_way.take(spool, NOW_MS, 1.0)
    assert [send.number for send in first] == numbers[: window.TELEMETRY_WINDOW]
    assert under_way.take(spool, NOW_MS, 1.1) == []
    spool.confirm(spool.epoch, [[1, 5]])
    under_way.confirmed([[1, 5]], 1.1)
    assert [send.number for send in under_way.take(spool, NOW_MS, 1.2)] == numbers[32:37]


def test_backfill_takes_nothing_of_the_window_of_live_readings(spool):
    add(spool, 200, age_s=600)
    under_way = new_window()
    assert len(under_way.take(spool, NOW_MS, 1.0)) == window.BACKFILL_FIRST
    live = add(spool, 40)[: window.TELEMETRY_WINDOW]
    assert channels(under_way.take(spool, NOW_MS, 1.1)) == [("telemetry", number) for number in live]


def drain(spool, under_way, *, rate, seconds):
    """Stores rate packs a second, 50 ms after they came at the soonest. (sent, most under way in the second half)"""
    waiting, sent, most, free_at = [], 0, 0, 0.0
    for tick in range(int(seconds * 20)):
        now = 1.0 + tick / 20
        while waiting and waiting[0][0] <= now:
            _, number = waiting.pop(0)
            spool.confirm(spool.epoch, [[number, number]])
            under_way.confirmed([[number, number]], now)
        for send in under_way.take(spool, NOW_MS, now):
            free_at = max(free_at, now) + 1 / rate
            waiting.append((free_at + 0.05, send.number))
            sent += 1
        most = max(most, len(waiting)) if tick > seconds * 10 else 0
    return sent, most


def test_backfill_grows_to_its_window_while_it_is_stored_soon(spool):
    add(spool, 1000, age_s=600)
    sent, most = drain(spool, new_window(), rate=10_000, seconds=1)
    assert most == window.BACKFILL_WINDOW
    assert sent > 300


def test_where_storing_is_slow_backfill_asks_for_no_more_than_is_stored_soon(spool):
    add(spool, 400, age_s=600)
    sent, most = drain(spool, new_window(), rate=10, seconds=20)
    assert most <= 2 * 10 * window.SOON_S
    assert sent > 150, "and leaves nothing idle"


def test_where_nothing_is_stored_any_more_one_pack_is_tried(spool):
    add(spool, 300, age_s=600)
    under_way = new_window()
    for send in under_way.take(spool, NOW_MS, 1.0):
        spool.confirm(spool.epoch, [[send.number, send.number]])
        under_way.confirmed([[send.number, send.number]], 1.1)
    assert len(under_way.take(spool, NOW_MS, 1.2)) == 2 * window.BACKFILL_FIRST
    assert len(under_way.take(spool, NOW_MS, 1.2 + window.RESEND_S)) == 2 * window.BACKFILL_FIRST, "again"
    assert under_way._share.packs == 1


def test_nodes_that_come_back_together_do_not_begin_to_send_together(spool):
    add(spool, 10, age_s=600)
    (live,) = add(spool, 1)
    begins = set()
    for seed in range(20):
        under_way = window.Window(jitter=random.Random(seed))
        under_way.reset(100.0)
        sends = [(tick, send) for tick in range(60) for send in under_way.take(spool, NOW_MS, 100 + tick / 10)]
        assert [(tick, send.number) for tick, send in sends if send.channel == "telemetry"] == [(0, live)]
        begins.add(min(tick for tick, send in sends if send.channel == "backfill"))
    assert len(begins) > 10
    assert max(begins) <= window.BACKFILL_AFTER_S * 10


def test_what_is_not_confirmed_in_time_is_sent_again_ever_less_often(spool):
    (number,) = add(spool, 1)
    under_way = new_window()
    times = [second for second in range(1000) if under_way.take(spool, NOW_MS, float(second))]
    assert times[:5] == [0, 20, 60, 120, 180]
    spool.confirm(spool.epoch, [[number, number]])
    assert all(not under_way.take(spool, NOW_MS, float(second)) for second in range(1000, 3000)), "gone from the disk"


def test_what_was_overtaken_is_sent_again_at_once_and_once(spool):
    early, lost = add(spool, 2)
    under_way = new_window()
    under_way.take(spool, NOW_MS, 1.0)
    (late,) = add(spool, 1)
    under_way.take(spool, NOW_MS, 3.0)
    under_way.confirmed([[early, early]], 3.0)
    assert under_way.take(spool, NOW_MS, 3.1) == [], "sent together with what was confirmed: it may still come"
    under_way.confirmed([[late, late]], 3.1)
    assert [send.number for send in under_way.take(spool, NOW_MS, 3.2)] == [lost]
    (later,) = add(spool, 1)
    under_way.take(spool, NOW_MS, 6.0)
    under_way.confirmed([[later, later]], 6.1)
    assert under_way.take(spool, NOW_MS, 6.1) == []


def test_a_new_connection_sends_everything_that_is_left(spool):
    numbers = add(spool, 5)
    under_way = new_window()
    under_way.take(spool, NOW_MS, 1.0)
    under_way.reset(0.0)
    assert [send.number for send in under_way.take(spool, NOW_MS, 1.0)] == numbers


def test_live_packs_that_wait_too_long_become_backfill(spool):
    numbers = add(spool, 40)
    under_way = new_window()
    assert len(under_way.take(spool, NOW_MS, 1.0)) == 32
    spool.confirm(spool.epoch, [[1, 32]])
    under_way.confirmed([[1, 32]], 1.1)
    later = under_way.take(spool, NOW_MS + 2 * window.LIVE_MS, 2.0)
    assert channels(later) == [("backfill", number) for number in numbers[32:33]]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_clock_and_the_confirmations_do_everything_arrives(spool, seed):
    source = random.Random(seed)
    under_way, received = new_window(), set()
    clock_ms, numbers = NOW_MS, set()
    for tick in range(600):
        if tick < 200:
            clock_ms += source.choice([1000, 1000, 1000, 200_000, -150_000])
            event = source.random() < 0.1
            numbers |= set(spool.append(event=event, readings=[("P1/a", "x", clock_ms, tick, None)]))
        if source.random() < 0.02:
            under_way.reset(0.0)
        for send in under_way.take(spool, clock_ms, float(tick * 5)):
            if source.random() < 0.7:  # the others, or their confirmations, are lost
                received.add(send.number)
                spool.confirm(spool.epoch, [[send.number, send.number]])
                under_way.confirmed([[send.number, send.number]], float(tick * 5))
        clock_ms += 5000
    assert received == numbers
    assert spool.state().pending == 0


class Backlog:
    """Stands for a spool with a million packs from before, and one more each second."""

    def __init__(self):
        self.live = []

    def pack(self, number):
        return Kept(number, False, 0, 1, b"")

    def tell_missing(self):
        pass

    def events(self, *, after, limit):
        return []

    def first_since(self, time_ms, *, after=0):
        return max(1_000_000, after + 1)

    def telemetry(self, *, after, before, limit):
        numbers = range(after + 1, before) if before < 1 << 62 else [number for number in self.live if number > after]
        return [self.pack(number) for number in numbers[:limit]]


def test_a_city_that_comes_back_at_one_time_does_not_drown_its_broker():
    source, rate, step_s, nodes = random.Random(5), 400, 0.05, []
    for seed in range(200):
        began = source.uniform(0, 5)
        nodes.append((began, window.Window(jitter=random.Random(seed)), Backlog()))
        nodes[-1][1].reset(began)
    queue, most, waited = collections.deque(), 0, []
    for tick in range(600):
        now = tick * step_s
        for _ in range(min(len(queue), int(rate * step_s))):
            under_way, send, sent_at = queue.popleft()
            under_way.confirmed([[send.number, send.number]], now)
            if send.channel == "telemetry" and now > 15:
                waited.append(now - sent_at)
        for index, (began, under_way, backlog) in enumerate(nodes):
            if now >= began and tick % 20 == index % 20:  # each looks once a second, and then has a new pack
                backlog.live.append(1_000_000 + len(backlog.live))
                queue.extend((under_way, send, now) for send in under_way.take(backlog, NOW_MS, now))
        most = max(most, len(queue))
    assert most < 2000, "a broker queues ten times as many; with whole windows it would be twelve thousand"
    assert len(waited) > 2000
    assert max(waited) < 3 * window.SOON_S
