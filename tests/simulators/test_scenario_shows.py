"""What the shipped scenarios show in the world is what their stories say."""

from functools import cache

import numpy as np
import pytest

from simulators import scenario
from simulators.fleet.report import ALARMING
from simulators.world.city_map import city_map
from simulators.world.world import World

POLES = np.arange(200, dtype=np.int64)


@cache
def played(name, minutes, *quantities):
    """(happenings, quantity -> [step, pole], flag of the nodes -> [step, pole]) of a city of 200 poles."""
    told = scenario.load(name)
    world = World(seed=told.seed, city=city_map(seed=told.seed, poles=200), causes=told.causes, start=told.start)
    happened, values, flags = [], {each: [] for each in quantities}, {"powered": [], "reachable": [], "running": []}
    for _ in range(minutes * 6):
        world.advance()
        happened += world.happenings()
        for each, rows in values.items():
            rows.append(world.quantity(each, POLES))
        for each, rows in flags.items():
            rows.append(getattr(world, each).copy())
    stack = {each: np.array(rows) for each, rows in (values | flags).items()}
    return happened, stack


def test_the_storm_alarms_of_everything_that_the_view_alarms_of():
    happened, _ = played("storm", 20, "rain_rate", "temperature", "flooded")
    assert {each.kind for each in happened} >= ALARMING


def test_the_storm_crosses_cools_and_floods():
    _, values = played("storm", 20, "rain_rate", "temperature", "flooded")
    rain = values["rain_rate"]
    first = (rain > 1).argmax(axis=0)
    assert first.min() < 12 < first.max()  # within two minutes, but not everywhere at once
    assert 80 < rain.max() < 120
    assert values["temperature"][0].mean() - values["temperature"][-1].mean() > 6
    assert values["flooded"].any(axis=0).sum() > 20
    assert (~values["powered"][9]).sum() == (~values["powered"][12]).sum() > 0  # a circuit trips …
    assert values["powered"][13].all()  # … and recloses


def test_a_quiet_day_breaks_within_two_minutes():
    _, values = played("quiet-day", 10, "lamp_on")
    lit = values["lamp_on"].sum(axis=1)
    assert lit[0] == 200
    assert 0 < lit[12] < 200
    assert lit[-1] == 0


def test_the_feeder_goes_dark_and_only_it():
    _, values = played("feeder-outage", 3, "voltage")
    dark = ~values["powered"][-1]
    city = city_map(seed=scenario.load("feeder-outage").seed, poles=200)
    assert len(set(city.feeder[dark])) == 1
    assert np.array_equal(dark, city.feeder == city.feeder[dark][0])
    assert values["voltage"][3][dark].max() < 180 < values["voltage"][3][~dark].min()  # it dips before
    assert (values["voltage"][-1][dark] == 0).all()


def test_wuhou_goes_offline_and_comes_back():
    _, values = played("district-offline", 12)
    away = ~values["reachable"]
    city = city_map(seed=scenario.load("district-offline").seed, poles=200)
    assert np.array_equal(away[30], city.district == 0)
    assert not away[-1].any()
    assert values["powered"].all()


def test_a_crowd_hangs_on_the_wifi_and_smoke_follows_at_midnight():
    _, values = played("new-year", 6, "wifi_clients", "pm2_5", "people")
    assert values["wifi_clients"][12].max() > 4 * values["wifi_clients"][0].max()
    assert values["people"][12].max() > 300
    assert values["pm2_5"][17].max() < 150 < 400 < values["pm2_5"][-1].max()


@pytest.mark.parametrize(("name", "minutes"), [("vandal", 6), ("bad-rollout", 4), ("heatwave", 4)])
def test_something_is_told_within_two_minutes(name, minutes):
    happened, values = played(name, minutes, "cover_open", "sos_pressed", "temperature", "o3")
    assert len([each for each in happened if each.step <= 12 and each.en and each.zh]) >= 2
    if name == "vandal":
        assert values["cover_open"][12].sum() >= 2
        assert values["sos_pressed"].any()
    if name == "bad-rollout":
        assert 0 < (~values["running"][12]).sum() <= 10
    if name == "heatwave":
        assert values["temperature"][0].mean() > 35
