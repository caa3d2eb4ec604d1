"""The same registers are the same value on a controller as on a gateway, whatever interpreter it has.

WORDS_PER_POINT in the environment raises how many are tried of each point (60).
"""

import json
import math
import os
import random
import struct

import pytest

from device_profiles import compact, loader, registers
from device_profiles.blocks import address
from device_profiles.bus_time import Line
from device_profiles.exchange import image
from device_profiles.raw_ranges import domain, held, ranges
from device_profiles.schema import WORDS, Profile
from device_profiles.site_model import Device

COUNT = int(os.environ.get("WORDS_PER_POINT", "60"))
LINE = Line(baud=9600)
TYPES = ("uint16", "int16", "uint32", "int32", "float32", "uint64", "int64", "float64")
SCALES = (1, -1, 0.1, 0.001, "100/254", 0.0047884033203125, 1e-5, 1000, 22.5, -0.3937007874015748, 1e-12, 3e30)
OFFSETS = (0, -40, 273.15, 1e9, -1e-7)


def modbus_profiles():
    return {name: each for name, each in loader.profiles().items() if each.protocol == "modbus"}


def point(location, **more):
    return {"labels": {"en": "x", "zh": "某"}, "at": {"table": "holding", **location}, "poll": "all", **more}


def made_up():
    """Every type with every kind of scale and offset, in both word orders."""
    random.seed(7)
    for number, kind in enumerate(TYPES):
        points = {}
        for index, scale in enumerate(SCALES):
            where = {"address": 10 * index, "type": kind, "scale": scale, "offset": OFFSETS[index % len(OFFSETS)]}
            more = {"word_order": "low_first"} if index % 2 else {}
            points[f"p{index}"] = point({**where, **more}, **({"range": [-1e6, 1e6]} if index % 3 == 0 else {}))
        points["plain"] = point({"address": 200, "type": kind}, invalid=[0, 7, 65535, -1])
        points["negative_zero"] = point({"address": 210, "type": kind, "scale": -0.5}, invalid=[-3])
        yield f"made-up-{number}", Profile.model_validate(
            {
                "profile": f"made-up-{number}", "version": 1, "function": "air", "maker": "none", "model": "none",
                "labels": {"en": "x", "zh": "某"}, "source": "made up for these tests", "verified": "bench",
                "protocol": "modbus", "modbus": {}, "polls": {"all": {"every": "10s"}}, "points": points,
            }
        )  # fmt: skip


def golden_words(profile, at):
    for request, response in loader.golden(profile.profile).exchanges if profile.maker != "none" else ():
        framing = loader.golden(profile.profile).framing
        words = image(bytes.fromhex(request), bytes.fromhex(response), framing)
        places = [(at.table, address(at) + index) for index in range(WORDS[at.type])]
        if all(place in words for place in places):
            yield b"".join(words[place].to_bytes(2, "big") for place in places)


def edges(point):
    """Raw numbers at which something changes, as registers hold them."""
    at = point.at
    numbers = {*domain(at), 0, 1, -1, 2, 10, 100, 1000, 1 << 53, 1 << 23, 1 << 24, 0x7F7FFFFF, 0x3F800000}
    numbers |= {bound + step for each in ranges(point) for bound in each for step in (-1, 0, 1)}
    low, high = domain(at)
    return [held(at, number) for number in sorted(numbers) if low <= number <= high]


def floats(at):
    """Subnormal numbers, powers of two and their neighbours, what is no number."""
    form, bits, exponents = (">I", 23, 255) if at.type == "float32" else (">Q", 52, 2047)
    for sign in (0, 1):
        for exponent in {
            0,
            1,
            exponents // 2,
            exponents // 2 + 7,
            exponents - 1,
            exponents,
            random.randrange(exponents),
        }:
            for mantissa in {0, 1, (1 << bits) - 1, random.getrandbits(bits)}:
                number = struct.pack(form, (sign * (exponents + 1) + exponent) << bits | mantissa)
                yield number if at.word_order == "high_first" else turned(number)


def turned(data):
    return b"".join(data[index : index + 2] for index in range(len(data) - 2, -1, -2))


def tries(profile, point):
    """What registers may hold for this point."""
    at = point.at
    if at.type == "bool":
        return [bytes((value,)) for value in (0, 255, 1, 128, 0x55, 0xAA)]
    found = [*golden_words(profile, at), *edges(point)]
    if at.type.startswith("float"):
        found += floats(at)
    if at.type == "float32":  # what a meter sends, and what computes to it
        found += [struct.pack(">f", random.uniform(-1, 1) * 10 ** random.randint(-3, 7)) for _ in range(COUNT // 4)]
        found += [struct.pack(">f", round(random.uniform(-400, 400), 2)) for _ in range(COUNT // 4)]
    size = 2 * WORDS[at.type]
    return found + [random.randbytes(size) for _ in range(max(10, COUNT - len(found)))]


def told(point, data, bit):
    """What a gateway tells: a value, or a quality."""
    if point.at.type == "bool":
        return bool(data[0] >> bit & 1)
    words = struct.unpack(f">{len(data) // 2}H", data)
    try:
        return registers.value(point, words)
    except registers.NoValue as quality:
        return str(quality)


def decoded(text):
    ((key, value),) = json.loads("{" + text + "}").items()
    return value if key != "v" else float(value)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """plan.bin, a file of tries, and what each is."""
    folder = tmp_path_factory.mktemp("values")
    random.seed(20261121)
    profiles = modbus_profiles() | dict(made_up())
    devices = [Device(pole="P1", device="d", profile=name, bus=name, unit=1) for name in profiles]
    plan = compact.plan(dict.fromkeys(profiles, LINE), devices, profiles)
    (folder / "plan.bin").write_bytes(plan)
    expected = []
    with (folder / "words").open("w") as words:
        for device in devices:
            profile = profiles[device.profile]
            for where, length, at, name, bit in points(plan, device.bus):
                for data in tries(profile, profile.points[name]):
                    words.write(f"{where} {length} {at} {data.hex()}\n")
                    expected.append((device.bus, name, data.hex(), told(profile.points[name], data, bit)))
    assert len({name for name, *_ in expected}) >= 40
    return folder, expected


def points(plan, bus):
    """(where its block is, the block's length, where it is in there, name, bit) of each point of a bus."""
    at = 2
    while True:
        size, length = struct.unpack_from("<HB", plan, at)
        at += 3 + length
        if plan[at - length : at].decode() == bus:
            break
        at += size
    for place in range(at + 8, at + 8 + 6 * plan[at + 3], 6):
        start, _, _, end = struct.unpack_from("<HHHH", plan, place + 2)
        point = at + start + 17
        while point < at + end:
            name = plan[point + plan[point + 5] : point + plan[point + 6]].decode()
            yield at + start, end - start, point - at - start, name, plan[point + 4]
            point += plan[point]


def test_the_same_registers_are_the_same_value(interpreter, cases, tmp_path):
    folder, expected = cases
    out = tmp_path / "out"
    interpreter.run(
        "plan_values", timeout=120 + COUNT, plan=str(folder / "plan.bin"), words=str(folder / "words"), out=str(out)
    )
    texts = out.read_text().splitlines()
    assert len(texts) == len(expected)
    wrong = [
        (*case, text) for case, text in zip(expected, texts, strict=True)
        if (value := decoded(text)) != case[3] or isinstance(value, bool) != isinstance(case[3], bool)
    ]  # fmt: skip
    assert wrong == [], f"{len(wrong)} of {len(texts)}"
    assert sum(isinstance(case[3], str) for case in expected) > 100, "some have no value"
    assert sum(not isinstance(case[3], str | bool) and math.isfinite(case[3]) for case in expected) > 5000
