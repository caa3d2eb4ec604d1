"""Register words to values and back, for one location of a profile."""

import math
import struct
from collections.abc import Sequence

from device_profiles.schema import Location, Point

# Big-endian within a word (Modbus Application Protocol 1.1b3, section 4.2); the order of words is the profile's.
_FORMATS = {
    "uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i", "float32": ">f",
    "uint64": ">Q", "int64": ">q", "float64": ">d",
}  # fmt: skip
_DIGITS = {"float32": 7, "float64": 15}  # decimal digits that the format holds


class NoValue(ValueError):
    """The words hold no valid value; str() is the quality code."""


def raw(at: Location, words: Sequence[int]) -> int | float | bool:
    """Words (16 bits each, or one coil) -> the raw number, before scale and offset."""
    if at.type == "bool":
        return bool(words[0] >> at.bit & 1) if at.bit is not None else bool(words[0])
    ordered = words if at.word_order == "high_first" else words[::-1]
    number: int | float = struct.unpack(_FORMATS[at.type], b"".join(word.to_bytes(2, "big") for word in ordered))[0]
    return number


def value(point: Point, words: Sequence[int]) -> int | float | bool:
    """Words -> value in the point's unit. Raises NoValue("range") where it is invalid or out of range."""
    assert point.at is not None
    number = raw(point.at, words)
    if isinstance(number, bool):
        return number
    if number in point.invalid or not math.isfinite(number):
        raise NoValue("range")
    scaled = scale(point.at, number)
    if point.range is not None and not point.range[0] <= scaled <= point.range[1]:
        raise NoValue("range")
    return scaled


def scale(at: Location, number: int | float) -> int | float:
    """Raw number -> value, without digits that the device did not send (231.4, not 231.39999389648438)."""
    if at.scale == 1 and at.offset == 0 and isinstance(number, int):
        return number
    digits = _DIGITS.get(at.type, 12)
    return float(f"{number * at.scale + at.offset:.{digits}g}")


def words(at: Location, wanted: float | bool) -> list[int]:
    """Value -> words to write (a bool of a register: the bit alone). Raises ValueError where it does not fit."""
    if at.type == "bool":
        return [int(bool(wanted)) << (at.bit or 0)]
    number: int | float = (wanted - at.offset) / at.scale
    if at.type not in _DIGITS:
        number = round(number)
    try:
        packed = struct.pack(_FORMATS[at.type], number)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{wanted} does not fit a {at.type} (scale {at.scale}, offset {at.offset})") from error
    out = [int.from_bytes(packed[index : index + 2], "big") for index in range(0, len(packed), 2)]
    return out if at.word_order == "high_first" else out[::-1]


def resolution(at: Location) -> float:
    """The smallest step of the value: 1 count for integers; 0 for floats and bits."""
    return 0.0 if at.type in _DIGITS or at.type == "bool" else abs(at.scale)
