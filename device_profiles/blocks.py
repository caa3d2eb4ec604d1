"""Registers that are wanted to block reads: the requests that take the least time on the bus."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from device_profiles.bus_time import Line, data_bytes, request_overhead
from device_profiles.schema import BIT_TABLES, WORDS, Location, Profile, Table

# Most coils or discrete inputs, and most registers, in one request (Modbus Application Protocol 1.1b3, 6.1 to 6.4).
MAX_BITS = 2000
MAX_REGISTERS = 125
BITS_PER_REGISTER = 16

Key = tuple[str, str]  # "pole/device", point
Span = tuple[int, int]  # first register, and the one after the last


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The registers (or bits) of one value."""

    key: Key
    table: Table
    address: int
    count: int

    @property
    def end(self) -> int:
        return self.address + self.count


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A value's place in a block's answer: words[start : start + count], bits counting as words of their own."""

    key: Key
    start: int
    count: int

    @property
    def point(self) -> str:
        return self.key[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One read request. `count` is registers, or bits where the table is coil or discrete."""

    table: Table
    address: int
    count: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """Registers that a device does not give all in one read: a hole between values, a value, or two neighbours."""

    table: Table
    address: int
    count: int

    def within(self, first: int, end: int) -> bool:
        """Whether all of them lie in first … end - 1."""
        return first <= self.address and self.address + self.count <= end


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one read may hold. overhead: what one more request costs, in characters of the line.

    block: registers; gap: unused registers that a block may bridge, None for as many as pay.
    """

    block: int = MAX_REGISTERS
    gap: int | None = None
    overhead: float = 0.0
    refused: frozenset[Refused] = frozenset()


def address(at: Location, channel: int = 0) -> int:
    """0-based PDU address of a location in one channel of its device."""
    return at.address + at.step * channel


def wanted(profile: Profile, group: str, channel: int = 0, device: str = "") -> Iterator[Wanted]:
    """What one poll group of a Modbus device reads; nothing of any other."""
    for name, point in profile.points.items():
        if point.at is not None and point.poll == group:
            at = point.at
            yield Wanted(key=(device, name), table=at.table, address=address(at, channel), count=WORDS[at.type])


def blocks(profile: Profile, group: str, channel: int = 0) -> list[Block]:
    """The reads of one poll group of a device alone, on the line that it leaves the factory with."""
    modbus = profile.modbus
    if modbus is None:
        return []
    line = Line(baud=modbus.baud, parity=modbus.parity, stop_bits=modbus.stop_bits)
    limits = Limits(block=modbus.block, gap=modbus.gap, overhead=request_overhead(line, modbus.latency))
    return plan(wanted(profile, group, channel), limits)


def plan(values: Iterable[Wanted], limits: Limits) -> list[Block]:
    """The reads that bring these values in the least time, by table and address.

    A value is never cut in two, a block keeps the limits and holds nothing that is refused, and two values share one
    only where the registers between them cost less than another request. A refused value has a block of its own.
    """
    tables: dict[Table, list[Wanted]] = {}
    for value in values:
        tables.setdefault(value.table, []).append(value)
    found: list[Block] = []
    for spots in tables.values():
        found += _least(sorted(spots, key=lambda spot: (spot.address, spot.count, spot.key)), limits)
    return found


def holes(spans: Sequence[Span]) -> list[Span]:
    """What lies between spans and in none of them; spans by address."""
    found = []
    reached = spans[0][1]
    for first, end in spans:
        if first > reached:
            found.append((reached, first))
        reached = max(reached, end)
    return found


def _least(spots: list[Wanted], limits: Limits) -> list[Block]:
    spans = tuple((spot.address, spot.end) for spot in spots)
    return [block_of(spots[start:stop]) for start, stop in itertools.pairwise(_cuts(spots[0].table, spans, limits))]


@lru_cache(maxsize=1024)  # the units of a site are of few kinds
def _cuts(table: Table, spans: Sequence[Span], limits: Limits) -> list[int]:
    """The best cuts of a row of values. best[i]: least cost of the first i, and where their last block begins."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for stop in range(1, len(spans) + 1):
        best.append(min((best[start][0] + cost, start) for start, cost in _last_blocks(table, spans, stop, limits)))
    cuts = [len(spans)]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][1])
    return cuts[::-1]


def _last_blocks(table: Table, spans: Sequence[Span], stop: int, limits: Limits) -> Iterator[tuple[int, float]]:
    """Where a block may begin that ends before `stop`, and what it costs in characters."""
    bits = table in BIT_TABLES
    most = MAX_BITS if bits else min(limits.block, MAX_REGISTERS)
    gap = None if limits.gap is None else limits.gap * (BITS_PER_REGISTER if bits else 1)
    refused = [each for each in limits.refused if each.table == table]
    end = 0
    alone = True  # all values are the same registers
    for start in range(stop - 1, -1, -1):
        first, end = spans[start][0], max(end, spans[start][1])
        alone = alone and spans[start] == spans[stop - 1]
        if not alone and (end - first > most or any(each.within(first, end) for each in refused)):
            return
        if gap is None or all(after - before <= gap for before, after in holes(spans[start:stop])):
            yield start, limits.overhead + data_bytes(table, end - first)


def block_of(spots: Sequence[Wanted]) -> Block:
    """One read of these values, sorted by address."""
    first = spots[0].address
    parts = tuple(Part(key=spot.key, start=spot.address - first, count=spot.count) for spot in spots)
    return Block(table=spots[0].table, address=first, count=max(spot.end for spot in spots) - first, parts=parts)
