from hypothesis import given
from hypothesis import strategies as st

from gateway.modbus.answer_time import LEAST_S, MOST_S, SURE_AFTER, TIMES, AnswerTime


def after(*latencies, usual=0.3):
    time = AnswerTime(usual=usual)
    for latency in latencies:
        time.answered(latency)
    return time


def test_a_profile_s_wait_holds_until_enough_is_seen_and_then_what_the_slowest_answer_says():
    assert after(*[0.05] * (SURE_AFTER - 1)).wait == 0.3
    assert after(*[0.05] * SURE_AFTER).wait == TIMES * 0.05
    assert after(*[0.001] * SURE_AFTER).wait == LEAST_S


def test_a_slower_device_is_waited_for_at_once():
    assert after(0.2).wait == TIMES * 0.2
    assert after(10.0).wait == MOST_S


def test_after_a_missed_answer_the_next_one_gets_the_whole_time():
    time = after(*[0.03] * SURE_AFTER)
    short = time.wait
    time.missed()
    assert time.wait == 0.3
    time.answered(0.03)
    assert time.wait == short


def test_a_late_answer_makes_the_wait_longer_than_it_was_late_and_bounded():
    time = AnswerTime(usual=0.3)
    time.late(0.4)
    assert time.wait == TIMES * 0.4
    time.missed()
    assert time.wait == TIMES * 0.4
    time.late(100.0)
    assert time.wait == MOST_S


def test_one_slow_answer_is_forgotten_with_many_fast_ones():
    time = after(0.4, *[0.02] * 50)
    assert time.wait > 1.0
    for _ in range(5000):
        time.answered(0.02)
    assert time.wait == LEAST_S


def test_what_was_remembered_is_believed_at_once():
    assert AnswerTime(usual=0.3, slowest=0.04).wait == TIMES * 0.04
    assert AnswerTime(usual=0.3, slowest=0.4).wait == TIMES * 0.4


def test_where_an_answer_matters_more_than_time_it_gets_the_longer_wait():
    assert after(*[0.03] * SURE_AFTER).longest == 0.3
    assert after(0.4).longest == TIMES * 0.4


@given(st.lists(st.one_of(st.just("missed"), st.floats(0, 5), st.floats(0, 5).map(lambda late: ("late", late)))))
def test_a_wait_is_never_shorter_than_the_least_nor_longer_than_the_most(story):
    time = AnswerTime(usual=0.3)
    for step in story:
        if step == "missed":
            time.missed()
        elif isinstance(step, tuple):
            time.late(step[1])
        else:
            time.answered(step)
        assert LEAST_S <= time.wait <= MOST_S
        assert time.longest >= 0.3
