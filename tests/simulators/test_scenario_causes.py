"""Which poles a cause meets and when: the same on every run, and in every size of city."""

import numpy as np
import pytest

from simulators import causes
from simulators.causes import FOREVER, Cause, Where
from simulators.world.city_map import city_map
from simulators.world.kits import KITS

CITY = city_map(seed=1, poles=600)


def chosen(**where):
    return Where(**where).chosen(CITY, 1, "cause 0 test")


def test_without_a_word_it_is_everywhere():
    assert chosen().all()


@pytest.mark.parametrize(
    ("where", "of", "numbers"),
    [
        ({"districts": ("wuhou", "jinniu")}, CITY.district, (0, 3)),
        ({"feeders": (0, 2)}, CITY.feeder, (0, 2)),
        ({"network_cells": (1,)}, CITY.network_cell, (1,)),
        ({"roads": ("main-road", "square")}, CITY.road, (2, 3)),
    ],
)
def test_a_place_narrows_the_choice(where, of, numbers):
    assert np.array_equal(chosen(**where), np.isin(of, numbers))
    assert 0 < chosen(**where).sum() < 600


def test_places_narrow_it_together():
    assert np.array_equal(
        chosen(districts=("wuhou",), roads=("street",)), chosen(districts=("wuhou",)) & chosen(roads=("street",))
    )


def test_a_function_is_what_a_device_of_the_pole_has():
    met = chosen(functions=("emergency", "leakage"))
    has = [any(name[:3] in ("sos", "lea") for name, _ in KITS[kit].devices) for kit in CITY.kit]
    assert np.array_equal(met, has)


def test_near_is_a_share_of_the_city_and_a_radius_in_metres():
    met = chosen(near=(0.25, 0.5), radius_m=400)
    distance = np.hypot(CITY.x - CITY.width_m / 4, CITY.y - CITY.height_m / 2)
    assert np.array_equal(met, distance <= 400)


@pytest.mark.parametrize("poles", [1, 20, 5000])
def test_the_nearest_pole_always_is_near(poles):
    city = city_map(seed=3, poles=poles)
    met = Where(near=(0.3, 0.6), radius_m=0.001).chosen(city, 3, "cause 0 test")
    assert met.sum() == 1


def test_the_nearest_of_those_that_are_left_counts():
    met = chosen(near=(0.5, 0.5), radius_m=0.001, functions=("charging",))
    assert met.sum() == 1
    assert chosen(functions=("charging",))[met].all()


def test_a_share_is_that_share_and_one_pole_at_least():
    assert chosen(share=0.25).sum() == 150
    assert chosen(share=0.0001).sum() == 1
    assert chosen(districts=("wuhou",), share=0.5).sum() == -(-chosen(districts=("wuhou",)).sum() // 2)


def test_a_count_is_at_most_what_there_is():
    assert chosen(count=7).sum() == 7
    assert chosen(poles=("P00001", "P00600", "P09999"), count=7).sum() == 2


def test_whole_feeders_are_met_and_counted_as_feeders():
    one = chosen(near=(0.5, 0.5), radius_m=0.001, whole="feeder")
    assert np.array_equal(one, CITY.feeder == CITY.feeder[one][0])
    two = chosen(count=2, whole="feeder")
    assert len(set(CITY.feeder[two])) == 2
    assert np.array_equal(two, np.isin(CITY.feeder, CITY.feeder[two]))


def test_chance_is_of_the_seed_and_the_stream():
    where = Where(share=0.3)
    first = where.chosen(CITY, 1, "cause 0 sos")
    assert np.array_equal(first, where.chosen(CITY, 1, "cause 0 sos"))
    assert not np.array_equal(first, where.chosen(CITY, 2, "cause 0 sos"))
    assert not np.array_equal(first, where.chosen(CITY, 1, "cause 1 sos"))


def test_poles_are_met_one_after_another_each_as_long():
    cause = Cause(kind="sos", begin_s=600, end_s=660, over_s=300, where=Where(share=0.5))
    begin, end = cause.spans(CITY, 1)
    met = begin < FOREVER
    assert np.array_equal(met, cause.where.chosen(CITY, 1, cause.stream))
    assert set(begin[met]) == set(range(600, 900, causes.STEP_S))
    assert (end[met] - begin[met] == 60).all()
    assert (end[~met] == FOREVER).all()


def test_whole_feeders_are_met_one_after_another():
    begin, _ = Cause(kind="sag", begin_s=0, over_s=600, where=Where(whole="feeder")).spans(CITY, 1)
    times = [set(begin[CITY.feeder == feeder]) for feeder in range(int(CITY.feeder.max()) + 1)]
    assert all(len(each) == 1 for each in times)
    assert len(set.union(*times)) > 1


def test_what_has_no_end_ends_never():
    begin, end = Cause(kind="hit", begin_s=600, over_s=300).spans(CITY, 1)
    assert (begin < 900).all()
    assert (end == FOREVER).all()


@pytest.mark.parametrize(
    ("time_s", "strength"), [(590, 0), (600, 0), (630, 0.5), (660, 1), (1140, 1), (1170, 0.5), (1200, 0)]
)
def test_strength_fades_in_and_out(time_s, strength):
    assert Cause(kind="weather", begin_s=600, end_s=1200, fade_s=60).strength(time_s) == strength


def test_what_is_shorter_than_its_fades_reaches_its_full_strength_once():
    cause = Cause(kind="weather", begin_s=0, end_s=600, fade_s=3600)
    assert [cause.strength(time_s) for time_s in (0, 150, 300, 450, 600)] == [0, 0.5, 1, 0.5, 0]


def test_without_a_fade_it_is_there_at_once():
    assert [Cause(kind="outage", begin_s=20, end_s=40).strength(time_s) for time_s in (10, 20, 30, 40)] == [0, 1, 1, 0]
