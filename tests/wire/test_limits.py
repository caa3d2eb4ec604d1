"""Each limit at its edge: the last that is taken, and the first that is refused."""

import json

import pytest

from wire import errors, messages, packs, stored, topics

AT = 1763683200000


def many(count, value=1):
    return [("P0001/air-1", f"p{index}", AT, value, None) for index in range(count)]


def test_records():
    assert len(packs.decode(packs.encode("9f3c21aa", 1, many(1000))).readings) == 1000
    with pytest.raises(errors.PackError, match="records"):
        packs.encode("9f3c21aa", 1, many(1001))
    body = json.dumps([{"ep": "9f3c21aa", "sq": 1, "n": "P0001/a/b", "t": 1763683200, "v": 1}] + [{"v": 1}] * 1000)
    with pytest.raises(errors.PackError, match="records"):
        packs.decode(body.encode())


def sized(size):
    """Readings whose pack has exactly this many bytes."""
    readings = many(64, "x" * 900)
    short = size - len(packs.encode("9f3c21aa", 1, readings))
    for index in range(len(readings)):
        more = min(short, packs.MAX_TEXT - 900)
        readings[index] = (*readings[index][:3], "x" * (900 + more), None)
        short -= more
    assert short == 0
    return readings


def test_bytes_to_send():
    assert len(packs.encode("9f3c21aa", 1, sized(65536))) == 65536
    with pytest.raises(errors.PackError, match="size"):
        packs.encode("9f3c21aa", 1, sized(65535) + many(1))


def test_bytes_received():
    body = packs.encode("9f3c21aa", 1, sized(65536))
    assert len(packs.decode(body).readings) == 64
    with pytest.raises(errors.PackError, match="size"):
        packs.decode(body + b" ")


def test_a_text_is_counted_in_characters():
    text = "路" * packs.MAX_TEXT
    assert packs.decode(packs.encode("9f3c21aa", 1, many(1, text))).readings[0][4] == text
    body = json.dumps([{"ep": "9f3c21aa", "sq": 1, "n": "P0001/a/b", "t": 1763683200, "vs": text + "路"}])
    assert packs.decode(body.encode()).refused[0][1] == "value"


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), "\ud800", b"bytes", (1,), 2**53, -(2**53)]
)
def test_values_that_are_never_sent(value):
    with pytest.raises(errors.PackError, match="value"):
        packs.encode("9f3c21aa", 1, many(1, value))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused_alone(text):
    body = '[{"ep":"9f3c21aa","sq":1,"bn":"P0001/a/","bt":1763683200,"n":"a","v":NUMBER},{"n":"b","v":1}]'
    pack = packs.decode(body.replace("NUMBER", text).encode())
    assert [refused[:2] for refused in pack.refused] == [(0, "value")]
    assert [one[2] for one in pack.readings] == ["b"]


def test_half_a_surrogate_pair_is_refused_alone():
    whole, half = json.dumps("\U0001f4a1"), json.dumps("\ud83d")
    body = '[{"ep":"9f3c21aa","sq":1,"bn":"P0001/a/","bt":1763683200,"n":"a","vs":HALF},{"n":"b","vs":WHOLE}]'
    pack = packs.decode(body.replace("HALF", half).replace("WHOLE", whole).encode())
    assert [refused[:2] for refused in pack.refused] == [(0, "value")]
    assert pack.readings[0][4] == "\U0001f4a1"


def test_stored_ranges():
    ranges = [[2 * index + 1, 2 * index + 1] for index in range(1001)]
    assert stored.decode(stored.encode("9f3c21aa", ranges[:1000]))[1] == ranges[:1000]
    with pytest.raises(errors.MessageError, match="ranges"):
        stored.encode("9f3c21aa", ranges)
    with pytest.raises(errors.MessageError, match="ranges"):
        stored.decode(json.dumps({"ep": "9f3c21aa", "sq": ranges}).encode())
    with pytest.raises(errors.MessageError, match="size"):
        stored.decode(stored.encode("9f3c21aa", [[1, 1]]) + b" " * stored.MAX_BYTES)


def birth(devices):
    profiles = {
        f"profile-{index}": {
            "version": 1,
            "function": "air",
            "points": {f"point_{n}": {"unit": "Cel"} for n in range(20)},
        }
        for index in range(16)
    }
    listed = [
        {"pole": f"P{index:04}", "device": f"device-{index}", "profile": f"profile-{index % 16}"}
        for index in range(devices)
    ]
    return {"ep": "9f3c21aa", "version": "0.1.0", "time": AT, "profiles": profiles, "devices": listed}


def test_a_birth_of_512_devices_is_well_below_the_limit():
    assert len(messages.encode(birth(512), messages.BIRTH)) < messages.MAX_BYTES / 2


def test_message_bytes():
    with pytest.raises(errors.MessageError, match="size"):
        messages.encode(birth(5000), messages.BIRTH)
    with pytest.raises(errors.MessageError, match="size"):
        messages.decode(json.dumps(birth(5000)).encode(), messages.BIRTH)


def test_a_channel_of_the_other_direction_has_no_topic():
    with pytest.raises(errors.TopicError, match="channel"):
        topics.up("wuhou", "gw-1", "command")
    with pytest.raises(errors.TopicError, match="channel"):
        topics.down("wuhou", "gw-1", "telemetry")
    with pytest.raises(errors.TopicError, match="node"):
        topics.up("wuhou", "gw/1", "telemetry")


def test_seconds_have_a_sign_only_below_zero():
    assert [packs.seconds(milliseconds) for milliseconds in (-1001, -1, 0, 1)] == ["-1.001", "-0.001", "0.000", "0.001"]
