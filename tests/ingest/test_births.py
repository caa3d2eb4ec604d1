"""The fast way to read a birth says what the long one says."""

import json
import random

import pytest

from ingest.accept import accept
from ingest.births import Births
from ingest.rows import Place
from tests.ingest.fakes import birth
from tests.ingest.mutations import VALUES
from wire import packs
from wire.errors import MessageError

LABELS = ["ep", "version", "time", "profiles", "devices", "former", "reset", "crash", "x"]


def said(births, body):
    """What a birth says, with the facts of each point in place of objects; or why it is refused."""
    try:
        return [
            {name: {point: rule.facts for point, rule in points.items()} for name, points in named.items()}
            for named in births.read(body)
        ]
    except MessageError as error:
        return error.reason


def damaged(chance):
    """A birth with up to three changes, most of them small."""
    told = json.loads(birth(["P0001/air-1", "P0002/air-1"]))
    told["former"] = [{"pole": "P0003", "device": "air-1", "profile": "fake"}]
    for _ in range(chance.randint(0, 3)):
        way = chance.random()
        if way < 0.4:
            told[chance.choice(LABELS)] = chance.choice(VALUES)
        elif way < 0.8:
            listed = told.get(chance.choice(["devices", "former"]))
            if isinstance(listed, list) and listed and isinstance(listed[0], dict):
                listed[0][chance.choice(["pole", "device", "profile", "x"])] = chance.choice(VALUES)
        else:
            told.pop(chance.choice(LABELS), None)
    body = json.dumps(told).encode()
    if chance.random() < 0.2:
        at = chance.randrange(len(body))
        body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
    return body


def test_both_ways_say_the_same_of_births_that_chance_has_damaged():
    chance, births, long_way = random.Random(5), Births(), Births()
    long_way._fast = lambda body: None
    whole = birth(["P0001/air-1", "P0002/air-1"])
    assert said(births, whole) == said(long_way, whole)
    fast = 0
    for _ in range(3000):
        body = damaged(chance)
        fast += births._fast(body) is not None
        assert said(births, body) == said(long_way, body), body
    assert 200 < fast < 2800


def test_the_second_birth_of_a_profile_takes_the_fast_way_to_the_same_objects():
    births = Births()
    ((first,), _) = (named.values() for named in births.read(birth(["P0001/air-1"])))
    assert births._fast(birth(["P0002/air-1"])) is not None
    (here, _) = births.read(birth(["P0002/air-1"]))
    assert here["P0002/air-1/"] is first


@pytest.mark.parametrize("time", ["1.0", "true", "1e3", "-1", "9007199254740993", "null", '"1"'])
def test_a_time_that_is_none_is_refused_by_both(time):
    births = Births()
    births.read(birth())
    body = json.dumps(json.loads(birth()) | {"time": 7}).replace('"time": 7', f'"time": {time}').encode()
    with pytest.raises(MessageError):
        births.read(body)


@pytest.mark.parametrize("function", ["pack", "quality"])
def test_a_measurement_of_our_own_is_no_function_of_a_device(function):
    for told in ({"function": function}, {"points": {"sq": {"unit": "", "function": function}}}):
        with pytest.raises(MessageError, match=f"{function} is no function"):
            Births().read(birth(**told))


@pytest.mark.parametrize(("profile", "version"), [("mine", 1), ("hj212-air", 99)])
def test_a_number_of_our_profiles_is_one_in_all_others(profile, version):
    """InfluxDB keeps the type of a field's first value: a text of one node would refuse the numbers of all."""
    points = {"pm2_5": {"unit": "ug/m3"}, "pm2_5_of_mine": {"unit": ""}, "level": {"unit": "", "function": "water"}}
    told = birth(points=points, profile=profile, version=version)
    known, _ = Births().read(told)
    known["P0001/air-1/"] = Place("wuhou", "P0001", "air-1"), known["P0001/air-1/"]
    at = 1_790_000_000_000
    each = [(point, value) for point in points for value in ("a text", True, 1e300, -7)]
    body = packs.encode("9f3c21aa", 1, [("P0001/air-1", point, at, value, None) for point, value in each])
    refused = accept("wuhou", "gw-1", body, known, at).refused
    assert [(each[r.record], r.reason) for r in refused] == [
        ((point, value), "type") for point in ("pm2_5", "level") for value in ("a text", True)
    ]
