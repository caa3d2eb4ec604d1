"""Percentiles from buckets, beside those from all values."""

import random

import pytest

from simulators.load.histogram import Histogram


def of(durations):
    made = Histogram()
    for duration in durations:
        made.record(duration)
    return made


@pytest.mark.parametrize("seed", [1, 2])
def test_percentiles_are_those_of_the_values_to_within_a_bucket(seed):
    chance = random.Random(seed)
    values = sorted(chance.lognormvariate(-6, 2) for _ in range(5000))
    made = of(values)
    for share in (0.01, 0.5, 0.9, 0.99, 0.999, 1.0):
        exact = values[max(0, -(-int(share * 100_000) * 5000 // 100_000) - 1)]
        assert exact - 1e-6 <= made.percentile(share) <= exact * 1.004 + 1e-6
    assert made.count == 5000
    assert made.largest_us == int(values[-1] * 1e6)


def test_every_microsecond_up_to_a_second_power_is_told_exactly_or_a_little_more():
    for value in [*range(2000), 2**20 - 1, 2**20, 2**20 + 1, 86_400_000_000]:
        alone = of([(value + 0.5) / 1e6, (2 * value + 9) / 1e6])
        assert value <= alone.percentile(0.5) * 1e6 + 1e-6
        assert alone.percentile(0.5) * 1e6 <= value * (1 + 1 / 256) + 1e-3


def test_what_never_came_took_longer_than_all_that_did():
    made = of([0.001] * 98)
    assert made.percentile(0.98, 100) == pytest.approx(0.001)
    assert made.percentile(0.99, 100) is None
    assert Histogram().percentile(0.5) is None


def test_how_many_took_longer():
    assert of([0.1] * 5 + [0.6] * 7 + [2.0]).above(0.5) == 8


def test_two_become_one():
    left, right = of([0.001, 0.002]), of([0.004, 5.0])
    left.add(right)
    assert left.count == 4
    assert left.largest_us == 5_000_000
    assert left.percentile(1.0) == 5.0


def test_a_clock_that_was_read_twice_gives_no_negative_time():
    assert of([-0.5]).percentile(1.0) == 0
