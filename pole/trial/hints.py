"""What looks wrong with a value, and how else its words can be read: other word order, sign, scale, place."""

import math
from collections.abc import Iterator, Mapping, Sequence

from device_profiles import registers
from device_profiles.blocks import address
from device_profiles.registers import NoValue
from device_profiles.schema import WORDS, Location, Point

MOST = 2  # other readings that are shown
TINY, HUGE = 1e-6, 1e9  # no quantity of a pole is nearer to 0, or so large
FAR, NEAR = 30.0, 3.0  # times the usual value
OF_RANGE = 1e-7  # finer than any device resolves its own range
_OTHER_ORDER = {"high_first": "low_first", "low_first": "high_first"}
_OTHER_TYPES = {
    "uint16": ("int16",), "int16": ("uint16",), "uint32": ("int32", "float32"), "int32": ("uint32", "float32"),
    "float32": ("uint32", "int32"), "uint64": ("int64", "float64"), "int64": ("uint64", "float64"),
    "float64": ("uint64",),
}  # fmt: skip
SCALES = (0.1, 0.01, 0.001, 10.0, 100.0, 1000.0)
# What makers answer for a quantity that is not there or not measured.
_MARKS = {0xFFFF: "0xFFFF", 0x7FFF: "0x7FFF", 0x8000: "0x8000"}

Image = Mapping[tuple[str, int], int]
Other = tuple[str, Location, Sequence[int]]  # another reading: what would stand in `at`


def hints(point: Point, words: Sequence[int], image: Image, channel: int = 0) -> tuple[str, ...]:
    """Sentences, none where the value looks right. image: all words of the round, for a value that stands beside."""
    at = point.at
    if at is None or at.type == "bool":
        return ()
    number = registers.raw(at, words)
    doubt = _doubt(point, at, words, number)
    if doubt and number in point.invalid:
        return (doubt,)
    if doubt:
        return (doubt, *_told(point, _others(at, words, image, channel)))
    return _unusual(point, registers.scale(at, number), _others(at, words, image, channel, scales=()))


def _unusual(point: Point, value: float, others: Iterator[Other]) -> tuple[str, ...]:
    """A value that could be true, but is far from the usual one, while another reading of the words is near it."""
    usual = point.emulate.around if point.emulate is not None and not point.emulate.grow else 0.0
    if usual == 0 or 1 / FAR < value / usual < FAR:
        return ()
    near = _told(point, (other for other in others if _is_near(point, usual, other)))
    return (f"far from the usual {usual:g}", *near) if near else ()


def _is_near(point: Point, usual: float, other: Other) -> bool:
    value = _plausible(point, other[1], other[2])
    return value is not None and 1 / NEAR < value / usual < NEAR


def _doubt(point: Point, at: Location, words: Sequence[int], number: float) -> str:
    """Why the value is suspicious, in a few words; empty where it is not."""
    if number in point.invalid:
        return "the maker's sign for no value"
    if len(set(words)) == 1 and words[0] in _MARKS:
        return f"{_MARKS[words[0]]}: often no value; then list it under invalid"
    if not math.isfinite(number):
        return "not a number"
    value = registers.scale(at, number)
    if point.range is not None and not point.range[0] <= value <= point.range[1]:
        return f"out of range [{point.range[0]:g}, {point.range[1]:g}]"
    if at.type.startswith("float") and value != 0 and not _least(point) < abs(value) < HUGE:
        return "no plausible number"
    if WORDS[at.type] == 2 and not at.type.startswith("float") and number and not int(number) & 0xFFFF:
        return "the low word is 0"
    return ""


def _least(point: Point) -> float:
    """What is nearer to 0 is no reading of this quantity."""
    return max(TINY, OF_RANGE * (point.range[1] - point.range[0])) if point.range is not None else TINY


def _told(point: Point, others: Iterator[Other]) -> list[str]:
    """Other readings that would be in range, the likeliest first; those of the same value once."""
    found: dict[float, str] = {}
    for how, other, read in others:
        value = _plausible(point, other, read)
        if value is not None:
            found.setdefault(value, how)
    return [f"{how}: {value:.7g}{f' {point.unit}' if point.unit else ''}" for value, how in list(found.items())[:MOST]]


def _others(
    at: Location, words: Sequence[int], image: Image, channel: int, scales: Sequence[float] = SCALES
) -> Iterator[Other]:
    if WORDS[at.type] > 1:
        order = _OTHER_ORDER[at.word_order]
        yield f"word_order: {order}", at.model_copy(update={"word_order": order}), words
    for step in (1, -1):
        first = address(at, channel) + step
        beside = [image.get((at.table, first + index)) for index in range(WORDS[at.type])]
        if WORDS[at.type] > 1 and all(word is not None for word in beside):
            yield f"address: {first}", at, [word for word in beside if word is not None]
    for kind in _OTHER_TYPES[at.type]:
        yield f"type: {kind}", at.model_copy(update={"type": kind}), words
        if WORDS[kind] > 1:
            order = _OTHER_ORDER[at.word_order]
            yield f"type: {kind}, word_order: {order}", at.model_copy(update={"type": kind, "word_order": order}), words
    for times in scales:
        scaled = registers.shortened(at.scale * times)
        yield f"scale: {scaled:g}", at.model_copy(update={"scale": scaled}), words


def _plausible(point: Point, at: Location, words: Sequence[int]) -> float | None:
    """The value, where it is one that could be true; without a range that is a number of common size."""
    number = registers.raw(at, words)
    if not math.isfinite(number) or number == 0 or number in point.invalid:
        return None
    try:
        value = registers.judged(point, number, registers.scale(at, number))
    except NoValue:
        return None
    return value if _least(point) < abs(value) < HUGE and (point.range is not None or abs(value) < 1e6) else None
