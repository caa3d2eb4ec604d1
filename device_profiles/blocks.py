"""Points of one poll group to block reads: as few requests as the device's limits allow."""

from collections.abc import Iterator
from dataclasses import dataclass

from device_profiles.schema import BIT_TABLES, WORDS, Location, Profile, Table

# Most coils or discrete inputs, and most registers, in one request (Modbus Application Protocol 1.1b3, 6.1 to 6.4).
MAX_BITS = 2000
MAX_REGISTERS = 125
BITS_PER_REGISTER = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A point's place in a block's answer: words[start : start + count], bits counting as words of their own."""

    point: str
    start: int
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One read request. `count` is registers, or bits where the table is coil or discrete."""

    table: Table
    address: int
    count: int
    points: tuple[Part, ...]


def address(at: Location, channel: int = 0) -> int:
    """0-based PDU address of a location in one channel of its device."""
    return at.address + at.step * channel


def blocks(profile: Profile, group: str, channel: int = 0) -> list[Block]:
    """The reads of one poll group, by table and address.

    Neighbours share a block where the hole between them is at most `gap` registers (16 times as many bits) and the
    block stays within `block` registers (2000 bits). A value is never cut in two. Empty for a profile without Modbus.
    """
    if profile.modbus is None:
        return []
    places: dict[Table, list[tuple[int, int, str]]] = {}
    for name, point in profile.points.items():
        if point.at is not None and point.poll == group:
            places.setdefault(point.at.table, []).append((address(point.at, channel), WORDS[point.at.type], name))
    out: list[Block] = []
    for table, spots in places.items():
        bits = table in BIT_TABLES
        most = MAX_BITS if bits else min(profile.modbus.block, MAX_REGISTERS)
        gap = profile.modbus.gap * (BITS_PER_REGISTER if bits else 1)
        out.extend(_merge(table, sorted(spots), most, gap))
    return out


def _merge(table: Table, spots: list[tuple[int, int, str]], most: int, gap: int) -> Iterator[Block]:
    run: list[tuple[int, int, str]] = []
    end = 0
    for spot in spots:
        first, count, _ = spot
        if run and (first - end > gap or first + count - run[0][0] > most):
            yield _block(table, run, end)
            run = []
        end = max(end, first + count) if run else first + count
        run.append(spot)
    yield _block(table, run, end)


def _block(table: Table, run: list[tuple[int, int, str]], end: int) -> Block:
    start = run[0][0]
    parts = tuple(Part(point=name, start=first - start, count=count) for first, count, name in run)
    return Block(table=table, address=start, count=end - start, points=parts)
