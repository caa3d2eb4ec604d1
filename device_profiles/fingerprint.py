"""Which profile a Modbus device fits: what it answered IN, candidates with their reasons OUT. Nothing is asked here.

The evidence of a profile is counted in bits. A block that answers where the device refuses a place that nobody uses is
STRUCTURE bits, or COMMON where most makers put registers; a value in its range is as many bits as it is unlikely by
chance, VALUE at most, because small numbers are common; zeros say nothing; a value that cannot be costs CONTRADICTION
bits. Against all profiles stands an unknown device with UNKNOWN bits: a few plausible registers are no strong claim.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from device_profiles import registers
from device_profiles.blocks import address, blocks
from device_profiles.bus_time import Line
from device_profiles.registers import NoValue
from device_profiles.schema import WORDS, Point, Profile

CONTROL = (("holding", 0xBEEF), ("input", 0xBEEF))  # places that no device we know has
STRUCTURE, STRUCTURES_MOST = 3.0, 4
COMMON, COMMON_BELOW = 1.0, 100  # addresses
VALUE = 3.0
CONTRADICTION = 6.0
UNKNOWN = 10.0
FACTORY = 1.0
TIE = 3.0  # bits between two profiles that nobody should decide by
STRONG, FAIR = 0.9, 0.5
SHOWN = 0.02  # the least confidence that is told
_FLOAT_LEAST = 1e-6  # no quantity of a pole is nearer to 0

Place = tuple[str, int]


class Read(NamedTuple):
    """One request for `size` registers or bits."""

    table: str
    address: int
    size: int

    @property
    def places(self) -> list[Place]:
        return [(self.table, self.address + index) for index in range(self.size)]


@dataclass(kw_only=True)
class Seen:
    """What one unit answered. refused: what it did not, and why (`exception 2`, `no answer`)."""

    line: Line | None = None
    words: dict[Place, int] = field(default_factory=dict)
    refused: dict[Read, str] = field(default_factory=dict)

    @property
    def answers_anything(self) -> bool:
        """Even where no device has a register: that it answers says nothing then."""
        return any(place in self.words for place in CONTROL)

    def has(self, read: Read) -> bool:
        return all(place in self.words for place in read.places)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """confidence: 0 to 1, beside all other profiles and an unknown device. reasons: a few words each."""

    profile: str
    bits: float
    confidence: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """candidates: likeliest first. ties: how many of them, from the first on, the evidence does not tell apart."""

    candidates: tuple[Candidate, ...]
    ties: int
    same: bool  # those that tie stand on the same registers

    @property
    def confidence(self) -> float:
        """That it is one of those that tie, 0 to 1."""
        return sum(each.confidence for each in self.candidates[: self.ties])

    @property
    def label(self) -> str:
        """The same in a word."""
        return "strong" if self.confidence >= STRONG else "fair" if self.confidence >= FAIR else "weak"

    def sentence(self) -> str:
        """`xy-md03 (strong: …)`, `a or b: same registers`, or that none fits."""
        if not self.candidates:
            return "no profile fits"
        best = self.candidates[0]
        names = " or ".join(each.profile for each in self.candidates[: self.ties])
        tied = f", {'same registers' if self.same else 'the values do not decide'}" if self.ties > 1 else ""
        return f"{names} ({self.label}{tied}: {'; '.join(best.reasons)})"


def first(profile: Profile) -> Read:
    """The read that a device of this profile cannot refuse: its first point alone."""
    return _read_of(next(iter(profile.points.values())))


def reads(profile: Profile) -> list[Read]:
    """All its blocks, as the gateway reads them."""
    return [
        Read(block.table, block.address, block.count) for group in profile.polls for block in blocks(profile, group)
    ]


def singles(profile: Profile, block: Read) -> list[Read]:
    """The points of a block, one by one: for a device that refuses the holes between them."""
    inside = set(block.places)
    alone = (_read_of(point) for point in profile.points.values())
    return list(dict.fromkeys(read for read in alone if inside.issuperset(read.places)))


def is_ruled_out(profile: Profile, wrong: int) -> bool:
    """With so many points refused, or with a value that cannot be."""
    return 2 * wrong >= len(profile.points)


def rank(profiles: Mapping[str, Profile], seen: Seen) -> Verdict:
    """Modbus profiles that fit what was seen."""
    marks = {name: mark for name, profile in profiles.items() if (mark := _mark(profile, seen)) is not None}
    if not marks:
        return Verdict(candidates=(), ties=0, same=False)
    best = max(marks, key=lambda name: marks[name].bits)
    tied = {name for name in marks if _ties(profiles, marks, name, best)}
    total = 2**UNKNOWN + sum(2**mark.bits for mark in marks.values())
    candidates = [
        Candidate(profile=name, bits=mark.bits, confidence=2**mark.bits / total, reasons=mark.reasons)
        for name, mark in sorted(marks.items(), key=lambda entry: (entry[0] not in tied, -entry[1].bits, entry[0]))
    ]
    kept = [each for each in candidates if each.profile in tied or each.confidence >= SHOWN]
    same = len({_places(profiles[name]) for name in tied}) == 1
    return Verdict(candidates=tuple(kept), ties=len(tied), same=same)


class _Mark(NamedTuple):
    """is_clean: nothing speaks against it."""

    bits: float
    reasons: tuple[str, ...]
    is_clean: bool


def _ties(profiles: Mapping[str, Profile], marks: Mapping[str, _Mark], name: str, best: str) -> bool:
    """Bits too near to decide; or the same registers, of which one profile draws its ranges wider than the other."""
    if marks[name].bits > marks[best].bits - TIE:
        return True
    return marks[name].is_clean and _places(profiles[name]) == _places(profiles[best])


def _places(profile: Profile) -> frozenset[Place]:
    return frozenset(place for read in reads(profile) for place in read.places)


class _Judged(NamedTuple):
    """One point: bits for it, or why it cannot be (then `fault`)."""

    bits: float
    fault: str = ""


def _mark(profile: Profile, seen: Seen) -> _Mark | None:
    """None where the device is no such device."""
    if profile.modbus is None or not seen.has(first(profile)):
        return None
    judged = {name: _judged(name, point, seen) for name, point in profile.points.items()}
    answered = {name: each for name, each in judged.items() if each is not None}
    faults = [each.fault for each in answered.values() if each.fault]
    absent = len(judged) - len(answered)
    if is_ruled_out(profile, len(faults) + absent):
        return None
    bits = sum(each.bits for each in answered.values()) - CONTRADICTION * (len(faults) + absent)
    if not seen.answers_anything:
        bits += _structure([read for read in reads(profile) if seen.has(read)])
    factory = seen.line is not None and _is_factory(profile, seen.line)
    reasons = tuple(_reasons(judged, answered, faults, seen, factory))
    return _Mark(bits + FACTORY * factory, reasons, not faults and not absent)


def _structure(answered: list[Read]) -> float:
    """Bits for the blocks that answer, those that tell most first."""
    told = sorted((COMMON if read.address < COMMON_BELOW else STRUCTURE for read in answered), reverse=True)
    return sum(told[:STRUCTURES_MOST])


def _reasons(
    judged: Mapping[str, _Judged | None], answered: Mapping[str, _Judged], faults: list[str], seen: Seen, factory: bool
) -> Iterator[str]:
    telling = sum(each.bits > 0 for each in answered.values())
    yield f"{len(answered)} of {len(judged)} points answer, {telling} with a telling value"
    if not telling:
        yield "nothing but registers that many devices have" if not seen.answers_anything else "no value to judge by"
    if seen.answers_anything:
        yield "the device answers at any address"
    if factory:
        yield "factory settings"
    yield from faults
    missing = [name for name, each in judged.items() if each is None]
    if missing:
        yield f"refused: {', '.join(missing)}"


def _judged(name: str, point: Point, seen: Seen) -> _Judged | None:
    """None where the device did not answer for it."""
    assert point.at is not None
    places = _read_of(point).places
    if not all(place in seen.words for place in places):
        return None
    words = [seen.words[place] for place in places]
    number = registers.raw(point.at, words)
    if isinstance(number, bool) or number == 0 or number in point.invalid:
        return _Judged(0.0)
    try:
        value = registers.value(point, words)
    except NoValue:
        return _Judged(0.0, f"{name} cannot be {registers.scale(point.at, number):.6g} {point.unit}".rstrip())
    if point.at.type.startswith("float") and not abs(value) > _FLOAT_LEAST:
        return _Judged(0.0, f"{name} cannot be {value:.3g}")
    if point.values and number not in point.values:
        return _Judged(0.0, f"{name} has no code {number:g}")
    return _Judged(_surprise(point))


def _surprise(point: Point) -> float:
    """Bits: how unlikely a value is in this range by chance."""
    assert point.at is not None
    if point.values:
        return VALUE
    if point.range is None:
        return VALUE if point.at.type.startswith("float") else 0.0  # most patterns are no plausible float
    low, high = point.range
    if point.at.type.startswith("float"):
        return min(VALUE, 8 - math.log2(_exponents(low) + _exponents(high) + 1))
    counts = abs((high - low) / point.at.scale) + 1
    return max(0.0, min(VALUE, 16 * WORDS[point.at.type] - math.log2(counts)))


def _exponents(bound: float) -> float:
    """Powers of two between the smallest plausible number and this bound, of 256 that a float32 has."""
    return max(0.0, math.log2(abs(bound) / _FLOAT_LEAST)) if bound else 0.0


def _is_factory(profile: Profile, line: Line) -> bool:
    settings = profile.modbus
    assert settings is not None
    return (settings.baud, settings.parity) == (line.baud, line.parity)


def _read_of(point: Point) -> Read:
    assert point.at is not None
    return Read(point.at.table, address(point.at), WORDS[point.at.type])
