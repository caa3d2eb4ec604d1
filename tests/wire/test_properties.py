"""What must hold for any reading, any topic and any damage."""

import json
import math
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wire import errors, messages, names, numbers, packs, payloads, senml, stored, topics

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
name = st.builds(
    lambda first, rest: first + rest,
    st.sampled_from(LETTERS),
    st.text(alphabet=LETTERS + "._-", max_size=names.MAX_NAME - 1),
)
device = st.builds(lambda pole, device: f"{pole}/{device}", name, name)
time_ms = st.integers(senml.RELATIVE_LIMIT_S * 1000, senml.MAX_TIME_S * 1000)
near_ms = st.integers(1763683200000, 1763683300000)
value = st.one_of(
    st.integers(-numbers.EXACT_INTEGER, numbers.EXACT_INTEGER),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40),
)
quality = st.one_of(st.sampled_from(packs.QUALITIES), st.integers(1, 255).map("exception-{}".format))
state = st.one_of(st.tuples(value, st.none()), st.tuples(st.none(), quality))
reading = st.builds(
    lambda device, point, at, state: (device, point, at, *state), device, name, time_ms | near_ms, state
)
# Few devices and near times, so that base names and base times are shared and changed within a pack.
near_reading = st.builds(
    lambda device, point, at, state: (device, point, at, *state),
    st.sampled_from(["P0001/air-1", "P0001/water-1", "P0002/air-1"]),
    st.sampled_from(["pm10", "level"]),
    near_ms,
    state,
)
readings = st.lists(reading, min_size=1, max_size=8) | st.lists(near_reading, min_size=1, max_size=40)
epoch = st.text(alphabet="0123456789abcdef", min_size=8, max_size=8)
number = st.integers(1, numbers.EXACT_INTEGER)


def flat(reading):
    device, point, at, value, quality = reading
    return (*device.split("/"), point, at, value, quality, None)


@given(epoch, number, readings)
def test_a_pack_comes_back_as_it_went(epoch, number, readings):
    pack = packs.decode(packs.encode(epoch, number, readings))
    assert (pack.epoch, pack.number, pack.refused) == (epoch, number, [])
    assert pack.readings == [flat(reading) for reading in readings]
    assert [type(one[4]) for one in pack.readings] == [type(reading[3]) for reading in readings]


@given(readings)
@settings(max_examples=30)
def test_every_truncation_is_refused(readings):
    body = packs.encode("9f3c21aa", 1, readings)
    for end in range(len(body)):
        with pytest.raises(errors.PackError) as refused:
            packs.decode(body[:end])
        assert refused.value.reason == "json"


DECODERS = {
    "pack": packs.decode,
    "stored": stored.decode,
    "status": lambda body: messages.decode(body, messages.STATUS),
    "birth": lambda body: messages.decode(body, messages.BIRTH),
    "command": lambda body: messages.decode(body, messages.COMMAND),
    "reply": lambda body: messages.decode(body, messages.REPLY),
}
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
LABELS = sorted(
    {"bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "q", "ep", "sq", "x_"}
)
strange = st.one_of(
    json_value,
    st.sampled_from([1e308, -1e308, 2**53, 10**400, "\ud800", "P0001/a/", "9f3c21aa", 1763683200, [[1, 2]], "pm10"]),
)
strange_pack = st.lists(st.dictionaries(st.sampled_from(LABELS), strange, max_size=6), min_size=1, max_size=5)


def refuse_or_take(decoder, body):
    """What was decoded, or None after a typed refusal with a reason of one word and a sentence; all else fails."""
    try:
        return DECODERS[decoder](body)
    except errors.WireError as error:
        refused = error
    assert refused.reason.isalpha()
    assert 0 < len(refused.detail.encode()) < 400  # half a surrogate pair would break the log and the dead-letter store
    return None


@pytest.mark.parametrize("decoder", DECODERS)
@given(st.binary(max_size=200))
@example(b"[" * 60000)
@example(b'{"a":' * 13000)
@example(b"9" * 5000)
@example(b"\xff\xfe[\x00]\x00")
def test_any_bytes(decoder, body):
    refuse_or_take(decoder, body)


@given(strange_pack, st.booleans())
@example([{"ep": "9f3c21aa", "sq": 1, "bt": 1e308, "t": 1e308, "n": "a", "v": 1}], False)
@example([{"bv": 1.7e308, "v": 1.7e308, "n": "P0001/a/b", "t": 1763683200}], True)
@settings(max_examples=300)
def test_any_records(records, identified):
    if identified:
        records[0].update(ep="9f3c21aa", sq=1)
    pack = refuse_or_take("pack", json.dumps(records).encode())
    if pack is not None:
        assert len(pack.readings) + len(pack.refused) == len(records)
        for _pole, _device, _point, at, value, quality, _unit in pack.readings:
            assert senml.RELATIVE_LIMIT_S * 1000 <= at <= senml.MAX_TIME_S * 1000
            assert (value is None) != (quality is None)
            assert not isinstance(value, float) or math.isfinite(value)
            json.dumps(value, ensure_ascii=False).encode()


def test_a_value_nested_deep_in_a_label_is_refused_without_a_crash():
    deep = "[" * 900 + "]" * 900
    for label in ("ep", "sq", "bn", "n", "u", "t", "v", "q", "bver"):
        record = '{"ep":"9f3c21aa","sq":1,"bn":"P0001/a/","n":"a","t":1763683200,"v":1,"LABEL":DEEP}'
        record = record.replace("LABEL", label).replace("DEEP", deep)
        pack = refuse_or_take("pack", f"[{record}]".encode())
        assert pack is None or len(pack.refused) == 1


MESSAGE = {
    "pack": packs.encode(
        "9f3c21aa",
        48211,
        [("P0001/air-1", "pm10", 1763683200250, 61, None), ("P0001/a", "b", 1763683200251, None, "crc")],
    ),
    "stored": stored.encode("9f3c21aa", [[1, 3], [5, 900]]),
    "status": b'{"online":true,"ep":"9f3c21aa","head":10,"stored":7,"pending":2,"dropped":{"full":1},"readings":95,'
    b'"clock":"ok","version":"0.1.0","time":1763683200250}',
    "birth": b'{"ep":"9f3c21aa","version":"0.1.0","time":1763683200250,"profiles":{"sdm120":{"version":1,'
    b'"function":"energy","points":{"voltage":{"unit":"V"}}}},"devices":[{"pole":"P0001","device":"meter-1","profile":"sdm120"}]}',
    "command": b'{"id":"c-1","issued":1763683200250,"expires":1763683230250,"issuer":"operator","pole":"P0001",'
    b'"device":"lamp-1","action":"dim","args":{"level":40}}',
    "reply": b'{"id":"c-1","state":"done","time":1763683200250,"reason":"x","read_back":{"level":40.2}}',
}


@pytest.mark.parametrize("decoder", DECODERS)
@given(data=st.data())
@settings(max_examples=300)
def test_mutated_bytes(decoder, data):
    body = bytearray(MESSAGE[decoder])
    assert refuse_or_take(decoder, bytes(body)) is not None
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"{", b"]", b"-1", b"null", b"1e999"])
        )
        if not body:
            break
    refuse_or_take(decoder, bytes(body))


@given(st.text(max_size=200))
def test_any_topic(text):
    try:
        area, node, direction, channel = topics.parse(text)
    except errors.TopicError:
        return
    assert "/".join(("poles", area, node, direction, channel)) == text


@given(name, name, st.sampled_from(sorted(topics.UP)), st.sampled_from(sorted(topics.DOWN)))
def test_a_topic_comes_back_as_it_went(area, node, up, down):
    assert topics.parse(topics.up(area, node, up)) == (area, node, "up", up)
    assert topics.parse(topics.down(area, node, down)) == (area, node, "down", down)


@given(st.lists(st.integers(1, 60) | number, min_size=1, max_size=80))
def test_ranges_name_exactly_the_numbers(numbers):
    ranges = stored.ranges(numbers)
    assert sorted(n for first, last in ranges for n in range(first, last + 1)) == sorted(set(numbers))
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))
    assert stored.decode(stored.encode("9f3c21aa", ranges)) == ("9f3c21aa", ranges)


@given(st.integers(-(10**13), 10**13))
def test_seconds_are_exact(milliseconds):
    text = packs.seconds(milliseconds)
    assert int(text.replace(".", "")) == milliseconds
    assert round(float(text) * 1000) == milliseconds


@given(json_value)
def test_is_whole_agrees_with_json(value):
    text = json.dumps(value)
    assert payloads.is_whole(text.encode())
    if isinstance(value, (list, dict, str)):
        assert not any(payloads.is_whole(text[:end].encode()) for end in range(1, len(text)))
