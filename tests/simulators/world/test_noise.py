import numpy as np
import pytest

from simulators.world.noise import Field, chance, field, normal, wave

INDEX = np.arange(20_000, dtype=np.int64)


def split_mix_64(state: int) -> int:
    """The published algorithm's next number, written down a second time: one value, Python's integers."""
    every = (1 << 64) - 1
    state = (state + 0x9E3779B97F4A7C15) & every
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & every
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & every
    return state ^ (state >> 31)


def test_the_generator_that_the_algorithm_was_published_with_gives_the_numbers_known_of_it() -> None:
    assert split_mix_64(0) == 0xE220A8397B1DCDAF  # the first number of seed 0, in every implementation
    assert split_mix_64(0x9E3779B97F4A7C15) == 0x6E789E6AA1B965F4  # and the second


def test_a_draw_follows_from_its_index_alone_and_not_from_who_else_is_drawn() -> None:
    together = chance(7, "rain", INDEX, 3)
    alone = np.concatenate([chance(7, "rain", INDEX[place : place + 1], 3) for place in (0, 1, 19_999)])
    assert alone.tolist() == together[[0, 1, 19_999]].tolist()
    assert chance(7, "rain", INDEX[::-1], 3)[::-1].tolist() == together.tolist()


def test_neighbours_of_one_stream_are_steps_of_the_published_generator() -> None:
    draws = (chance(7, "rain", INDEX[:50], 3) * 2.0**53).astype(np.uint64).tolist()
    first = _state_of(7, "rain", 3)
    golden = 0x9E3779B97F4A7C15
    assert draws == [split_mix_64((first + (state - 1) * golden) % (1 << 64)) >> 11 for state in range(50)]


def _state_of(seed: int, stream: str, step: int) -> int:
    from hashlib import blake2b

    key = int.from_bytes(blake2b(f"{seed}/{stream}".encode(), digest_size=8).digest(), "big")
    return split_mix_64((key + (step - 1) * 0x9E3779B97F4A7C15) % (1 << 64))


@pytest.mark.parametrize(
    ("one", "other"), [((1, "a", 0), (2, "a", 0)), ((1, "a", 0), (1, "b", 0)), ((1, "a", 0), (1, "a", 1))]
)
def test_another_seed_stream_or_step_has_nothing_in_common(one, other) -> None:  # type: ignore[no-untyped-def]
    first, second = chance(one[0], one[1], INDEX, one[2]), chance(other[0], other[1], INDEX, other[2])
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


def test_chances_are_even_from_0_to_1() -> None:
    draws = chance(1, "even", INDEX)
    assert draws.min() >= 0
    assert draws.max() < 1
    counts = np.bincount((draws * 20).astype(int), minlength=20)
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_normals_have_the_mean_and_the_width_of_one() -> None:
    draws = normal(1, "bell", INDEX)
    assert abs(draws.mean()) < 0.03
    assert abs(draws.std() - 1) < 0.03
    assert np.abs(draws).max() <= 2 * np.sqrt(3)
    assert abs((np.abs(draws) < 1).mean() - 0.68) < 0.03


def test_a_field_is_smooth_in_place_and_in_time_and_does_move() -> None:
    x = np.linspace(0, 10_000, 2001)
    here = Field(seed=1, stream="f", x=x, y=x * 0.3, scale_m=1000.0, period_s=600.0)
    now = here.at(1234.0)
    assert np.abs(now).max() <= 1
    assert now.std() > 0.2
    assert np.abs(np.diff(now)).max() < 2 * 1.5 * 5.3 / 1000 + 1e-9  # 5 m on, by the steepest slope of the blend
    assert np.abs(here.at(1235.0) - now).max() < 2 * 1.5 / 600 + 1e-9
    assert abs(np.corrcoef(now, here.at(1234.0 + 1800.0))[0, 1]) < 0.9
    assert here.at(1234.0).tolist() == now.tolist()
    assert field(1, "f", x, x * 0.3, 1234.0, scale_m=1000.0, period_s=600.0).tolist() == now.tolist()


def test_a_wave_is_smooth_and_stays_between_minus_1_and_1() -> None:
    values = np.array([wave(5, "w", float(second), 100.0) for second in range(0, 5000, 5)])
    assert np.abs(values).max() <= 1
    assert values.std() > 0.2
    assert np.abs(np.diff(values)).max() <= 2 * 1.5 * 5 / 100 + 1e-9
