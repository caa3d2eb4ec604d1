import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_profiles import registers
from device_profiles.registers import NoValue
from device_profiles.schema import WORDS, Location, Point

BOUNDS = {
    "uint16": (0, 0xFFFF), "int16": (-0x8000, 0x7FFF), "uint32": (0, 2**32 - 1), "int32": (-(2**31), 2**31 - 1),
    "uint64": (0, 2**64 - 1), "int64": (-(2**63), 2**63 - 1),
}  # fmt: skip
ORDERS = ("high_first", "low_first")


def at(type: str = "uint16", **more: object) -> Location:
    return Location.model_validate({"table": "holding", "address": 0, "type": type, **more})


def point(location: Location, **more: object) -> Point:
    return Point.model_validate({"labels": {"en": "x", "zh": "值"}, "poll": "a", "at": location, **more})


integers = st.sampled_from(sorted(BOUNDS)).flatmap(
    lambda type: st.tuples(st.just(type), st.sampled_from(ORDERS), st.integers(*BOUNDS[type]))
)


@given(integers)
def test_integers_survive_writing_and_reading(case: tuple[str, str, int]) -> None:
    type, order, number = case
    location = at(type, word_order=order)
    words = registers.words(location, number) if abs(number) < 2**53 else list(_words(type, order, number))
    assert len(words) == WORDS[type]
    assert all(0 <= word <= 0xFFFF for word in words)
    read = registers.scale(location, registers.raw(location, words))
    assert read == number
    assert type == "bool" or isinstance(read, int)


def _words(type: str, order: str, number: int) -> tuple[int, ...]:
    """The words by Python's own integer conversion, not by the code under test."""
    size = 2 * WORDS[type]
    raw = number.to_bytes(size, "big", signed=type.startswith("int"))
    words = tuple(int.from_bytes(raw[index : index + 2], "big") for index in range(0, size, 2))
    return words if order == "high_first" else words[::-1]


@given(integers)
def test_words_are_python_s_own(case: tuple[str, str, int]) -> None:
    type, order, number = case
    assert registers.raw(at(type, word_order=order), _words(type, order, number)) == number


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(ORDERS))
def test_float32_survives_within_one_step_and_is_short(number: float, order: str) -> None:
    location = at("float32", word_order=order)
    read = registers.value(point(location), registers.words(location, number))
    below, above = neighbours(number)
    assert below <= read <= above
    assert len(repr(abs(read)).split("e")[0].replace(".", "").strip("0")) <= 9


def neighbours(number: float) -> tuple[float, float]:
    """The float32 before and the one after, by their bit patterns."""
    order = struct.unpack(">i", struct.pack(">f", abs(number)))[0]
    inner = 0.0 if order == 0 else struct.unpack(">f", struct.pack(">i", order - 1))[0]
    outer = struct.unpack(">f", struct.pack(">i", order + 1))[0]
    if order == 0:
        return -outer, outer
    return (inner, outer) if number > 0 else (-outer, -inner)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(ORDERS))
def test_float64_survives(number: float, order: str) -> None:
    location = at("float64", word_order=order)
    assert registers.value(point(location), registers.words(location, number)) == number


SCALES = (0.1, 0.01, 0.001, 10.0, 0.5, 100 / 254, 16 / 32768, -0.1)


@given(
    st.sampled_from(("uint16", "int16", "uint32", "int32")).flatmap(
        lambda type: st.tuples(st.just(type), st.integers(*BOUNDS[type]))
    ),
    st.sampled_from(SCALES),
    st.sampled_from((0.0, -40.0, 273.15)),
)
def test_every_raw_count_survives_scaling(case: tuple[str, int], scale: float, offset: float) -> None:
    type, count = case
    location = at(type, scale=scale, offset=offset)
    words = list(_words(type, "high_first", count))
    read = registers.value(point(location), words)
    assert read == pytest.approx(count * scale + offset, rel=1e-11, abs=1e-9)
    assert registers.words(location, read) == words


@pytest.mark.parametrize(
    ("location", "words", "shown"),
    [
        (at("float32"), [0x4367, 0x6666], "231.4"),
        (at("float32"), [0x4366, 0x3334], "230.2"),
        (at("float32"), [0x462A, 0x7521], "10909.282"),
        (at("float32", word_order="low_first"), [0x6666, 0x4367], "231.4"),
        (at("float32", scale=0.1), [0x4510, 0xA000], "231.4"),
        (at("float32"), [0x7F7F, 0xFFFF], "3.4028235e+38"),
        (at("float32"), [0x0000, 0x0001], "1.4013e-45"),
        (at("float32"), [0x4996, 0xB43F], "1234567.9"),
        (at("float32"), [0x0000, 0x0000], "0.0"),
        (at("int16", scale=0.1), [0xFF33], "-20.5"),
        (at("int16", scale=0.1), [305], "30.5"),
        (at("uint16", scale=0.1, offset=-40), [401], "0.1"),
        (at("uint16", scale="100/254"), [127], "50.0"),
        (at("uint16", scale="100/254"), [254], "100.0"),
        (at("uint64", scale=0.001), [0, 0x7048, 0x860D, 0xDF79], "123456789012.345"),
        (at("uint32"), [0x0001, 0x86A0], "100000"),
        (at("uint16"), [7], "7"),
    ],
)
def test_a_value_has_no_digits_that_the_device_did_not_send(location: Location, words: list[int], shown: str) -> None:
    assert repr(registers.value(point(location), words)) == shown


@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFC00000, 0x7F800000, 0xFF800000, 0x7F800001])
def test_a_float_that_is_no_number_has_no_value(bits: int) -> None:
    with pytest.raises(NoValue, match="range"):
        registers.value(point(at("float32")), [bits >> 16, bits & 0xFFFF])


def test_the_maker_s_code_for_no_value() -> None:
    sensor = point(at("uint16", scale=0.1), invalid=[0xFFFF, 0x8000])
    for raw in (0xFFFF, 0x8000):
        with pytest.raises(NoValue, match="range"):
            registers.value(sensor, [raw])
    assert registers.value(sensor, [0xFFFE]) == 6553.4


def test_invalid_is_compared_with_the_raw_number_not_the_value() -> None:
    sensor = point(at("uint16", scale=0.1), invalid=[100])
    assert registers.value(sensor, [1000]) == 100
    with pytest.raises(NoValue):
        registers.value(sensor, [100])


@pytest.mark.parametrize(("raw", "inside"), [(-401, False), (-400, True), (850, True), (851, False)])
def test_the_ends_of_the_range_are_inside(raw: int, inside: bool) -> None:
    sensor = point(at("int16", scale=0.1), range=(-40, 85))
    words = [raw & 0xFFFF]
    if inside:
        assert registers.value(sensor, words) == raw / 10
    else:
        with pytest.raises(NoValue, match="range"):
            registers.value(sensor, words)


@given(st.integers(0, 0xFFFF), st.integers(0, 15))
def test_a_bit_of_a_register(word: int, bit: int) -> None:
    flag = point(at("bool", bit=bit))
    assert registers.value(flag, [word]) is (f"{word:016b}"[15 - bit] == "1")


@pytest.mark.parametrize("table", ["coil", "discrete"])
def test_a_coil_is_a_bool(table: str) -> None:
    flag = point(Location.model_validate({"table": table, "address": 0}))
    assert registers.value(flag, [1]) is True
    assert registers.value(flag, [0]) is False


def test_writing_a_bool() -> None:
    assert registers.words(Location(table="coil", address=0), True) == [1]
    assert registers.words(Location(table="coil", address=0), 0) == [0]
    assert registers.words(at("bool", bit=9), True) == [1 << 9]


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        (at("uint16"), 65536), (at("uint16"), -1), (at("int16"), 32768), (at("uint32"), 2**32), (at("int64"), 2**63),
        (at("uint16", scale=0.1), 6553.6), (at("float32"), 1e39), (at("float32"), math.inf), (at("uint16"), math.inf),
        (at("uint16"), math.nan), (at("float64"), math.nan),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(location: Location, wanted: float) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        registers.words(location, wanted)


@given(st.floats(0, 100))
def test_a_written_level_is_read_back_within_half_a_step(percent: float) -> None:
    location = at("uint16", scale="100/254")
    read = registers.value(point(location), registers.words(location, percent))
    assert abs(read - percent) <= registers.resolution(location) / 2 + 1e-9


def test_resolution() -> None:
    assert registers.resolution(at("uint16", scale=-0.1)) == 0.1
    assert registers.resolution(at("float32")) == 0
    assert registers.resolution(Location(table="coil", address=0)) == 0


@given(integers)
def test_pymodbus_reads_the_same_number(case: tuple[str, str, int]) -> None:
    from pymodbus.client.mixin import ModbusClientMixin

    type, order, number = case
    kind = getattr(ModbusClientMixin.DATATYPE, type.upper())
    words = list(_words(type, order, number))
    theirs = ModbusClientMixin.convert_from_registers(
        words, kind, word_order="big" if order == "high_first" else "little"
    )
    assert registers.raw(at(type, word_order=order), words) == theirs


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (at("uint64"), [0x20, 0, 0, 0]), (at("int64"), [0xFFDF, 0xFFFF, 0xFFFF, 0xFFFF]),
        (at("float64", scale=10), [0x7FEF, 0xFFFF, 0xFFFF, 0xFFFF]),
    ],
)  # fmt: skip
def test_what_the_wire_does_not_carry_is_no_value(location: Location, words: list[int]) -> None:
    with pytest.raises(registers.NoValue, match="range"):
        registers.value(point(location), words)
