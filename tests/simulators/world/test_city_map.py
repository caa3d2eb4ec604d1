from pathlib import Path

import numpy as np
import pytest

from device_profiles import loader
from simulators.world.city_map import CENTRE, DISTRICTS, MAIN_ROAD, SQUARE, city_map
from simulators.world.kits import KITS
from simulators.world.zones import zones


@pytest.mark.parametrize("poles", [1, 2, 7, 50, 333])
def test_a_city_has_exactly_the_poles_asked_for_and_each_stands_on_its_map(poles: int) -> None:
    city = city_map(seed=3, poles=poles)
    assert city.names == [f"P{number:05}" for number in range(1, poles + 1)]
    for name in ("district", "north", "east", "x", "y", "road", "cell", "feeder", "circuit", "basin", "hollow", "kit"):
        assert getattr(city, name).shape == (poles,), name
    assert 0 <= city.x.min() <= city.x.max() <= city.width_m
    assert 0 <= city.y.min() <= city.y.max() <= city.height_m
    assert city.cell.max() < city.columns * city.rows <= 800
    assert city.area == [city.districts[number][0] for number in city.district]


def test_a_city_without_poles_is_refused() -> None:
    with pytest.raises(ValueError, match="a city of 0 poles: it has 1 at least"):
        city_map(seed=1, poles=0)


def test_the_same_seed_gives_the_same_city_and_another_seed_another() -> None:
    one, same, other = (city_map(seed=seed, poles=300) for seed in (1, 1, 2))
    assert one.x.tobytes() == same.x.tobytes()
    assert one.kit.tobytes() == same.kit.tobytes()
    assert one.x.tobytes() != other.x.tobytes()


def test_poles_stand_along_streets_as_lamps_do() -> None:
    city = city_map(seed=1, poles=2000)
    gaps = np.hypot(city.x[:, None] - city.x, city.y[:, None] - city.y)
    np.fill_diagonal(gaps, np.inf)
    nearest = gaps.min(axis=1)
    assert 30 <= np.median(nearest) <= 45
    assert np.percentile(nearest, 5) > 15
    assert 200 / 1e6 < city.poles / (city.width_m * city.height_m) < 400 / 1e6  # 200 to 400 on a square kilometre


def test_degrees_and_metres_say_the_same_place() -> None:
    city = city_map(seed=1, poles=2000)
    # A great circle on a sphere of the earth's mean radius is right to half a percent.
    up = np.radians(city.north - CENTRE[0]) * 6_371_000
    right = np.radians(city.east - CENTRE[1]) * 6_371_000 * np.cos(np.radians(CENTRE[0]))
    assert np.abs(np.hypot(up, right) - np.hypot(city.x - city.width_m / 2, city.y - city.height_m / 2)).max() < 15
    assert (np.sign(up) == np.sign(city.y - city.height_m / 2)).mean() > 0.99


def test_row_0_of_the_cells_is_in_the_north_and_column_0_in_the_west() -> None:
    city = city_map(seed=1, poles=1000)
    row, column = np.divmod(city.cell, city.columns)
    assert city.y[row == 0].min() > city.y[row == city.rows - 1].max()
    assert city.x[column == 0].max() < city.x[column == city.columns - 1].min()


def test_zones_keep_their_limits_and_hang_together() -> None:
    city = city_map(seed=1, poles=9000)
    for zone, most in (("feeder", 400), ("circuit", 60), ("network_cell", 250), ("basin", 60)):
        numbers = getattr(city, zone)
        sizes = np.bincount(numbers)
        assert sizes.min() > 0, zone
        assert sizes.max() <= most, zone
        spread = np.hypot(*(_spread(numbers, values) for values in (city.x, city.y))).mean()
        assert spread < 0.2 * np.hypot(city.x.std(), city.y.std()), zone
    for circuit in range(int(city.circuit.max()) + 1):
        assert len(set(city.feeder[city.circuit == circuit].tolist())) == 1
    assert city.far.min() == 0
    assert city.far.max() == 1


@pytest.mark.parametrize(("poles", "limit", "most"), [(64, 16, 16), (65, 16, 16), (16, 16, 16), (17, 16, 9), (5, 1, 1)])
def test_a_zone_is_halved_as_soon_as_it_has_one_too_many(poles: int, limit: int, most: int) -> None:
    x = np.arange(poles, dtype=np.float64)
    sizes = np.bincount(zones(x, np.zeros(poles), limit))
    assert sizes.max() == most
    assert sizes.sum() == poles


def _spread(numbers: np.ndarray, values: np.ndarray) -> float:
    return float(np.mean([values[numbers == number].std() for number in range(int(numbers.max()) + 1)]))


def test_a_quarter_of_200_poles_has_several_feeders_and_network_cells_and_all_districts() -> None:
    city = city_map(seed=1, poles=200)
    assert city.feeder.max() >= 2
    assert city.network_cell.max() >= 2
    assert set(city.area) == {name for name, _, _ in DISTRICTS}


def test_lanes_are_many_and_squares_few_and_squares_lie_on_main_roads() -> None:
    city = city_map(seed=1, poles=4000)
    share = np.bincount(city.road, minlength=4) / city.poles
    assert share[0] > share[1] > share[SQUARE]
    assert 0.005 < share[SQUARE] < 0.05
    assert share[MAIN_ROAD] < 0.3


def test_every_kit_is_of_profiles_that_are_shipped_and_all_nine_functions_occur_in_a_quarter() -> None:
    city = city_map(seed=1, poles=200)
    assert set(city.kit.tolist()) == set(range(len(KITS)))
    found = set()
    for kit in KITS:
        assert len({device for device, _ in kit.devices}) == len(kit.devices), kit.name
        for _, profile in kit.devices:
            file: Path = loader.files()[profile]
            found.add(file.parent.name)
    nine = {"lighting", "wifi", "camera", "screen", "air", "emergency", "water", "charging", "manhole"}
    assert nine <= found


def test_kits_have_their_shares_of_each_road() -> None:
    city = city_map(seed=1, poles=4000)
    for road in range(4):
        shares = np.array([kit.shares[road] for kit in KITS])
        found = np.bincount(city.kit[city.road == road], minlength=len(KITS)) / (city.road == road).sum()
        assert found == pytest.approx(shares / shares.sum(), abs=0.02)


def test_a_lane_has_lamp_and_meter_and_tilt() -> None:
    assert {device for device, _ in KITS[0].devices} == {"lamp-1", "meter-1", "tilt-1"}
    assert KITS[0].shares[0] == max(kit.shares[0] for kit in KITS)
