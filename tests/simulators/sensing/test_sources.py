import numpy as np
import pytest

from device_profiles import loader
from device_profiles.vocabulary import vocabulary
from simulators.sensing.columns import columns, tables
from simulators.sensing.scale import scale
from simulators.sensing.sources import source, usual
from simulators.world.city_map import city_map
from simulators.world.kits import KITS

DEVICES = {name: each for name, each in loader.profiles().items() if each.protocol != "gateway"}


@pytest.mark.parametrize("name", DEVICES)
def test_every_point_of_the_vocabulary_has_a_source(name):
    profile = DEVICES[name]
    without = [
        key for key, point in profile.points.items()
        if not point.own and point.kind != "text" and source(profile, key) is None
    ]  # fmt: skip
    assert without == []


def test_a_source_is_of_a_point_that_there_is():
    from simulators.sensing.quantities import COMMON, SOURCES

    shipped = vocabulary()
    own = {(each.function_of(key), key) for each in DEVICES.values() for key, point in each.points.items() if point.own}
    known = {(function, key) for function in shipped.functions for key in shipped.points(function)} | own
    assert SOURCES.keys() - known == set()
    assert COMMON.keys() - shipped.common.keys() == set()


def test_texts_and_settings_of_a_maker_are_no_columns_of_a_node():
    found = [column.point for column in columns("charger-1", DEVICES["heidelberg-energy-control"])]
    assert "standby" not in found
    assert "power" in found
    all_points = [
        column.point for column in columns("charger-1", DEVICES["heidelberg-energy-control"], all_points=True)
    ]
    assert "standby" in all_points
    assert "status" not in [column.point for column in columns("charger-1", DEVICES["ocpp16"], all_points=True)]


def test_a_table_has_the_poles_of_one_kit_and_the_points_of_its_devices():
    city = city_map(seed=4, poles=300)
    found = tables(city, DEVICES)
    assert sorted(pole for table in found for pole in table.poles.tolist()) == list(range(300))
    for table in found:
        assert set(city.kit[table.poles].tolist()) == {table.kit}
        assert {(c.device, c.profile) for c in table.columns} == set(KITS[table.kit].devices)


@pytest.mark.parametrize(
    ("profile", "point", "decimals", "step"),
    [
        ("arlight-dali", "level", 2, 100 / 254),  # a step without an end is told to a hundredth
        ("pzem-016", "current", 3, 0.001),
        ("sdm120", "voltage", 1, 0.1),  # a float
        ("hj212-dust", "temperature", 1, 0.1),
        ("weather-8in1", "wind_force", 0, 1),
        ("em300-mcs", "humidity", 1, 0.5),
    ],
)
def test_decimals_follow_from_the_registers(profile, point, decimals, step):
    found = scale(DEVICES[profile].points[point])
    assert (found.decimals, found.step) == (decimals, pytest.approx(step))


def test_what_nothing_moves_is_what_the_profile_says():
    assert usual(DEVICES["hlk-ld8001h"], "mount_height") == 6.0
    assert usual(DEVICES["sip-intercom"], "alive") == 1.0
    assert usual(DEVICES["em300-mcs"], "cover_open") == 0.0


def test_a_distance_is_what_is_left_above_the_water():
    found = source(DEVICES["hlk-ld8001h"], "distance")
    assert found.of(np.array([0.25])).tolist() == [5.75]


@pytest.mark.parametrize(
    ("profile", "codes"),
    [("em2go", [1, 2, 4]), ("heidelberg-energy-control", [3, 5, 7]), ("phoenix-ac1m", [0x4132, 0x4232, 0x4332])],
)
def test_the_state_of_a_charger_is_in_its_makers_codes(profile, codes):
    found = source(DEVICES[profile], "state")
    state = found.of(np.array([0.0, 1.0, 1.0]), np.array([0.0, 0.0, 1.0]))
    assert state.tolist() == codes
    assert set(codes) <= DEVICES[profile].points["state"].values.keys()
