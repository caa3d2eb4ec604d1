"""A real world, and real scenarios, by the sensors of a small city."""

from datetime import datetime

import numpy as np
import pytest

from device_profiles import loader
from simulators import scenario
from simulators.sensing.quantities import COMMON, SOURCES
from simulators.sensing.sensors import Sensors
from simulators.sensing.source import UPTIME
from simulators.world.city_map import city_map
from simulators.world.world import QUANTITIES, World

PROFILES = loader.profiles()
POLES = 120


def told(name, *, first_s=0, steps=40, every=1, seed=1):
    """Columns, rows of truth, and (step, table, raw, quality) for each reading of a scenario's part."""
    played = scenario.load(name)
    city = city_map(seed=seed, poles=POLES)
    world = World(seed=seed, city=city, causes=played.causes, start=played.start)
    sensors = Sensors(
        seed=seed, city=city, profiles=PROFILES, causes=played.causes, every=np.full(POLES, every)
    )  # fmt: skip
    readings = []
    while world.step < first_s // 10 + steps:
        step = world.advance()
        if step >= first_s // 10 and step % every == 0:
            for number, table in enumerate(sensors.tables):
                readings.append((step, number, sensors.sense(world, number, np.arange(len(table.poles)))))
    return sensors.tables, readings


def test_every_source_asks_for_what_the_world_has():
    asked = {name for source in (*SOURCES.values(), *COMMON.values()) for name in source.needs}
    assert asked - {UPTIME} <= QUANTITIES


@pytest.mark.parametrize("name", scenario.names())
def test_values_of_a_scenario_are_those_that_the_profiles_allow(name):
    tables, readings = told(name, steps=30, every=3)
    seen = 0
    for _, number, sensed in readings:
        good = sensed.quality == 0
        for place, column in enumerate(tables[number].columns):
            point = PROFILES[column.profile].points[column.point]
            values = sensed.raw[good[:, place], place] / 10**column.decimals
            seen += len(values)
            if not len(values):
                continue
            if point.kind == "number" and point.range is not None:
                half = 0.5 * 10**-column.decimals
                assert point.range[0] - half <= values.min(), column
                assert values.max() <= point.range[1] + half, column
            if point.values:
                assert set(values.tolist()) <= {float(code) for code in point.values}, column
    assert seen > 5000


def test_what_rots_is_seen_and_the_rest_is_not():
    _, readings = told("sensor-rot", first_s=1200, steps=6)
    bad = sum(int((sensed.quality != 0).sum()) for _, _, sensed in readings)
    all_of = sum(sensed.quality.size for _, _, sensed in readings)
    assert 0 < bad < all_of * 0.1
    _, readings = told("quiet-day", steps=6)
    assert not any(sensed.quality.any() for _, _, sensed in readings)


def test_the_same_seed_tells_the_same_again():
    first, again, other = (told("storm", steps=12, seed=seed)[1] for seed in (1, 1, 2))
    for (_, _, one), (_, _, two) in zip(first, again, strict=True):
        assert one.raw.tobytes() == two.raw.tobytes()
        assert one.quality.tobytes() == two.quality.tobytes()
    assert any(one.raw.tobytes() != two.raw.tobytes() for (_, _, one), (_, _, two) in zip(first, other, strict=False))


def test_neighbours_agree_as_far_as_their_thermometers_do():
    tables, readings = told("quiet-day", steps=3)
    values = np.concatenate([
        sensed.raw[:, place] / 10**column.decimals
        for _, number, sensed in readings[-len(tables):]
        for place, column in enumerate(tables[number].columns)
        if (column.function, column.point) == ("air", "temperature")
    ])  # fmt: skip
    assert len(values) > 10
    assert values.std() < 0.8
    assert values.std() > 0.05


def test_what_is_done_to_a_device_is_read_back():
    city = city_map(seed=1, poles=POLES)
    world = World(seed=1, city=city, causes=(), start=datetime(2026, 7, 15, 12))
    sensors = Sensors(seed=1, city=city, profiles=PROFILES, causes=(), every=np.ones(POLES, dtype=np.int64))
    number, table, place = next(
        (number, table, [column.point for column in table.columns].index("max_current"))
        for number, table in enumerate(sensors.tables)
        if any(column.point == "max_current" for column in table.columns)
    )

    def limits():
        world.advance()
        raw = sensors.sense(world, number, np.arange(len(table.poles))).raw[:, place]
        return raw / 10 ** table.columns[place].decimals

    assert set(limits().tolist()) == {32.0}
    world.act(int(table.poles[0]), "charger_current", 10.0)
    assert limits().tolist() == [10.0] + [32.0] * (len(table.poles) - 1)
