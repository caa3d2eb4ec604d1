"""Whose turn it is on a bus, played through with random groups."""

import itertools
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.modbus.schedule import STALE_MOST, Schedule


@dataclass(eq=False)
class Slot:
    every: float
    lasts: float
    event: bool = False
    at: float = 0.0
    due: float = 0.0
    read: list = field(default_factory=list)  # (due, began)


def play(slots, until):
    """As the poller does it. [(slot, when it was due, began, who else was due)]"""
    schedule = Schedule()
    for slot in slots:
        schedule.put(slot, 0.0)
    now, story = 0.0, []
    while now < until:
        slot = schedule.next(now)
        if slot is None:
            assert schedule.wait() > now
            now = schedule.wait()
            continue
        story.append((slot, slot.due, now, [each for each in slots if each is not slot and each.due <= now]))
        slot.read.append((slot.due, now))
        now += slot.lasts
        slot.due = max(slot.due + slot.every, now)
        schedule.put(slot, slot.due)
    return story


plain = st.builds(Slot, every=st.floats(0.1, 20), lasts=st.floats(0.02, 0.5))
events = st.builds(Slot, every=st.floats(0.05, 5), lasts=st.floats(0.02, 0.5), event=st.just(True))


@settings(max_examples=100, deadline=None)
@given(st.lists(plain, min_size=1, max_size=8), st.lists(events, max_size=3))
def test_nobody_starves(others, urgent):
    slots = others + urgent
    play(slots, 100)
    round_s = sum(slot.lasts for slot in slots)
    most = max(slot.lasts for slot in slots)
    for slot in slots:
        # before it go at most all others once, and an event before each of them
        waits = [began - due for due, began in slot.read]
        assert max(waits) <= 2 * round_s + len(slots) * most + 1e-6


@settings(max_examples=60, deadline=None)
@given(st.lists(plain, min_size=2, max_size=8))
def test_on_a_bus_that_cannot_carry_all_the_short_periods_stretch_to_one_length_and_the_long_ones_stay(slots):
    if sum(slot.lasts / slot.every for slot in slots) <= 1.2:
        return
    low, high = 0.0, sum(slot.lasts for slot in slots) + 1
    for _ in range(60):  # R: sum of lasts / max(every, R) = 1
        pace = (low + high) / 2
        low, high = (pace, high) if sum(slot.lasts / max(slot.every, pace) for slot in slots) > 1 else (low, pace)
    play(slots, 400)
    for slot in slots:
        wanted = max(slot.every, pace)
        began = [began for _, began in slot.read[len(slot.read) // 4 :]]
        if len(began) > 5:
            real = (began[-1] - began[0]) / (len(began) - 1)
            slack = 2 * max(each.lasts for each in slots) / (len(began) - 1)
            assert 0.85 * wanted - slack <= real <= 1.15 * wanted + slack


@settings(max_examples=100, deadline=None)
@given(st.lists(plain, min_size=1, max_size=6), st.lists(events, min_size=1, max_size=3))
def test_never_two_events_in_a_row_while_another_waits(others, urgent):
    story = play(others + urgent, 60)
    for (before, *_), (slot, _, _, waiting) in itertools.pairwise(story):
        if before.event and slot.event:
            assert not any(not each.event for each in waiting)


@settings(max_examples=100, deadline=None)
@given(st.lists(plain, min_size=1, max_size=6), events)
def test_an_event_waits_for_one_more_read_at_most(others, event):
    story = play([*others, event], 60)
    for index, (slot, due, _, _) in enumerate(story):
        if slot is event:
            between = [each for each, _, began, _ in story[:index] if began > due and each is not event]
            assert len(between) <= 1


def test_between_events_the_one_that_is_due_longest_goes_first():
    schedule = Schedule()
    early, late = Slot(1, 1, True), Slot(1, 1, True)
    schedule.put(late, 2.0)
    schedule.put(early, 1.0)
    assert schedule.next(3.0) is early


def test_one_that_is_put_anew_is_due_no_more_when_it_was():
    schedule = Schedule()
    slot = Slot(1, 1)
    schedule.put(slot, 1.0)
    schedule.put(slot, 5.0)
    assert schedule.next(4.9) is None
    assert schedule.wait() == 5.0
    assert schedule.next(5.0) is slot
    schedule.put(slot, 2.0)
    assert schedule.next(2.0) is slot


def test_what_is_put_anew_over_and_over_takes_no_memory():
    schedule = Schedule()
    first = Slot(1, 1)
    schedule.put(first, 0.0)
    far = [Slot(900, 1) for _ in range(10)]
    for step in range(10_000):
        schedule.put(far[step % 10], 1000.0 + step)
    assert len(schedule._others) <= STALE_MOST + 2 * 11
    assert schedule.next(0.0) is first
    schedule.put(first, 1e9)
    assert schedule.wait() == min(slot.at for slot in far)


def test_nobody_is_due_on_an_empty_schedule():
    schedule = Schedule()
    assert schedule.next(1e9) is None
    assert schedule.wait() == float("inf")
