"""Register words to values and back, for one location of a profile."""

import math
import struct
from collections.abc import Sequence

from device_profiles.schema import Location, Point
from wire.numbers import is_number

# Big-endian within a word (Modbus Application Protocol 1.1b3, section 4.2); the order of words is the profile's.
_NUMBERS = {
    kind: struct.Struct(code)
    for kind, code in {
        "uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i", "float32": ">f",
        "uint64": ">Q", "int64": ">q", "float64": ">d",
    }.items()
}  # fmt: skip
_WORDS = {count: struct.Struct(f">{count}H") for count in (1, 2, 4)}
_FLOATS = ("float32", "float64")
# Decimal digits that are kept after scaling: more than the raw number has, fewer than a double's rounding error shows.
_DIGITS = {"uint64": 15, "int64": 15, "float64": 15}
_OTHER_DIGITS = 12
_SHORTEST = ("%.6g", "%.7g", "%.8g", "%.9g")  # a float32 is told by 6 to 9 decimal digits


class NoValue(ValueError):
    """The words hold no valid value; str() is the quality code."""


def raw(at: Location, words: Sequence[int]) -> int | float | bool:
    """Words (16 bits each, or one coil) -> the raw number, before scale and offset."""
    if at.type == "bool":
        return bool(words[0] >> at.bit & 1) if at.bit is not None else bool(words[0])
    ordered = words if at.word_order == "high_first" else words[::-1]
    number: int | float = _NUMBERS[at.type].unpack(_WORDS[len(ordered)].pack(*ordered))[0]
    return number


def value(point: Point, words: Sequence[int]) -> int | float | bool:
    """Words -> value in the point's unit. Raises NoValue("range") where it is invalid or out of range."""
    assert point.at is not None
    number = raw(point.at, words)
    if isinstance(number, bool):
        return number
    return judged(point, number, scale(point.at, number))


def judged(point: Point, number: int | float, scaled: int | float) -> int | float:
    """The value, unless the raw number says that there is none or the value is out of range: then raises NoValue."""
    if number in point.invalid or not is_number(scaled):  # what the wire does not carry is no value
        raise NoValue("range")
    if point.range is not None and not point.range[0] <= scaled <= point.range[1]:
        raise NoValue("range")
    return scaled


def scale(at: Location, number: int | float) -> int | float:
    """Raw number -> value, without digits that the device did not send (231.4, not 231.39999389648438)."""
    if not math.isfinite(number):
        return number
    if at.type == "float32":
        number = _shortest(number)
    if at.scale == 1 and at.offset == 0:
        return number
    return shortened(number * at.scale + at.offset, _DIGITS.get(at.type, _OTHER_DIGITS))


def shortened(number: float, digits: int = _OTHER_DIGITS) -> float:
    """Without the digits that come from computing with floats."""
    return float("%.*g" % (digits, number))  # noqa: UP031 (a quarter faster than a format string, and this is hot)


def _shortest(number: float) -> float:
    """The number with the fewest decimal digits less than one step of a float32 away; no meter computes finer."""
    mantissa, exponent = math.frexp(abs(number))
    # Below a power of two the steps are half as wide.
    step = math.ldexp(1, max(exponent - 24 - (mantissa == 0.5), -149))
    for digits in _SHORTEST:
        decimal = float(digits % number)
        if abs(decimal - number) < step:
            break
    return decimal


def words(at: Location, wanted: float | bool) -> list[int]:
    """Value -> words to write (a bool of a register: the bit alone). Raises ValueError where it does not fit.

    An integer type takes the nearest count; what is read back may differ from the value by half of `resolution`.
    """
    if at.type == "bool":
        return [int(bool(wanted)) << (at.bit or 0)]
    number: int | float = (wanted - at.offset) / at.scale
    try:
        if not math.isfinite(number):
            raise OverflowError
        packed = _NUMBERS[at.type].pack(number if at.type in _FLOATS else round(number))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{wanted} does not fit a {at.type} (scale {at.scale}, offset {at.offset})") from error
    out = [int.from_bytes(packed[index : index + 2], "big") for index in range(0, len(packed), 2)]
    return out if at.word_order == "high_first" else out[::-1]


def resolution(at: Location) -> float:
    """The smallest step of the value: 1 count for integers; 0 for floats and bits."""
    return 0.0 if at.type in _FLOATS or at.type == "bool" else abs(at.scale)
