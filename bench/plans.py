"""The ways to read the same points, as lists of requests, and the time that each takes on the bus. Pure.

The time is counted as the emulated line counts it (simulators/wire_account.py), not by the gateway's own cost model.
"""

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench import telegraf_plan
from bench.wire import Place
from device_profiles.blocks import MAX_BITS, MAX_REGISTERS, address
from device_profiles.bus_time import Line
from device_profiles.schema import BIT_TABLES, WORDS
from device_profiles.site_model import Device
from device_profiles.unit_plan import UnitPlan, unit_plans

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


def telegraf(fields: Fields, fill: int = telegraf_plan.FILL) -> Iterable[tuple[int, int]]:
    """Telegraf's max_insert, told the device's limit."""
    return telegraf_plan.requests(fields.spots, most=fields.most, fill=fill)


WAYS: dict[str, Way] = {
    "one request a register": each_register,
    "one request a point": each_point,
    "one request a run": each_run,
    "telegraf": telegraf,
}


def telegraf_at_best(wanted: Iterable[Fields], line: Line) -> list[Read]:
    """With the one `optimization_max_register_fill` for all that costs the least bus time here."""
    every = list(wanted)
    fills = [reads(every, functools.partial(telegraf, fill=fill)) for fill in range(1, MAX_REGISTERS)]
    return min(fills, key=lambda planned: load(line, planned))


def fields(places: Iterable[Place]) -> list[Fields]:
    """What is to be read, by unit, poll group and table; the channels of a unit stand together."""
    found: dict[tuple[int, str, float], dict[tuple[int, int], None]] = {}
    limits: dict[int, tuple[float, int]] = {}
    for place in places:
        modbus = place.profile.modbus
        assert modbus is not None
        limits[place.unit] = modbus.latency, modbus.block
        for point in place.profile.points.values():
            if point.at is not None:
                spot = address(point.at, place.channel), WORDS[point.at.type]
                key = place.unit, point.at.table, place.profile.polls[point.poll].every
                found.setdefault(key, {})[spot] = None
    return [_fields(key, tuple(spots), limits[key[0]]) for key, spots in found.items()]


def _fields(key: tuple[int, str, float], spots: tuple[tuple[int, int], ...], limits: tuple[float, int]) -> Fields:
    (unit, table, every), (latency, block) = key, limits
    most = MAX_BITS if table in BIT_TABLES else min(block, MAX_REGISTERS)
    return Fields(unit=unit, table=table, every=every, latency=latency, most=most, spots=spots)


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
    """What the gateway asks: each unit's groups that fall due together share requests."""
    devices = [device(place) for place in places]
    profiles = {place.profile.profile: place.profile for place in places}
    return [read for unit in unit_plans(devices, profiles, line) for read in _unit(unit)]


def device(place: Place, bus: str = "bus") -> Device:
    """The site's entry for it."""
    return Device.model_validate(
        {
            "pole": "P1", "device": place.name, "profile": place.profile.profile, "bus": bus, "unit": place.unit,
            "channel": place.channel,
        }
    )  # fmt: skip


def _unit(unit: UnitPlan) -> list[Read]:
    assert unit.profile.modbus is not None
    latency = unit.profile.modbus.latency
    periods = {group: round(1000 * group.every) for group in unit.groups}
    whole = math.lcm(*periods.values())
    turns = Counter(
        tuple(group for group, period in periods.items() if at % period == 0)
        for at in sorted({at for period in periods.values() for at in range(0, whole, period)})
    )
    return [
        Read(
            unit=unit.unit, table=block.table, address=block.address, count=block.count,
            every=whole / 1000 / count, latency=latency,
        )
        for groups, count in turns.items()
        for block in unit.blocks(*groups)
    ]  # fmt: skip
