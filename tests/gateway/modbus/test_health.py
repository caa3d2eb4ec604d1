"""What failures may cost, over any pattern of answers and failures of any number of units."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.modbus.health import CREDIT, SILENT_AFTER, Health, Ward
from protocols import errors

SHARE = 0.05
GONE = errors.Timeout("no answer")


class Unit:
    """answers: whether it does, request by request, over and over. lost_s: what a failure of it takes."""

    def __init__(self, answers, lost_s):
        self.health = Health()
        self.lost_s = lost_s
        self.answers = answers
        self.asked = 0
        self.lost = 0.0
        self.held_up = 0
        self.longest_s = 0.0
        self.last = None

    def may_be_asked(self, now):
        return not self.health.failures or now >= self.health.ask_at


def play(units, until, *, start=1000.0, others=True, every=0.5, share=SHARE):
    """Each unit is asked once a round where it may be; yields the time and the lost seconds so far."""
    ward, now, lost = Ward(share), start, 0.0
    while now < start + until:
        began = now
        for unit in units:
            if not unit.may_be_asked(now):
                unit.held_up += 1
                continue
            unit.longest_s = max(unit.longest_s, now - (unit.last or now))
            unit.last = now
            good = unit.answers[unit.asked % len(unit.answers)]
            unit.asked += 1
            if good:
                ward.answered(unit.health)
                now += 0.02
                continue
            now += unit.lost_s
            lost += unit.lost_s
            unit.lost += unit.lost_s
            ward.failed(unit.health, GONE, now, lost_s=unit.lost_s, others_answer=others)
            yield now - start, lost
        now = max(now, began + every)


patterns = st.lists(st.booleans(), min_size=1, max_size=6)
some = st.lists(st.tuples(patterns, st.sampled_from([0.05, 0.3, 0.35, 2.0])), min_size=1, max_size=10)


@settings(max_examples=60, deadline=None)
@given(some, st.randoms(use_true_random=False), st.sampled_from([0.02, 0.05, 0.2]))
def test_all_failures_of_a_bus_together_keep_to_their_share(some, rng, share):
    random.seed(rng.random())
    units = [Unit(answers, lost_s) for answers, lost_s in some]
    grace = sum((CREDIT + 1) * unit.lost_s for unit in units)
    for passed, lost in play(units, 600, share=share):
        assert lost <= share * passed + grace + 1e-6


@settings(max_examples=60, deadline=None)
@given(some)
def test_who_answers_is_never_held_up_by_those_who_do_not(some):
    healthy = Unit([True], 0.3)
    units = [Unit(answers, lost_s) for answers, lost_s in some] + [healthy]
    for _ in play(units, 200):
        pass
    assert healthy.held_up == 0


@pytest.mark.parametrize("answers", [[False, True], [False, False, True], [False, True, True]])
def test_who_answers_now_and_then_is_bounded_and_still_asked(answers):
    unit = Unit(answers, 0.3)
    for passed, lost in play([unit], 3600):
        assert lost <= SHARE * passed + 3 * 0.3 + 1e-6
    assert unit.lost >= SHARE * 3600 / 3  # what it may cost is used
    assert unit.longest_s <= 60


def test_one_dead_device_is_probed_with_a_backoff_that_has_a_cap():
    unit = Unit([False], 0.3)
    waits = []
    last = None
    for passed, _ in play([unit], 3600):
        waits.append(passed - (last or 0))
        last = passed
    assert waits[SILENT_AFTER + 1] < 15
    assert max(waits[10:]) > 30
    assert max(waits) <= 60 * 1.2 + 1
    assert unit.lost < 0.02 * 3600


def test_who_comes_back_starts_anew():
    ward, health = Ward(SHARE), Health()
    for step in range(20):
        ward.failed(health, GONE, 100.0 * step, lost_s=0.1, others_answer=True)
    assert health.silent
    assert health.quality == "timeout"
    assert ward.answered(health)
    assert not ward.answered(health)
    assert (health.failures, health.silent, health.error) == (0, False, None)
    assert not ward.failed(health, GONE, 9000.0, lost_s=0.1, others_answer=True)
    assert health.ask_at <= 9000.0 + 1e-9, "one failure is no reason to wait"


def test_it_is_silent_after_so_many_failures_in_a_row_and_says_so_once():
    ward, health = Ward(SHARE), Health()
    told = [ward.failed(health, GONE, float(step), lost_s=0.1, others_answer=True) for step in range(6)]
    assert told == [False, False, True, False, False, False]


def test_where_nobody_answers_probes_are_dearer_than_the_share_and_still_bounded():
    units = [Unit([False], 0.3) for _ in range(8)]
    for passed, lost in play(units, 600, others=False):
        assert lost <= 0.5 * passed + 8 * 3 * 0.3 + 1e-6
    alone = sum(unit.asked for unit in units)
    units = [Unit([False], 0.3) for _ in range(8)]
    list(play(units, 600))
    assert alone > sum(unit.asked for unit in units)


def test_debtors_that_join_slow_the_others_down():
    """Otherwise each would be asked as if it alone used the share."""
    ward, first = Ward(SHARE), Health()
    for _ in range(CREDIT + 1):
        ward.failed(first, GONE, 100.0, lost_s=0.3, others_answer=True)
    alone = first.ask_at
    for _ in range(5):
        ward.failed(Health(), GONE, 100.0, lost_s=0.3, others_answer=True)
    assert first.ask_at >= 100.0 + 6 * 0.3 / SHARE > alone


def test_a_silent_unit_bears_what_its_blocks_owe():
    ward, unit, blocks = Ward(SHARE), Health(), [Health() for _ in range(4)]
    for block in blocks:
        for _ in range(2):
            ward.failed(block, GONE, 100.0, lost_s=0.3, others_answer=True)
    ward.take_over(unit, blocks)
    assert [block.failures for block in blocks] == [0] * 4
    ward.failed(unit, GONE, 100.0, lost_s=0.3, others_answer=True)
    assert unit.ask_at >= 100.0 + (8 + 1 - CREDIT) * 0.3 / SHARE - 1e-6
    assert sum(block.owes for block in blocks) == 0


def test_a_failure_that_took_no_time_is_none_to_pay_for():
    ward, health = Ward(SHARE), Health()
    for step in range(5):
        ward.failed(health, GONE, float(step), lost_s=0.0, others_answer=True)
    assert health.silent
    assert health.owes == 0


def test_who_has_paid_is_forgotten():
    ward = Ward(SHARE)
    for step in range(1000):
        ward.failed(Health(), GONE, 100.0 * step, lost_s=0.3, others_answer=True)
    assert len(ward._debtors) <= 2
