"""All figures here are reckoned by hand: 9600 baud, 10 bits, so 1.0417 ms a character and 3.65 ms of silence."""

import pytest

from bench import mixes, plans
from bench.wire import Place
from device_profiles import loader
from device_profiles.bus_time import Line

LINE = Line(baud=9600)
CHARACTER, SILENCE, LATENCY = 10 / 9600, 35 / 9600, 0.02


def asked(reads):
    return sorted((read.table, read.address, read.count, read.every) for read in reads)


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (
            plans.each_register,
            [("coil", 0, 1, 4), ("coil", 1, 1, 4), ("holding", 0, 1, 1), ("holding", 1, 1, 1), ("holding", 4, 1, 1),
             ("holding", 6, 1, 4)],
        ),
        (
            plans.each_point,
            [("coil", 0, 1, 4), ("coil", 1, 1, 4), ("holding", 0, 2, 1), ("holding", 4, 1, 1), ("holding", 6, 1, 4)],
        ),
        (plans.each_run, [("coil", 0, 2, 4), ("holding", 0, 2, 1), ("holding", 4, 1, 1), ("holding", 6, 1, 4)]),
        (plans.telegraf, [("coil", 0, 2, 4), ("holding", 0, 5, 1), ("holding", 6, 1, 4)]),
    ],
)  # fmt: skip
def test_each_way_asks_what_it_says(places, way, expected):
    assert asked(plans.reads(plans.fields(places), way)) == expected


def test_ours_joins_the_groups_that_fall_due_together(places):
    # of four turns of the fast group one has the slow one with it
    assert asked(plans.ours(places, LINE)) == [
        ("coil", 0, 2, 4), ("holding", 0, 5, pytest.approx(4 / 3)), ("holding", 0, 7, 4)
    ]  # fmt: skip


@pytest.mark.parametrize(("table", "count", "data"), [("holding", 3, 6), ("coil", 8, 1), ("discrete", 9, 2)])
def test_a_read_takes_its_characters_the_latency_and_a_silence(table, count, data):
    read = plans.Read(unit=1, table=table, address=0, count=count, every=1.0, latency=LATENCY)
    assert read.seconds(LINE) == pytest.approx((8 + 5 + data) * CHARACTER + LATENCY + SILENCE)


def test_a_device_is_not_quicker_than_the_silence():
    read = plans.Read(unit=1, table="holding", address=0, count=1, every=1.0, latency=0.001)
    assert read.seconds(LINE) == pytest.approx(15 * CHARACTER + 2 * SILENCE)


def test_readings_and_load_go_by_the_periods(places):
    assert plans.readings_a_second(places) == 2 / 1 + 3 / 4
    one = plans.Read(unit=1, table="holding", address=0, count=1, every=0.5, latency=LATENCY)
    assert plans.load(LINE, [one, one]) == pytest.approx(4 * (15 * CHARACTER + LATENCY + SILENCE))


def test_points_of_one_register_share_its_request(meter):
    both = {**meter.points, "again": meter.points["power"]}
    place = Place(profile=meter.model_copy(update={"points": both}), unit=1)
    plain = plans.fields([Place(profile=meter, unit=1)])
    assert asked(plans.reads(plans.fields([place]), plans.each_point)) == asked(plans.reads(plain, plans.each_point))


def test_the_best_fill_of_telegraf_is_no_worse_than_its_own():
    places = mixes.places(mixes.MIXES["meters"], loader.profiles())
    wanted = plans.fields(places)
    best, usual = plans.telegraf_at_best(wanted, LINE), plans.reads(wanted, plans.telegraf)
    assert plans.load(LINE, best) < plans.load(LINE, usual)  # meters: 50 is too wide at 9600 baud


def test_channels_share_a_unit_and_everybody_else_has_his_own():
    profiles = loader.profiles()
    places = mixes.places(("arlight-dali", "arlight-dali", "xy-md03", "xy-md03"), profiles)
    assert [(place.unit, place.channel) for place in places] == [(1, 0), (1, 1), (2, 0), (3, 0)]


@pytest.mark.parametrize("mix", sorted(mixes.MIXES))
def test_every_mix_can_be_emulated_and_is_a_bus(mix):
    places = mixes.places(mixes.MIXES[mix], loader.profiles())
    assert 1 <= max(place.unit for place in places) <= 32
