"""The ways to read the same points, as lists of requests, and the time that each takes on the bus. Pure.

The time is counted as the emulated line counts it (simulators/wire_account.py), not by the gateway's own cost model.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench import telegraf_plan
from bench.wire import Place
from device_profiles.blocks import BITS_PER_REGISTER, MAX_BITS, MAX_REGISTERS, address, blocks
from device_profiles.bus_time import Line
from device_profiles.schema import BIT_TABLES, WORDS

REQUEST, ANSWER = 8, 5  # characters beyond the data (Modbus over Serial Line 1.02, 2.5.1; Modbus 1.1b3, 6.1 to 6.4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """One request, sent every so many seconds."""

    unit: int
    table: str
    address: int
    count: int
    every: float
    latency: float

    def seconds(self, line: Line) -> float:
        """What it needs on the line, with its answer and the silences."""
        data = (self.count + 7) // 8 if self.table in BIT_TABLES else 2 * self.count
        return (REQUEST + ANSWER + data) * line.character + max(line.silence, self.latency) + line.silence


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """The points of one unit that fall due together, of one table. spots: (address, registers), each once."""

    unit: int
    table: str
    every: float
    latency: float
    most: int
    gap: int
    spots: tuple[tuple[int, int], ...]


Way = Callable[[Fields], Iterable[tuple[int, int]]]


def each_register(fields: Fields) -> Iterable[tuple[int, int]]:
    """One request a register."""
    return ((place, 1) for first, count in fields.spots for place in range(first, first + count))


def each_point(fields: Fields) -> Iterable[tuple[int, int]]:
    """One request a point; points that share a register share the request."""
    return fields.spots


def each_run(fields: Fields) -> Iterable[tuple[int, int]]:
    """One request for registers without a hole between them: what pymodbus' examples do."""
    return telegraf_plan.requests(fields.spots, most=fields.most, fill=0)


def telegraf(fields: Fields) -> Iterable[tuple[int, int]]:
    """Telegraf's max_insert with its default of 50, told the device's limit."""
    return telegraf_plan.requests(fields.spots, most=fields.most)


def telegraf_tuned(fields: Fields) -> Iterable[tuple[int, int]]:
    """The same, told how wide a hole each device allows."""
    return telegraf_plan.requests(fields.spots, most=fields.most, fill=fields.gap)


WAYS: dict[str, Way] = {
    "one request a register": each_register,
    "one request a point": each_point,
    "one request a run": each_run,
    "telegraf": telegraf,
    "telegraf tuned": telegraf_tuned,
}


def fields(places: Iterable[Place]) -> list[Fields]:
    """What is to be read, by unit, poll group and table; the channels of a unit stand together."""
    found: dict[tuple[int, str, float], dict[tuple[int, int], None]] = {}
    limits: dict[int, tuple[float, int, int]] = {}
    for place in places:
        modbus = place.profile.modbus
        assert modbus is not None
        limits[place.unit] = modbus.latency, modbus.block, modbus.gap
        for point in place.profile.points.values():
            if point.at is not None:
                spot = address(point.at, place.channel), WORDS[point.at.type]
                key = place.unit, point.at.table, place.profile.polls[point.poll].every
                found.setdefault(key, {})[spot] = None
    return [_fields(key, tuple(spots), limits[key[0]]) for key, spots in found.items()]


def _fields(key: tuple[int, str, float], spots: tuple[tuple[int, int], ...], limits: tuple[float, int, int]) -> Fields:
    (unit, table, every), (latency, block, gap) = key, limits
    bits = table in BIT_TABLES
    return Fields(
        unit=unit, table=table, every=every, latency=latency,
        most=MAX_BITS if bits else min(block, MAX_REGISTERS),
        gap=gap * (BITS_PER_REGISTER if bits else 1),
        spots=spots,
    )  # fmt: skip


def reads(wanted: Iterable[Fields], way: Way) -> list[Read]:
    return [
        Read(
            unit=each.unit, table=each.table, address=first, count=count, every=each.every, latency=each.latency
        )
        for each in wanted
        for first, count in way(each)
    ]  # fmt: skip


def readings_a_second(places: Iterable[Place]) -> float:
    """Points that are read in a second."""
    return sum(
        1 / place.profile.polls[point.poll].every
        for place in places
        for point in place.profile.points.values()
        if point.at is not None
    )


def load(line: Line, planned: Iterable[Read]) -> float:
    """The share of the bus's time that these requests need; beyond 1 it cannot be met."""
    return sum(each.seconds(line) / each.every for each in planned)


def ours(places: Iterable[Place], line: Line) -> list[Read]:
    """What the gateway would ask."""
    return [
        Read(
            unit=place.unit, table=block.table, address=block.address, count=block.count, every=group.every,
            latency=place.profile.modbus.latency if place.profile.modbus else 0.0,
        )
        for place in places
        for name, group in place.profile.polls.items()
        for block in blocks(place.profile, name, place.channel)
    ]  # fmt: skip
