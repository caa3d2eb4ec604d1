"""Turns in virtual time: who is asked how often, and what those cost that do not answer."""

import random

import pytest

from gateway.controllers.turns import IDLE_MOST_S, SHARE, SILENT_AFTER, Turn

ASKED_S, LOST_S = 0.03, 0.22


def played(answers, seconds, *, busy=()):
    """answers(index, now) -> bool. Gives the turns and, for each, [asked, lost seconds]."""
    turns = [Turn() for _ in range(answers.count)]
    spent = [[0, 0.0] for _ in turns]
    now = 0.0
    while now < seconds:
        index = min(range(len(turns)), key=lambda each: turns[each].due)
        now = max(now, turns[index].due)
        spent[index][0] += 1
        if answers(index, now):
            now += ASKED_S
            turns[index].answered(now, is_busy=index in busy)
        else:
            now += LOST_S
            spent[index][1] += LOST_S
            turns[index].failed(now, lost_s=LOST_S, all_turns=turns)
    return turns, spent


class Alive:
    def __init__(self, count, alive):
        self.count, self.alive = count, alive

    def __call__(self, index, now):
        return self.alive(index, now)


@pytest.mark.parametrize("dead", [1, 5, 40])
def test_those_that_do_not_answer_cost_a_twentieth_of_the_line(dead):
    turns, spent = played(Alive(dead + 2, lambda index, now: index < 2), 3600)
    at_first = dead * (SILENT_AFTER + 1) * LOST_S
    lost = sum(seconds for _, seconds in spent)
    assert 0.8 * SHARE * 3600 < lost - at_first < 1.1 * SHARE * 3600
    assert all(turn.is_silent for turn in turns[2:])
    asked = [count for count, _ in spent[2:]]
    assert max(asked) <= 1.3 * min(asked) + 3, "each gets the same"


def test_while_nobody_answers_half_of_the_line_is_theirs():
    _, spent = played(Alive(10, lambda index, now: False), 1000)
    assert 400 < sum(seconds for _, seconds in spent) < 600


def test_who_fell_silent_just_now_is_found_again_soon_beside_many_that_are_dead():
    found = []

    def alive(index, now):
        if index == 0 and now > 600 and len(found) < 1 and now < 605:
            return False  # it starts anew
        if index == 0 and now >= 605 and not found:
            found.append(now)
        return index < 2

    played(Alive(30, alive), 700)
    assert found[0] < 605 + 40


def test_an_idle_one_is_asked_ten_times_a_second_and_a_busy_one_whenever_there_is_time():
    turns, spent = played(Alive(3, lambda index, now: True), 100, busy=(2,))
    assert 0.6 * 100 / IDLE_MOST_S < spent[0][0] < 1.1 * 100 / IDLE_MOST_S
    assert spent[2][0] > 1000
    turns[0].wake(1.0)
    assert turns[0].due == 1.0


def test_several_busy_ones_share_the_line_alike():
    _, spent = played(Alive(7, lambda index, now: True), 100, busy=range(7))
    counts = [count for count, _ in spent]
    assert max(counts) - min(counts) <= 1


def test_one_question_of_ten_without_an_answer_is_no_reason_to_wait():
    dice = random.Random(3)
    _, spent = played(Alive(1, lambda index, now: dice.random() > 0.1), 1000, busy=(0,))
    whole = spent[0][0] * ASKED_S + spent[0][1]
    assert whole > 900, "the line is used"


def test_somebody_who_answers_every_fourth_time_does_not_take_the_line_from_others():
    _, spent = played(Alive(2, lambda index, now: index == 0 or int(now * 10) % 4 == 0), 1000, busy=(0, 1))
    assert spent[0][0] * ASKED_S > 500


def test_a_silent_one_is_not_woken():
    turn = Turn()
    for _ in range(5):
        turn.failed(1.0, lost_s=LOST_S, all_turns=[turn])
    due = turn.due
    turn.wake(1.0)
    assert turn.due == due > 1.0
