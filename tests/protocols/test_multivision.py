"""Frames of LED screens; the first three are those that the reference package documents and tests."""

import pytest

from protocols import multivision
from protocols.errors import BadAnswer


def test_the_frames_of_the_reference_package():
    assert multivision.encode("G", "BRIGH", 1) == b"\x01LEDGBRIGH01=?\x0d"
    assert multivision.encode("S", "BRIGH", 1, 50) == b"\x01LEDSBRIGH01=50\x0d"
    frame, rest = multivision.split(b"\x01LEDRBRIGH01=75\x0d")
    assert (multivision.answer("BRIGH", 1, frame), rest) == (75, b"")
    assert multivision.items(b"\x01LEDGBRIGH03=?\r", b"\x01LEDRBRIGH03=50\r") == {"BRIGH": 50}


def test_a_frame_is_whole_at_its_last_byte_only():
    data = multivision.encode("R", "TEXT", 7, "欢迎 50%")
    for end in range(len(data)):
        assert multivision.split(data[:end])[0] is None
    frame, rest = multivision.split(b"noise" + data + b"\x01LED")
    assert multivision.decode(frame) == multivision.Frame("R", "TEXT", 7, "欢迎 50%")
    assert rest == b"\x01LED"


def test_a_frame_that_begins_anew_is_the_last_one():
    assert multivision.split(b"\x01LEDRBRI\x01LEDRBRIGH01=5\r")[0] == b"LEDRBRIGH01=5"


@pytest.mark.parametrize("text", ["a\rb", "a\x01LEDSPOWER01=0\r", "\0", "a\nb", "\x7f", "\x85", "\u2028", "\ud800"])
def test_no_control_character_leaves(text):
    with pytest.raises(ValueError, match=r"U\+[0-9A-F]{4} at place [12]"):
        multivision.encode("S", "TEXT", 1, text)


def test_a_text_is_limited_in_bytes():
    assert len(multivision.encode("S", "TEXT", 1, "汉" * 80)) == 253
    with pytest.raises(ValueError, match="243 bytes"):
        multivision.encode("S", "TEXT", 1, "汉" * 81)
    for verb, screen in (("BRIGH\r", 1), ("", 1), ("brigh", 1), ("BRIGH", 100), ("BRIGH", -1)):
        with pytest.raises(ValueError, match=r"verb|id"):
            multivision.encode("S", verb, screen, 1)
    with pytest.raises(ValueError, match="number or a text"):
        multivision.encode("S", "BRIGH", 1, b"\r")


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ("75", 75),
        ("0", 0),
        ("-5", -5),
        ("007", "007"),
        ("1234567890", "1234567890"),
        ("", ""),
        ("²", "²"),
        ("1.5", "1.5"),
    ],
)
def test_a_value_is_a_number_only_where_the_way_back_is_the_same(value, raw):
    assert multivision.raw(value) == raw
    assert str(multivision.raw(value)) == value


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        (b"", "short"), (b"\x01LEDRBRIGH01=75", "short"), (b"LEDRBRIGH01=75\r", "short"),
        (b"\x01LEDRBRIGH02=75\r", "address"), (b"\x01LEDRTRIGH01=75\r", "short"), (b"\x01LEDGBRIGH01=?\r", "short"),
        (b"\x01LEDRBRIGH1=75\r", "header"), (b"\x01LEDRBRIGH01=7\x005\r", "header"), (b"\x01\r", "header"),
        (b"\x01LEDRBRIGH01=\xff\r", "noise"), (b"\x01" + b"L" * 5000, "length"),
    ],
)  # fmt: skip
def test_what_is_no_answer(response, fault):
    with pytest.raises(BadAnswer) as told:
        multivision.items(b"\x01LEDGBRIGH01=?\r", response)
    assert told.value.fault == fault


def test_addresses():
    assert multivision.place("10.0.0.7") == ("10.0.0.7", 4010, 1)
    assert multivision.place("screen.lan:4011#02") == ("screen.lan", 4011, 2)
    assert multivision.place("[::1]:9#0") == ("::1", 9, 0)
    for bad in ("", "a b", "a:0", "a:65536", "a#", "a#123", "::1", "a#x", "a:1#1#2", "a\n"):
        with pytest.raises(ValueError, match=r"as in 10\.0\.0\.7:4010"):
            multivision.place(bad)
