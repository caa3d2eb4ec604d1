import numpy as np
import pytest

from device_profiles import loader
from protocols import dlt645
from simulators.causes import Cause, Where
from simulators.device import EmulatedDevice
from simulators.dlt645_meter import EmulatedMeter
from simulators.sensing.scale import scale
from simulators.sensing.sensors import Sensors
from simulators.sensing.told import STEPS_KEPT, Told
from simulators.world.city_map import city_map
from tests.simulators.sensing.fake_world import FakeWorld

PROFILES = loader.profiles()
DEVICES = [name for name, each in PROFILES.items() if each.protocol != "gateway"]
CITY = city_map(seed=2, poles=40)
BEGAN_MS = 1_800_000_000_000
STATES = (
    {},
    {"temperature": -12.3, "ev_connected": 1.0, "ev_charging": 1.0, "ev_power": 6900.0, "lamp_level": 71.0},
    {"water_level": 0.4, "leakage_current": 400.0, "active_power": 2345.6, "energy_total": 98765.43},
)
NONE = np.array([], dtype=np.int64)


def told(causes=(), *, poles=NONE, others=None, seed=5):
    return Told(
        seed=seed, city=CITY, profiles=PROFILES, causes=causes, began_ms=BEGAN_MS, poles=poles, others=others
    )  # fmt: skip


def device(truth, profile, name="x-1", pole="P00001", address="1"):
    now = {"ms": BEGAN_MS}
    made = EmulatedDevice(
        profile=PROFILES[profile], pole=pole, name=name, address=address, clock=lambda: now["ms"],
        source=truth.source(f"{pole}/{name}"),
    )  # fmt: skip
    return made, now


@pytest.mark.parametrize("profile", DEVICES)
def test_a_device_shows_what_it_is_told(profile):
    """By its registers, its item or its pin: no value is lost on the way, and none is one that it cannot say."""
    truth = told(others={"P00001/x-1": profile})
    emulated, now = device(truth, profile)
    for step, state in enumerate(STATES):
        world = FakeWorld(40, **state).go(step)
        truth.take(world)
        now["ms"] = BEGAN_MS + 10_000 * step + 3_000
        emulated.image()
        emulated.raws()
        for key, point in PROFILES[profile].points.items():
            want, shown = truth.value("P00001/x-1", key, now["ms"]), emulated.value(key)
            if point.kind == "number":
                assert shown == pytest.approx(want, abs=0.5001 * 10 ** -scale(point).decimals, rel=1e-9), key
            else:
                assert shown == want, key


@pytest.mark.parametrize("how", ["spikes", "drift", "noise"])
def test_what_is_out_of_range_is_so_on_the_wire(how):
    """A sensor that rots still says a number that its registers, or its protocol, can hold."""
    cause = Cause(kind="rot", begin_s=0, values={"how": how, "rate": 1e6})
    truth = told([cause], others={f"P00001/{profile}": profile for profile in DEVICES})
    for step in range(3):
        truth.take(FakeWorld(40).go(step))
    beyond = 0
    for profile in DEVICES:
        emulated, now = device(truth, profile, profile)
        now["ms"] += 25_000
        emulated.image()
        emulated.raws()
        for key, point in PROFILES[profile].points.items():
            if point.kind == "number" and point.range is not None:
                want = truth.value(f"P00001/{profile}", key, now["ms"])
                half = 0.5001 * 10 ** -scale(point).decimals
                out = not point.range[0] - half <= want <= point.range[1] + half
                assert (emulated.value(key) is None) == out, (profile, key)
                beyond += out
    assert beyond > 100


@pytest.mark.parametrize("profile", [name for name in DEVICES if PROFILES[name].protocol == "dlt645"])
def test_a_meter_has_digits_for_what_it_is_told(profile):
    cause = Cause(kind="rot", begin_s=0, values={"how": "drift", "rate": 1e6})
    truth = told([cause], others={"P00001/x-1": profile})
    emulated, now = device(truth, profile, address="202600000001")
    for step in range(2):
        truth.take(FakeWorld(40).go(step))
    now["ms"] += 15_000
    meter = EmulatedMeter(device=emulated)
    for point in PROFILES[profile].points.values():
        (asked,) = dlt645.frames(dlt645.read("202600000001", point.item.name))
        (answer,) = dlt645.frames(meter.answer(asked))
        assert answer.control == asked.control | 0x80


def test_a_spike_is_no_value():
    cause = Cause(kind="rot", begin_s=10, end_s=20, values={"how": "spikes", "rate": 1e6, "point": "temperature"})
    truth = told([cause], others={"P00001/x-1": "xy-md03"})
    emulated, now = device(truth, "xy-md03")
    shown = []
    for step in range(3):
        truth.take(FakeWorld(40).go(step))
        now["ms"] = BEGAN_MS + step * 10_000
        shown.append((emulated.value("temperature") is None, emulated.value("humidity") is None))
    assert shown == [(False, False), (True, False), (False, False)]


def test_the_same_as_the_sensors_of_the_city():
    """Two parts that never speak to each other, in two processes, find the same values."""
    causes = [Cause(kind="rot", begin_s=20, values={"how": "drift", "rate": 500.0}, where=Where(share=0.5))]
    every = np.ones(40, dtype=np.int64)
    sensors = Sensors(seed=5, city=CITY, profiles=PROFILES, causes=causes, every=every)
    truth = told(causes, poles=np.arange(0, 40, 3))
    compared = 0
    for step in range(8):
        world = FakeWorld(40, temperature=20 + np.sin(np.arange(40) + step)).go(step)
        truth.take(world)
        for number, table in enumerate(sensors.tables):
            found = sensors.sense(world, number, np.arange(len(table.poles)))
            for row, pole in enumerate(table.poles.tolist()):
                for place, column in enumerate(table.columns):
                    if pole % 3 == 0 and not found.quality[row, place]:
                        name = f"{CITY.names[pole]}/{column.device}"
                        value = truth.value(name, column.point, BEGAN_MS + step * 10_000)
                        assert value == found.raw[row, place] / 10**column.decimals
                        compared += 1
    assert compared > 500


def test_a_value_holds_for_its_step_and_is_kept_for_a_while():
    truth = told(others={"P00001/x-1": "xy-md03"})
    assert truth.value("P00001/x-1", "temperature", BEGAN_MS) is None
    for step in range(40):
        truth.take(FakeWorld(40, temperature=float(step)).go(step))

    def at(time_ms):
        return truth.value("P00001/x-1", "temperature", BEGAN_MS + time_ms)

    assert at(390_000) == at(399_999) == at(500_000)  # the last, until there is a later one
    assert at(389_999) != at(390_000)
    assert at(100_000) == at(100_000 + 1)
    assert at(0) == at((40 - STEPS_KEPT) * 10_000)  # no older one is kept
    assert truth.value("P00001/x-1", "no_such_point", BEGAN_MS) is None


def test_a_command_outlasts_the_world_until_it_is_released():
    truth = told(others={"P00001/x-1": "arlight-dali"})
    lamp, now = device(truth, "arlight-dali")
    truth.take(FakeWorld(40, lamp_level=100.0))
    assert lamp.value("level") == 100
    lamp.command("set_level", 50)
    assert lamp.value("level") == pytest.approx(50, abs=0.2)
    now["ms"] += 1
    lamp.release("level")
    assert lamp.value("level") == 100


def test_words_follow_the_world():
    truth = told(others={"P00001/x-1": "ocpp16", "P00002/x-1": "ocpp16", "P00003/x-1": "onvif-camera"})
    truth.take(FakeWorld(40, ev_connected=np.arange(40) == 1, ev_charging=0.0))
    assert truth.value("P00001/x-1", "status", BEGAN_MS) == "Available"
    assert truth.value("P00002/x-1", "status", BEGAN_MS) == "Preparing"
    truth.take(FakeWorld(40, ev_connected=1.0, ev_charging=1.0).go())
    assert truth.value("P00002/x-1", "status", BEGAN_MS + 10_000) == "Charging"
    assert truth.value("P00003/x-1", "model", BEGAN_MS) == "EMU-PTZ-1"


def test_what_is_dead_does_not_answer():
    causes = [
        Cause(kind="rot", begin_s=10, values={"how": "dead", "point": "humidity"}, where=Where(poles=("P00002",)))
    ]
    truth = told(causes, others={"P00001/x-1": "xy-md03", "P00002/x-1": "xy-md03"})
    truth.take(FakeWorld(40))
    truth.take(FakeWorld(40).go())
    assert truth.unanswered("P00002/x-1", BEGAN_MS + 10_000) == {"humidity"}
    assert truth.unanswered("P00002/x-1", BEGAN_MS) == frozenset()
    assert truth.unanswered("P00001/x-1", BEGAN_MS + 10_000) == frozenset()


def test_a_pole_that_is_not_there():
    with pytest.raises(ValueError, match="P00099/x-1: the city has no pole P00099; it has P00001 to P00040"):
        told(others={"P00099/x-1": "xy-md03"})
