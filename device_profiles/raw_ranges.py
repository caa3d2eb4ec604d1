"""Which raw numbers of a register are values: a point IN, ranges from the lowest to the highest OUT.

A raw number is an integer in the order of its values: a whole number as it is, of a float its bits without the sign, or
their negative. Whoever compares these needs no arithmetic, and infinity and what is no number lie outside.
"""

import math
import struct
from collections.abc import Callable, Iterator

from device_profiles import registers
from device_profiles.schema import WORDS, Location, Point
from wire.numbers import EXACT_INTEGER

Range = tuple[int, int]
_FLOATS = {"float32": (">f", 0x7F7FFFFF), "float64": (">d", 0x7FEFFFFFFFFFFFFF)}  # the highest that is finite


def ranges(point: Point) -> list[Range]:
    """What registers.value takes for a value, lowest first."""
    at = point.at
    assert at is not None
    if at.type == "bool":
        return [(0, 1)]
    first, last = domain(at)
    low, high = point.range or (-math.inf, math.inf)
    # beyond these the wire carries nothing
    most = EXACT_INTEGER if at.type not in _FLOATS and at.scale == 1 and at.offset == 0 else math.nextafter(math.inf, 0)
    low, high = max(low, -most), min(high, most)
    if at.scale < 0:
        first, last = (
            _first(lambda raw: value(at, raw) <= high, first, last),
            _first(lambda raw: value(at, raw) < low, first, last) - 1,
        )
    else:
        first, last = (
            _first(lambda raw: value(at, raw) >= low, first, last),
            _first(lambda raw: value(at, raw) > high, first, last) - 1,
        )
    return list(_without(sorted(_raws(at, point.invalid)), first, last))


def domain(at: Location) -> Range:
    """The lowest and the highest raw number."""
    if at.type in _FLOATS:
        most = _FLOATS[at.type][1]
        return -most, most
    bits = 16 * WORDS[at.type]
    return (-1 << bits - 1, (1 << bits - 1) - 1) if at.type.startswith("int") else (0, (1 << bits) - 1)


def value(at: Location, raw: int) -> float:
    """The value of a raw number, whether or not the point allows it."""
    return registers.scale(at, _number(at, raw))


def held(at: Location, raw: int) -> bytes:
    """A raw number as the registers hold it."""
    size = 2 * WORDS[at.type]
    if at.type in _FLOATS and raw < 0:
        raw = 1 << 8 * size - 1 | -raw
    data = (raw % (1 << 8 * size)).to_bytes(size, "big")
    if at.word_order == "high_first":
        return data
    return b"".join(data[index : index + 2] for index in range(size - 2, -1, -2))


def _number(at: Location, raw: int) -> int | float:
    if at.type not in _FLOATS:
        return raw
    form = _FLOATS[at.type][0]
    magnitude: float = struct.unpack(form, abs(raw).to_bytes(struct.calcsize(form), "big"))[0]
    return -magnitude if raw < 0 else magnitude


def _raws(at: Location, numbers: tuple[int, ...]) -> Iterator[int]:
    first, last = domain(at)
    for number in numbers:
        raw = number
        if at.type in _FLOATS:
            raw = int.from_bytes(struct.pack(_FLOATS[at.type][0], abs(number)), "big") * (-1 if number < 0 else 1)
        if first <= raw <= last and _number(at, raw) == number:
            yield raw


def _without(invalid: list[int], first: int, last: int) -> Iterator[Range]:
    for number in invalid:
        if first <= number <= last:
            if first < number:
                yield first, number - 1
            first = number + 1
    if first <= last:
        yield first, last


def _first(holds: Callable[[int], bool], first: int, last: int) -> int:
    """The lowest number for which it holds, as for all above it; last + 1 where there is none."""
    end = last + 1
    while first < end:
        middle = (first + end) // 2
        if holds(middle):
            end = middle
        else:
            first = middle + 1
    return first
