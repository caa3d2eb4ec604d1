import pytest

from device_profiles import loader, registers
from device_profiles.schema import Profile
from simulators.device import EmulatedDevice


def decoded(device: EmulatedDevice, point: str) -> object:
    at = device.points[point].at
    words = [device.image()[at.table, at.address + index] for index in range(2 if at.type.endswith("32") else 1)]
    return registers.value(device.points[point], words)


def test_registers_say_what_the_device_says_it_holds(device, clock):
    for _ in range(100):
        clock.ms += 777
        for point in device.points:
            assert decoded(device, point) == device.value(point)
            assert device.held(point, clock.ms) == {device.value(point)}


def test_values_move_with_each_tick_and_never_between(device, clock):
    clock.ms -= clock.ms % 1000
    start = device.value("voltage")
    clock.ms += 999
    assert device.value("voltage") == start
    clock.ms += 1
    assert device.value("voltage") != start


def test_values_follow_from_the_seed_alone(meter, clock):
    def series(seed: int, name: str) -> list[object]:
        device = EmulatedDevice(profile=meter, pole="P0001", name=name, seed=seed, clock=clock)
        return [device.held("voltage", clock.ms + 1000 * tick) for tick in range(20)]

    assert series(1, "meter-1") == series(1, "meter-1")
    assert series(1, "meter-1") != series(2, "meter-1")
    assert series(1, "meter-1") != series(1, "meter-2")


def test_values_stay_in_the_range_and_use_the_swing(device, clock):
    values = [next(iter(device.held("temperature", clock.ms + 500 * step))) for step in range(120)]
    assert -25 <= min(values) < -23
    assert 13 < max(values) <= 15
    assert {next(iter(device.held("fault", clock.ms + 500 * step))) for step in range(40)} == {True, False}


def test_held_spans_the_tolerance(device, clock):
    clock.ms -= clock.ms % 1000
    around = {next(iter(device.held("voltage", clock.ms + 1000 * step))) for step in (-1, 0, 1)}
    assert len(around) == 3
    assert device.held("voltage", clock.ms, 1000) == around
    assert device.held("voltage", clock.ms, 999) <= around
    assert len(device.held("voltage", clock.ms + 500, 400)) == 1


def test_held_remembers_a_hand_at_the_device(device, clock):
    opened = clock.ms
    device.hold("door", True)
    clock.ms += 5000
    device.hold("door", False)
    clock.ms += 5000
    device.release("door")
    assert device.held("door", opened - 1) == {False}
    assert device.held("door", opened) == {True}
    assert device.held("door", opened + 4999) == {True}
    assert device.held("door", opened + 5000) == {False}
    assert device.held("door", opened + 5000, 1) == {True, False}


def test_a_frozen_point_sticks_and_the_others_move(device, clock):
    stuck = device.value("voltage")
    device.freeze("voltage")
    clock.ms += 10_000
    assert device.value("voltage") == stuck == decoded(device, "voltage")
    assert device.held("voltage", clock.ms - 3000, 2000) == {stuck}
    assert len(device.held("power", clock.ms - 3000, 2000)) > 1
    device.thaw("voltage")
    assert device.value("voltage") != stuck


def test_a_command_under_a_freeze_shows_after_it(device):
    device.command("limit", 10)
    device.freeze()
    device.command("limit", 16)
    assert device.value("limit") == 10
    device.thaw()
    assert device.value("limit") == 16


def test_a_command_moves_the_read_back_and_refuses_what_is_out_of_range(device, clock):
    clock.ms += 100
    before = device.value("limit")
    device.command("limit", 16)
    assert device.value("limit") == 16 == decoded(device, "limit")
    assert device.held("limit", clock.ms - 1) == {before}
    with pytest.raises(ValueError, match=r"meter-1 limit: 33 is not in 6\.0 to 32\.0"):
        device.command("limit", 33)


def test_an_emulation_that_does_not_fit_its_register_is_refused(meter: Profile):
    data = meter.model_dump(exclude={"polls", "commands", "points"})
    point = {
        "labels": {"en": "x", "zh": "某"},
        "poll": "live",
        "at": {"table": "input", "address": 0, "type": "uint16"},
        "emulate": {"around": 65535, "swing": 1},
    }
    data |= {"polls": {"live": {"every": "1s"}}, "points": {"count": point}}
    data["modbus"] = {"latency": "10ms"}
    with pytest.raises(ValueError, match="profile test-meter, point count"):
        EmulatedDevice(profile=Profile.model_validate(data), pole="P1", name="m")


def test_a_gateway_is_not_emulated():
    with pytest.raises(ValueError, match="a gateway is not emulated"):
        EmulatedDevice(profile=loader.profile("gateway"), pole="P1", name="gateway")


def test_items_are_what_the_points_hold(meter: Profile):
    data = {key: value for key, value in meter.model_dump(exclude_unset=True).items() if key != "modbus"}
    point = {"labels": {"en": "p", "zh": "点"}, "poll": "live"}
    data |= {
        "protocol": "sip", "commands": {}, "polls": {"live": {"every": "1s"}},
        "points": {
            "power": point | {"item": {"name": "a", "scale": 0.1, "decimals": 1}, "emulate": {"around": 7.3}},
            "on": point | {"item": {"name": "b", "type": "bool"}, "emulate": {"around": 1}},
            "text": point | {"item": {"name": "c", "type": "text"}, "emulate": {"texts": ["x", "y"], "period": "10s"}},
        },
    }  # fmt: skip
    now = [0]
    device = EmulatedDevice(profile=Profile.model_validate(data), pole="P1", name="m", clock=lambda: now[0])
    texts = set()
    for now[0] in range(0, 10_000, 1000):
        assert device.raws() == {"a": 73.0, "b": True, "c": device.value("text")}
        assert (device.value("power"), device.value("on")) == (7.3, True)
        texts.add(device.value("text"))
    assert texts == {"x", "y"}
    assert device.held("text", 5000, 5000) == {"x", "y"}
    device.hold("text", "z")
    assert device.raws()["c"] == "z"


def test_a_counter_only_counts_up():
    meter = EmulatedDevice(profile=loader.profiles()["sdm120"], pole="P0001", name="meter-1")
    hour = 3_600_000
    start = 1_800_000_000_000
    held = [max(meter.held("energy_import", start + index * hour)) for index in range(100)]
    assert held == sorted(held)
    assert held[-1] - held[0] == pytest.approx(99 * 0.45, rel=0.01)


def test_a_meters_powers_agree_with_each_other():
    meter = EmulatedDevice(profile=loader.profiles()["sdm120"], pole="P0001", name="meter-1")
    for minute in range(120):
        at = 1_800_000_000_000 + minute * 60_000
        names = ("voltage", "current", "active_power", "apparent_power", "power_factor")
        volts, amperes, watts, apparent, factor = (max(meter.held(name, at)) for name in names)
        assert watts < apparent
        assert apparent == pytest.approx(volts * amperes, rel=0.1)
        assert watts == pytest.approx(apparent * factor, rel=0.1)
