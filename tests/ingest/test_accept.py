"""What of a pack may be stored, and what not."""

import json
import random

import pytest

from device_profiles import loader
from ingest.accept import accept, identity
from ingest.registry import Registry
from ingest.rows import REMEMBERED, Points, Rule, named
from tests.ingest.fakes import EPOCH, birth
from wire import packs
from wire.errors import MessageError

NOW_MS = 1_790_000_000_000
DEVICE = "P0001/air-1"


@pytest.fixture
def registry(tmp_path):
    registry = Registry(path=tmp_path / "births.db")
    yield registry
    registry.close()


def judge(registry, *readings, body=None):
    payload = body if body is not None else packs.encode(EPOCH, 7, list(readings))
    return accept("wuhou", "gw-1", payload, registry.devices("wuhou", "gw-1"), NOW_MS)


def facts(devices):
    return {name: {point: rule.facts for point, rule in points.items()} for name, (_, points) in devices.items()}


def reasons(pack):
    return [(refusal.record, refusal.reason) for refusal in pack.refused]


def shipped(registry, name="xy-md03", **changed):
    """Announces DEVICE with a shipped profile, as a gateway does."""
    profile = loader.profiles()[name]
    points = {point: {"unit": facts.unit} for point, facts in profile.points.items()}
    plain = {"points": points, "profile": name, "version": profile.version, "function": profile.function}
    registry.learn("wuhou", "gw-1", birth([DEVICE], **{**plain, **changed}))
    return next((point, facts) for point, facts in profile.points.items() if facts.range is not None)


def test_whole_numbers_become_floats_and_the_rest_stays(registry):
    registry.learn("wuhou", "gw-1", birth())
    pack = judge(registry, (DEVICE, "humidity", NOW_MS, 61, None), (DEVICE, "door", NOW_MS, True, None))
    assert list(named(pack.runs)) == [
        ("air", "wuhou", "P0001", "air-1", "humidity", NOW_MS, 61.0, None),
        ("air", "wuhou", "P0001", "air-1", "door", NOW_MS, True, None),
    ]
    assert [type(value) for *_, values, _ in pack.runs for value in values] == [float, bool]
    assert pack.ledger(NOW_MS + 250) == ("wuhou", "gw-1", EPOCH, 7, 2, 0, 250, NOW_MS)


def test_packs_of_which_nothing_is_stored_are_as_many_points_of_the_ledger(registry):
    no_time = b'[{"ep":"9f3c21aa","sq":%d,"n":"x"}]'
    packs_ = [judge(registry, body=no_time % number) for number in range(1, 500)]
    points = {(pack.number % 16, pack.ledger(NOW_MS).time_ms) for pack in packs_}
    assert all(pack.refused and not pack.runs for pack in packs_)
    assert len(points) == len(packs_)
    assert judge(registry, (DEVICE, "door", NOW_MS - 9, True, None)).ledger(NOW_MS)[4:] == (0, 1, 9, NOW_MS - 9)


def test_the_profile_s_range_holds_and_its_edges_are_inside(registry):
    point, facts = shipped(registry)
    low, high = facts.range
    values = [low, high, low - 1, high + 1, "text", True]
    pack = judge(registry, *[(DEVICE, point, NOW_MS + n, value, None) for n, value in enumerate(values)])
    assert [row[6] for row in named(pack.runs)] == [low, high]
    assert reasons(pack) == [(2, "range"), (3, "range"), (4, "type"), (5, "type")]


def test_the_range_of_another_version_of_a_profile_does_not_count(registry):
    point, facts = shipped(registry, version=999)
    assert judge(registry, (DEVICE, point, NOW_MS, facts.range[1] + 1, None)).refused == []


def test_a_unit_must_be_the_birth_s(registry):
    registry.learn("wuhou", "gw-1", birth())
    records = [
        {"bn": f"{DEVICE}/", "bt": NOW_MS / 1000, "ep": EPOCH, "sq": 1, "n": "temperature", "u": "Cel", "v": 1},
        {"n": "temperature", "u": "K", "v": 274},
    ]
    pack = judge(registry, body=json.dumps(records).encode())
    assert pack.readings == 1
    assert reasons(pack) == [(1, "unit")]


def test_a_reading_may_be_ahead_by_one_day(registry):
    registry.learn("wuhou", "gw-1", birth())
    day = 86_400_000
    pack = judge(registry, (DEVICE, "door", NOW_MS + day, True, None), (DEVICE, "door", NOW_MS + day + 1, True, None))
    assert pack.readings == 1
    assert reasons(pack) == [(1, "future")]


def test_a_node_speaks_only_for_its_own_devices(registry):
    registry.learn("wuhou", "gw-2", birth(["P0002/air-1"]))
    registry.learn("wuhou", "gw-1", birth())
    pack = judge(registry, ("P0002/air-1", "door", NOW_MS, True, None), (DEVICE, "door", NOW_MS, True, None))
    assert reasons(pack) == [(0, "unknown-device")]
    assert pack.unknown
    assert [row[2] for row in named(pack.runs)] == ["P0001"]


def test_records_keep_their_index_beside_those_the_wire_refuses(registry):
    registry.learn("wuhou", "gw-1", birth())
    records = [
        {"bn": f"{DEVICE}/", "bt": NOW_MS / 1000, "ep": EPOCH, "sq": 1, "n": "door", "vb": True},
        {"n": "door", "t": 1},
        {"n": "no_such", "v": 1},
        {"n": "door", "t": 2, "vb": False},
    ]
    pack = judge(registry, body=json.dumps(records).encode())
    assert pack.indexes == [0, 3]
    assert sorted(reasons(pack)) == [(1, "value"), (2, "unknown-point")]


def test_a_device_that_left_the_birth_stays_known_over_a_restart(registry, tmp_path):
    registry.learn("wuhou", "gw-1", birth(["P0001/air-1", "P0002/air-2"]))
    registry.learn("wuhou", "gw-1", birth(["P0001/air-1"]))
    assert registry.learn("wuhou", "gw-1", birth(["P0001/air-1"])) is False
    registry.keep({("wuhou", "gw-1")})
    again = Registry(path=tmp_path / "births.db")
    assert facts(again.devices("wuhou", "gw-1")) == facts(registry.devices("wuhou", "gw-1"))
    assert again.devices("wuhou", "gw-1").keys() == {"P0001/air-1/", "P0002/air-2/"}
    again.close()


def test_a_node_cannot_make_us_remember_without_end(registry):
    for first in range(0, 6000, 1000):
        registry.learn("wuhou", "gw-1", birth([f"P{n}/air" for n in range(first, first + 1000)]))
    assert len(registry.devices("wuhou", "gw-1")) <= 4096


def test_a_birth_that_is_none_is_refused(registry):
    with pytest.raises(MessageError):
        registry.learn("wuhou", "gw-1", b"{}")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'[{"ep":"9f3c21aa","sq":3},' + b",".join([b"{}"] * 1000) + b"]", ("9f3c21aa", 3)),
        (b'[{"ep":"9f3c21aa","sq":0}]', (None, None)),
        (b'[{"ep":"9f3c21a","sq":3}]', (None, None)),
        (b'{"ep":"9f3c21aa","sq":3}', (None, None)),
        (b"[]", (None, None)),
        (b"[" * 100_000, (None, None)),
        (b"\xff", (None, None)),
    ],
)
def test_the_identity_of_a_refused_pack_is_read_where_it_can_be(body, told):
    assert identity(body) == told


def test_points_in_ever_new_orders_are_not_remembered_for_ever():
    rules = {f"p{n}": Rule(f"p{n}", "air", "", None, None) for n in range(50)}
    points = Points(rules.values())
    chance = random.Random(5)
    for _ in range(1_000):
        order = chance.sample(list(rules), 40)
        walked(points, order).shapes()  # which may begin anew on the way, and at its end
        (shape,) = walked(points, order).shapes()
        assert shape.rules == tuple(rules[name] for name in order)
        assert walked(points, order).shapes()[0] is shape
        assert steps(points.start) <= REMEMBERED


def walked(points, names):
    step = points.start
    for name in names:
        step = step[name]
    return step


def steps(step):
    return sum(1 + steps(each) for each in step.values())
