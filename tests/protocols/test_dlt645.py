"""Foreign frames: as published in others' working code and write-ups (the source beside each)."""

import os
import random

import pytest

from protocols import dlt645
from protocols.errors import BadAnswer, DeviceError, Refused, Timeout

COUNT = int(os.environ.get("MUTATIONS", "20000"))
METER = "000000000161"

# A session with one meter, as "DLT645-2007 常见报文解析" (hwhale.com/article/138066) shows it; the same frames stand in
# a Java parser's test. Request, answer, item, raw value.
SESSION = [
    ("33 33 34 33 14", "91 08 33 33 34 33 59 33 33 33 8A", "00010000", 26),
    ("33 34 34 35 17", "91 06 33 34 34 35 34 43 10", "02010100", 1001),
    ("33 34 35 35 18", "91 07 33 34 35 35 CC 7C 33 16", "02020100", 4999),
    ("33 33 36 35 18", "91 07 33 33 36 35 45 58 33 6B", "02030000", 2512),
    ("33 33 37 35 19", "91 07 33 33 37 35 64 76 33 A9", "02040000", 4331),
    ("33 33 38 35 1A", "91 07 33 33 38 35 39 83 33 8C", "02050000", 5006),
    ("33 33 39 35 1B", "91 06 33 33 39 35 34 38 09", "02060000", 501),
]
# One frame each from other meters: whole frame, item, what it says.
OTHERS = [
    # quoted beside a DDSU666; a single-phase meter that answers the block of all phases
    ("68 60 64 02 09 22 04 68 91 0A 33 32 34 35 47 56 33 33 33 33 97 16", "0201FF00",
     {"02010100": 2314, "02010200": 0, "02010300": 0}),
    # comments of an STM32 project that reads its meter, 181226034194
    ("FE FE FE FE 68 94 41 03 26 12 18 68 91 0A 33 32 34 35 36 56 33 33 33 33 B9 16", "0201FF00",
     {"02010100": 2303, "02010200": 0, "02010300": 0}),
    ("FE FE FE FE 68 94 41 03 26 12 18 68 91 0D 33 32 35 35 BB 34 33 33 33 33 33 33 33 B9 16", "0202FF00",
     {"02020100": 188, "02020200": 0, "02020300": 0}),
    # hootrhino/rhilex, its codec test
    ("68 45 92 66 23 00 10 68 91 06 33 34 34 35 66 55 62 16", "02010100", {"02010100": 2233}),
    # a Java decoder's test; the meter's combined energy and voltage
    ("FE FE FE FE 68 66 00 00 02 30 22 68 91 08 33 33 33 33 B4 54 33 33 5D 16", "00000000", {"00000000": 2181}),
    ("FE FE FE FE 68 66 00 00 02 30 22 68 91 06 33 34 34 35 83 56 CA 16", "02010100", {"02010100": 2350}),
    # a serial server's log: its own bytes before the wake-up
    ("D8 B0 4C BD D1 47 FE FE FE FE 68 84 53 66 16 05 17 68 91 06 33 34 34 35 49 55 44 16", "02010100",
     {"02010100": 2216}),
    # an Android tool's test: a power factor of -1.000, so the highest bit is a sign
    ("68 59 50 82 12 34 00 68 91 06 33 33 39 35 33 c3 a2 16", "02060000", {"02060000": -1000}),
]  # fmt: skip
REFUSAL = "68 37 03 00 92 81 39 68 D1 01 35 5D 16"  # comment of a Java driver: "no such data"


def framed(rest, address="61 01 00 00 00 00"):
    return bytes.fromhex(f"68 {address} 68 {rest} 16")


@pytest.mark.parametrize(("request_end", "answer", "item", "raw"), SESSION, ids=[row[2] for row in SESSION])
def test_a_published_session(request_end, answer, item, raw):
    request = framed("11 04 " + request_end)
    assert dlt645.read(METER, item) == request
    assert dlt645.items(dlt645.WAKE + request, framed(answer)) == {item: raw}


@pytest.mark.parametrize(("answer", "item", "says"), OTHERS)
def test_published_answers_of_other_meters(answer, item, says):
    response = bytes.fromhex(answer)
    (frame,) = dlt645.frames(response)
    assert dlt645.items(dlt645.read(frame.address, item), response) == says
    assert dlt645.items(dlt645.read(dlt645.ANYBODY, item), response) == says


def test_a_published_answer_to_who_is_there():
    assert dlt645.encode(dlt645.ANYBODY, dlt645.READ_ADDRESS) == bytes.fromhex("68 AA AA AA AA AA AA 68 13 00 DF 16")
    answer = bytes.fromhex("FE FE FE FE 68 94 41 03 26 12 18 68 93 06 C7 74 36 59 45 4B EB 16")
    assert dlt645.address_in(answer) == "181226034194"
    assert dlt645.address_in(answer[:-1]) is None


def test_a_refusal_tells_its_reason():
    said = dlt645.items(dlt645.read("398192000337", "02030000"), bytes.fromhex(REFUSAL))["02030000"]
    assert isinstance(said, Refused)
    assert (said.code, said.quality, "no such data" in str(said)) == (2, "exception-2", True)


def test_follow_up_frames_are_refused():
    answer = dlt645.encode(METER, 0xB1, bytes.fromhex("0000010026000000"))
    said = dlt645.items(dlt645.read(METER, "00010000"), answer)["00010000"]
    assert isinstance(said, Refused)
    assert said.quality == "disabled"


def test_digits_that_are_none_have_the_quality_range():
    answer = dlt645.encode(METER, 0x91, bytes.fromhex("00ff0102" + "1423" + "ffff" + "0a00"))
    said = dlt645.items(dlt645.read(METER, "0201FF00"), answer)
    assert said["02010100"] == 2314
    assert [said[item].quality for item in ("02010200", "02010300")] == ["range", "range"]


@pytest.mark.parametrize(
    ("item", "raw", "wire"),
    [
        ("02030000", -12_345, "452381"),
        ("02030000", 799_999, "999979"),
        ("02020100", -799_999, "9999f9"),
        ("02060000", -501, "0185"),
        ("02010100", 9999, "9999"),
        ("00010000", 99_999_999, "99999999"),
        ("00000000", -100, "00010080"),
        ("02800002", 5001, "0150"),
    ],
)
def test_numbers_there_and_back(item, raw, wire):
    assert dlt645.bcd(raw, item).hex() == wire
    assert dlt645.number(bytes.fromhex(wire), item) == raw


@pytest.mark.parametrize(
    ("item", "raw"),
    [("02010100", -1), ("02010100", 10_000), ("02030000", 800_000), ("02060000", -8000), ("09000000", 1)],
)
def test_numbers_that_do_not_fit(item, raw):
    with pytest.raises(ValueError, match=item):
        dlt645.bcd(raw, item)


@pytest.mark.parametrize("address", ["", "161", "00000000016X", "0000000001610"])
def test_addresses_that_are_none(address):
    with pytest.raises(ValueError, match="no frame"):
        dlt645.read(address, "02010100")


def test_truncation_at_every_byte_is_no_answer():
    request, answer = dlt645.read(METER, "02010100"), framed(SESSION[1][1])
    for end in range(len(answer)):
        with pytest.raises(BadAnswer):
            dlt645.items(request, answer[:end])


def test_every_single_wrong_byte_is_noticed():
    request, answer = dlt645.read(METER, "02010100"), framed(SESSION[1][1])
    for at in range(len(answer)):
        wrong = answer[:at] + bytes([answer[at] ^ 0x10]) + answer[at + 1 :]
        with pytest.raises(BadAnswer):
            dlt645.items(request, wrong)


def explained(text):
    return dlt645.explain(bytes.fromhex(text), METER, "02010100")


def test_why_there_is_no_answer():
    request = dlt645.read(METER, "02010100").hex()
    assert isinstance(explained(""), Timeout)
    assert isinstance(explained("fefefefe" + request), Timeout), "an echo is no noise"
    faults = {
        "deadbeef": "noise",
        dlt645.encode("000000000162", 0x91, bytes.fromhex("000101020123")).hex(): "address",
        dlt645.encode(METER, 0x91, bytes.fromhex("000201020123")).hex(): "late",
        framed("91 06 33 34 34 35 34 43 11").hex(): "crc",
        framed("91 06 33 34 34 35 34 43 10")[:-3].hex(): "short",
        framed("91 C0 33 34 34 35 34 43 10").hex(): "short",  # a length that lies
    }
    assert {text: explained(text).fault for text in faults} == faults


def test_an_answer_stands_out_from_what_is_around_it():
    answer = framed(SESSION[1][1])
    lying = bytes.fromhex("68 00 00 00 00 00 00 68 91 C8")
    other = dlt645.encode("000000000007", 0x91, bytes.fromhex("000101020123"))
    request = dlt645.read(METER, "02010100")
    assert dlt645.items(request, lying + other + b"\x68\x68" + request + answer + b"\xff") == {"02010100": 1001}


def mutated(chance):
    """A request and an answer, the answer changed in one to three ways."""
    item = chance.choice([row[2] for row in SESSION] + ["0201FF00", "0202FF00", "0203FF00", "0001FF00", "04000404"])
    size = chance.choice([2, 3, 4, 6, 12, 16])
    body = bytes.fromhex(item)[::-1] + bytes(chance.choice([0, 0x99, chance.randrange(256)]) for _ in range(size))
    data = bytearray(dlt645.encode(METER, chance.choice([0x91, 0x91, 0xB1, 0xD1, 0x11, chance.randrange(256)]), body))
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(len(data) + 1)
        way = chance.randrange(5)
        if way == 0:
            del data[at:]
        elif way == 1 and at < len(data):
            data[at] = chance.choice([0x68, 0x16, 0xFE, 0, 0xFF, chance.randrange(256)])
        elif way == 2:
            data[at:at] = chance.choice([b"\xfe\xfe", b"\x68", bytes(data[:at]), chance.randbytes(5)])
        elif way == 3 and len(data) > 9:
            data[9] = chance.randrange(256)
        elif len(data) > 2:
            data[-2] = sum(data[:-2]) & 0xFF  # a check sum that is right again
        if not data:
            data = bytearray(b"\x68")
    return dlt645.read(chance.choice([METER, dlt645.ANYBODY]), item), bytes(data)


def test_mutated_answers_are_read_or_refused_and_nothing_else():
    chance = random.Random(645)
    read = refused = 0
    for _ in range(COUNT):
        request, response = mutated(chance)
        try:
            said = dlt645.items(request, response)
        except BadAnswer:
            refused += 1
        else:
            read += 1
            assert said
            assert all(isinstance(raw, (int, DeviceError)) for raw in said.values())
        assert isinstance(dlt645.explain(response, METER, "02010100"), DeviceError)
    assert read > COUNT / 10
    assert refused > COUNT / 10
    print(f"{COUNT} mutations: {read} read, {refused} refused")


def test_random_bytes_are_no_exchange():
    chance = random.Random(2007)
    for _ in range(COUNT // 10):
        with pytest.raises(BadAnswer):
            dlt645.items(chance.randbytes(chance.randrange(40)), chance.randbytes(chance.randrange(60)))
