import numpy as np
import pytest

from device_profiles import loader
from simulators.causes import Cause, Where
from simulators.sensing.columns import columns
from simulators.sensing.instruments import Instruments
from simulators.sensing.rot import RANGE, TIMEOUT, spells
from simulators.sensing.sensors import Sensors
from simulators.world.city_map import city_map
from tests.simulators.sensing.fake_world import FakeWorld

PROFILES = loader.profiles()
DEVICES = {name: each for name, each in PROFILES.items() if each.protocol != "gateway"}
CITY = city_map(seed=2, poles=40)
ALL = np.arange(40, dtype=np.int64)


def instruments(profile, causes=(), *, poles=ALL, device="x-1", every=3, seed=7):
    own = list(columns(device, PROFILES[profile], all_points=True))
    made = Instruments(
        seed=seed, poles=poles, columns=own, profiles=PROFILES, every=np.full(len(poles), every),
        rots=spells(causes, CITY, seed),
    )  # fmt: skip
    return made, own


def sensed(profile, world, point, causes=(), rows=ALL, made=None):
    """Values and qualities of one point."""
    made, own = made or instruments(profile, causes)
    raw, quality = made.sense(world, rows, np.zeros(len(rows)))
    number = [column.point for column in own].index(point)
    return raw[:, number] / 10 ** own[number].decimals, quality[:, number]


def rot(how, rate=0.0, begin_s=0, **more):
    values = {"how": how, "rate": rate} | {key: more.pop(key) for key in ("point", "function") if key in more}
    return Cause(kind="rot", begin_s=begin_s, values=values, **more)


@pytest.mark.parametrize("name", DEVICES)
def test_whatever_the_world_does_a_value_is_one_that_the_profile_allows(name):
    class Everywhere(FakeWorld):
        def quantity(self, _, poles):
            return np.full(len(poles), self.held["all"])

    made, own = instruments(name, poles=ALL[:5])
    for extreme in (-1e6, -3.0, 0.0, 0.4, 1.0, 97.0, 1e4, 1e12):
        world = Everywhere(40, all=extreme)
        raw, quality = made.sense(world, np.arange(5), np.full(5, max(extreme, 0.0)))
        for number, column in enumerate(own):
            check(DEVICES[name].points[column.point], column, raw[:, number] / 10**column.decimals)
        answering = [each for each, column in enumerate(own) if column.function != "camera"]
        assert not quality[:, answering].any()


def check(point, column, values):
    if point.kind == "bool":
        assert set(values.tolist()) <= {0.0, 1.0}
    elif point.range is not None:
        half = 0.5 * 10**-column.decimals
        assert point.range[0] - half <= values.min()
        assert values.max() <= point.range[1] + half
    if point.values:
        assert set(values.tolist()) <= {float(code) for code in point.values}


def test_a_sensor_is_near_the_truth_and_no_two_are_alike():
    values, quality = sensed("weather-8in1", FakeWorld(40, temperature=24.0), "temperature")
    assert not quality.any()
    assert abs(values.mean() - 24.0) < 0.2
    assert 0.1 < values.std() < 0.4
    assert np.allclose(values * 10, np.rint(values * 10))  # the station's step


def test_the_same_is_felt_whatever_stands_beside_it():
    """Two instances, other rows and other order of rows."""
    one, own = instruments("xy-md03")
    other, _ = instruments("xy-md03", poles=ALL[20:][::-1])
    world = FakeWorld(40, temperature=24.0 + np.arange(40) / 10)
    for _ in range(5):
        world.go(3)
        raw, _ = one.sense(world, ALL, np.zeros(40))
        again, _ = other.sense(world, np.arange(20), np.zeros(20))
        assert np.array_equal(raw[20:][::-1], again)
    assert {column.point for column in own} == {"temperature", "humidity"}


def test_another_device_another_seed_another_step_feel_otherwise():
    world = FakeWorld(40)
    first = sensed("xy-md03", world, "humidity")[0]
    assert (sensed("xy-md03", world, "humidity", made=instruments("xy-md03", device="x-2"))[0] != first).any()
    assert (sensed("xy-md03", world, "humidity", made=instruments("xy-md03", seed=8))[0] != first).any()
    assert (sensed("xy-md03", world.go(), "humidity")[0] != first).any()


def test_a_slow_sensor_follows_and_arrives():
    made = instruments("xy-md03")
    world = FakeWorld(40, temperature=20.0)
    before = sensed("xy-md03", world, "temperature", made=made)[0]
    world.held["temperature"] = 30.0
    shortly = sensed("xy-md03", world.go(), "temperature", made=made)[0]
    later = sensed("xy-md03", world.go(60), "temperature", made=made)[0]
    assert 1.0 < (shortly - before).mean() < 3.0  # 1 - e^(-10 s / 60 s) of 10 K
    assert (later - before).mean() == pytest.approx(10.0, abs=0.05)


def test_a_direction_turns_over_north():
    values, _ = sensed("weather-8in1", FakeWorld(40, wind_direction=359.5), "wind_direction")
    assert values.min() >= 0
    assert values.max() < 360
    assert (values < 30).any()
    assert (values > 330).any()


def test_a_counter_only_grows():
    made = instruments("sdm120")
    world, last = FakeWorld(40), np.zeros(40)
    for step in range(20):
        world.held["energy_total"] = 1000 + step / 70
        values = sensed("sdm120", world.go(), "energy_import", made=made)[0]
        assert (values >= last).all()
        last = values


def test_a_camera_that_is_dead_does_not_answer():
    values, quality = sensed("onvif-camera", FakeWorld(40, camera_alive=ALL % 2), "round_trip")
    assert quality.tolist() == [TIMEOUT, 0] * 20
    assert sensed("onvif-camera", FakeWorld(40, camera_alive=ALL % 2), "reachable")[0].tolist() == [0.0, 1.0] * 20
    assert values[1::2].max() < 60


def test_drift_leaves_the_truth_and_then_the_range():
    """10 % of 125 K an hour: 25 K after two hours, and beyond 85 degrees after five."""
    made = instruments("xy-md03", [rot("drift", 10.0, point="temperature")])
    world = FakeWorld(40, temperature=24.0)
    at_first = sensed("xy-md03", world, "temperature", made=made)[0]
    after, quality = sensed("xy-md03", world.go(720), "temperature", made=made)
    assert (after - at_first).mean() == pytest.approx(25.0, abs=0.1)
    assert not quality.any()
    assert set(sensed("xy-md03", world.go(1200), "temperature", made=made)[1].tolist()) == {RANGE}
    assert not sensed("xy-md03", world, "humidity", made=made)[1].any()


def test_a_stuck_sensor_says_what_it_said_when_it_stuck():
    made = instruments("xy-md03", [rot("stuck", begin_s=20, end_s=100)])
    world = FakeWorld(40, temperature=24.0)
    sensed("xy-md03", world.go(2), "temperature", made=made)
    world.held["temperature"] = 24.5
    seen = [sensed("xy-md03", world.go(), "temperature", made=made)[0] for _ in range(7)]
    assert all(np.array_equal(seen[0], each) for each in seen)
    world.held["temperature"] = 50.0
    assert (sensed("xy-md03", world.go(30), "temperature", made=made)[0] > 49).all()


def test_a_dead_sensor_times_out_on_the_poles_that_it_is_on():
    cause = rot("dead", where=Where(poles=("P00003", "P00009")))
    _, quality = sensed("xy-md03", FakeWorld(40), "temperature", [cause])
    assert np.flatnonzero(quality).tolist() == [2, 8]
    assert set(quality[quality != 0].tolist()) == {TIMEOUT}


def test_that_a_device_is_dead_is_a_value_too():
    made = instruments("onvif-camera", [rot("dead")])
    reachable, quality = sensed("onvif-camera", FakeWorld(40), "reachable", made=made)
    assert not reachable.any()
    assert not quality.any()
    assert set(sensed("onvif-camera", FakeWorld(40), "clock_skew", made=made)[1].tolist()) == {TIMEOUT}


def test_spikes_are_out_of_range_and_as_often_as_said():
    made = instruments("xy-md03", [rot("spikes", 30.0)])
    world, hits = FakeWorld(40), 0
    for _ in range(100):
        values, quality = sensed("xy-md03", world.go(3), "temperature", made=made)
        assert ((quality == RANGE) == (values > 85.0)).all()
        hits += int((quality == RANGE).sum())
    assert hits / 4000 == pytest.approx(1 - np.exp(-30 * 30 / 3600), abs=0.03)


def test_noise_is_as_strong_as_said_and_spares_what_is_not_measured():
    calm = sensed("weather-8in1", FakeWorld(40), "pressure")[0]
    wild = sensed("weather-8in1", FakeWorld(40), "pressure", [rot("noise", 2.0)])[0]
    assert calm.std() < 1.0
    assert 9 < wild.std() < 30  # 2 % of 900 hPa
    code = sensed("weather-8in1", FakeWorld(40, wind_direction=90.0), "wind_direction_code", [rot("noise", 90.0)])
    assert set(code[0].tolist()) == {2.0}


def test_a_node_with_bad_software_does_not_read_its_devices():
    sensors = Sensors(seed=1, city=CITY, profiles=PROFILES, causes=[], every=np.full(40, 3))
    world = FakeWorld(40)
    world.silent[::2] = True
    for number, table in enumerate(sensors.tables):
        found = sensors.sense(world, number, np.arange(len(table.poles)))
        assert (found.quality == np.where(world.silent[table.poles], TIMEOUT, 0)[:, None]).all()


def test_a_city_of_sensors_is_sensed_by_tables():
    sensors = Sensors(seed=1, city=CITY, profiles=PROFILES, causes=[rot("dead")], every=np.full(40, 3))
    world = FakeWorld(40)
    for number, table in enumerate(sensors.tables):
        found = sensors.sense(world, number, np.arange(len(table.poles)))
        assert found.raw.shape == found.quality.shape == (len(table.poles), len(table.columns))
        assert not found.raw.any()  # no value where there is none
        assert sensors.sense(world, number, ALL[:0]).raw.shape == (0, len(table.columns))


def test_uptime_begins_anew_with_the_power():
    sensors = Sensors(seed=1, city=CITY, profiles=PROFILES, causes=[], every=np.ones(40, dtype=np.int64))
    number, column, decimals = next(
        (number, place, column.decimals)
        for number, table in enumerate(sensors.tables)
        for place, column in enumerate(table.columns)
        if column.point == "uptime"
    )
    world = FakeWorld(40)

    def uptime():
        return sensors.sense(world.go(), number, np.array([0])).raw[0, column] / 10**decimals

    first = uptime()
    assert uptime() == first + 10
    world.powered[:] = False
    uptime()
    world.powered[:] = True
    assert [uptime(), uptime()] == [10, 20]
