"""Send times are fixed, and there are as many as the rates say."""

import pytest

from simulators.load import schedule
from simulators.load.schedule import Schedule, Stage


def due_until(stage, t):
    """Packs due before t: the integral of the rate."""
    growth = (stage.last_rate - stage.rate) / stage.seconds
    return stage.rate * t + growth / 2 * t**2


@pytest.mark.parametrize(("rate", "last"), [(500, 500), (100, 5000), (5000, 100), (0.5, 2000), (7, 7.001)])
def test_each_pack_is_due_when_the_integral_of_the_rate_reaches_its_number(rate, last):
    stage = Stage(rate=rate, last_rate=last, seconds=10)
    assert stage.count == round((rate + last) / 2 * 10)
    for index in range(0, stage.count, 97):
        assert due_until(stage, stage.due(index)) == pytest.approx(index, abs=1e-5)
    times = [stage.due(index) for index in range(stage.count)]
    assert times == sorted(times)
    assert times[0] == 0
    assert times[-1] < 10


def test_steps_follow_one_another():
    made = schedule.steps([100, 400], 2.0)
    assert (made.count, made.seconds) == (1000, 4.0)
    assert [made.stage_of(number) for number in (0, 199, 200, 999)] == [0, 0, 1, 1]
    assert made.due(150) == pytest.approx(1.5)
    assert made.due(200) == pytest.approx(2.0)
    assert made.due(600) == pytest.approx(3.0)


def test_a_ramp_in_slices_is_the_same_as_in_one_piece():
    whole, sliced = schedule.ramp(100, 500, 10, 1), schedule.ramp(100, 500, 10, 10)
    assert len(sliced.stages) == 10
    assert sliced.count == whole.count == 3000
    for number in range(0, 3000, 101):
        assert sliced.due(number) == pytest.approx(whole.due(number), abs=0.01)


def test_a_schedule_of_nothing_has_nothing():
    assert (Schedule([]).count, Schedule([]).seconds) == (0, 0.0)
