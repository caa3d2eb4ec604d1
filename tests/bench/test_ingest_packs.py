"""The packs of `pole bench ingest`: that a city's are what its poles say, and that every one of them is a good one."""

import pytest

from bench import ingest_packs
from bench.ingest_packs import CITY, CITY_READINGS, ROWS, Count
from device_profiles import loader
from simulators.sensing.columns import columns
from simulators.world.city_map import city_map
from simulators.world.kits import KITS
from wire import messages, packs

NODES, NOW_MS = 60, 1_763_683_200_250
KITS_HERE = city_map(seed=1, poles=NODES).kit.tolist()


@pytest.fixture(scope="module")
def city():
    return ingest_packs.maker(CITY, profiles=loader.profiles(), nodes=NODES, epoch="0badcafe")


def decoded(city, place, number):
    return packs.decode(city.pack(place, b"P%05d" % place, number, NOW_MS))


def test_a_pole_says_all_points_of_its_devices_in_its_own_name(city):
    profiles = loader.profiles()
    for place in range(NODES):
        pack = decoded(city, place, ROWS - place % ROWS)  # not one with texts
        assert (pack.epoch, pack.number, pack.refused) == ("0badcafe", ROWS - place % ROWS, [])
        assert [reading[:3] for reading in pack.readings] == [
            (f"P{place:05}", device, column.point)
            for device, profile in KITS[KITS_HERE[place]].devices
            for column in columns(device, profiles[profile])
        ]


def test_all_that_a_pack_names_stands_in_the_birth_within_its_range(city):
    profiles = loader.profiles()
    seen = set()
    for place in range(NODES):
        birth = messages.decode(city.birth(place, f"P{place:05}", NOW_MS), messages.BIRTH)
        of = {device["device"]: profiles[device["profile"]] for device in birth["devices"]}
        for number in range(1, ROWS + 1):
            for _, device, name, _, value, quality, _ in decoded(city, place, number).readings:
                point = of[device].points[name]
                seen.add(quality or point.kind)
                if point.range and value is not None:
                    assert point.range[0] <= value <= point.range[1]
    assert seen == {"number", "bool", "text", "timeout"}


def test_readings_and_lines_are_counted_as_they_are(city):
    profiles = loader.profiles()
    total = Count(0, 0, 0, 0)
    for place in range(NODES):
        of = {device: profiles[profile].function_of for device, profile in KITS[KITS_HERE[place]].devices}
        for number in range(1, ROWS + 1):
            told = decoded(city, place, number).readings
            count = city.count(place, number)
            good = {(device, of[device](point), ms) for _, device, point, ms, _, code, _ in told if code is None}
            instants = {(device, ms) for _, device, _, ms, *_ in told}
            lines = len(good) + sum(reading[5] is not None for reading in told)
            assert count == (1, len(told), lines, len(instants))
            total += count
    assert total.packs == NODES * ROWS
    assert abs(total.readings / total.packs - CITY_READINGS) < 2


def test_a_share_of_the_packs_was_read_in_turn_and_keeps_its_times(city):
    spread = 0
    for number in range(1, ROWS + 1):
        body = city.pack(0, b"P1", number, NOW_MS)
        times = [ms for _, _, _, ms, *_ in packs.decode(body).readings]
        assert times[0] == NOW_MS
        assert max(times) < NOW_MS + 1000  # before the node's next pack
        assert (len(set(times)) > 1) == (b'"t":' in body)
        spread += len(set(times)) > 1
    assert spread == ROWS // ingest_packs.READ_IN_TURN


def test_packs_of_a_number_have_that_number():
    made = ingest_packs.maker("50", profiles=loader.profiles(), nodes=2, epoch="0badcafe")
    pack = packs.decode(made.pack(0, b"P1", 7, NOW_MS))
    devices = {reading[1] for reading in pack.readings}
    assert (len(pack.readings), made.count(0, 7)) == (50, (1, 50, len(devices), len(devices)))
