from gateway.modbus.unanswered import LATE_MOST_S, Unanswered
from protocols import modbus

A, B = modbus.read("holding", 0, 1), modbus.read("holding", 10, 1)
ANSWER = bytes.fromhex("03 02 0001")


def given_up(request=A, unit=1, wait=0.3):
    found = Unanswered()
    found.add(unit, request, sent=100.0, wait=wait, now=100.4)
    return found


def test_a_unit_is_free_for_the_same_soon_and_for_anything_else_when_nothing_can_come_any_more():
    found = given_up()
    assert found.free_at(1, A) == 100.7
    assert found.free_at(1, B) == found.free_at(1) == 100.0 + LATE_MOST_S
    assert found.free_at(2, A) == 0.0
    assert given_up(wait=3.0).free_at(1, B) == 103.4


def test_a_late_answer_frees_its_unit_and_is_told_once():
    found = given_up()
    found.look(modbus.rtu(2, ANSWER) + modbus.rtu(1, ANSWER), came_at=100.9, now=101.0)
    assert [(unit, round(seconds, 3)) for unit, seconds in found.late()] == [(1, 0.9)]
    assert found.late() == []
    assert found.free_at(1, B) == 0.0


def test_other_units_and_other_answers_free_nobody():
    found = given_up()
    found.look(modbus.rtu(2, ANSWER) + modbus.rtu(1, bytes.fromhex("03 04 0001 0002")), came_at=100.9, now=101.0)
    assert found.late() == []
    assert found.free_at(1, B) > 101.0


def test_after_its_time_a_request_is_forgotten():
    found = given_up()
    found.look(b"", came_at=0.0, now=100.0 + LATE_MOST_S)
    assert found.free_at(1, B) == 0.0


def test_who_was_asked_the_same_twice_may_answer_twice():
    found = given_up()
    frame = modbus.rtu(1, ANSWER)
    found.asked_again(1, sent=100.8, now=100.9)
    found.look(frame, came_at=100.9, now=100.9, but=1)  # the answer that has just been taken
    assert found.late() == []
    assert found.free_at(1, B) == 100.8 + LATE_MOST_S
    found.look(frame, came_at=101.1, now=101.2)
    assert [unit for unit, _ in found.late()] == [1]
    assert found.free_at(1, B) == 0.0


def test_who_was_not_given_up_is_not_waited_for():
    found = Unanswered()
    found.asked_again(1, sent=100.8, now=100.9)
    assert found.free_at(1, B) == 0.0


def test_there_is_at_most_one_of_each_unit():
    found = Unanswered()
    for step in range(1000):
        found.add(step % 5, A, sent=step, wait=0.3, now=step)
    assert len(found._units) == 5
