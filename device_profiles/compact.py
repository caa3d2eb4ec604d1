"""What a controller polls, for its agent: buses, devices and profiles IN, the bytes of plan.bin OUT.

The requests are those that a gateway would make. Everything a controller cannot work out with integers alone is worked
out here: which raw numbers are valid, how long to wait, what a bit's place in an answer is. edge/poller.py and
edge/plan.py read it; docs/edge-poller.md draws it. All integers are little endian, but those of requests and registers.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from device_profiles.blocks import Block, Part
from device_profiles.bus_time import Line, answer_wait
from device_profiles.raw_ranges import held, ranges
from device_profiles.schema import BIT_TABLES, WORDS, Point, Profile
from device_profiles.site_model import Device
from device_profiles.unit_plan import Group, UnitPlan, unit_plans

VERSION = 1
_HEADER = struct.Struct("<HBBH")  # µs of a character, ms of silence, blocks, bytes of state
_REQUEST = struct.Struct(">BBHH")  # unit, function, address, count
_BLOCK = struct.Struct("<HHHBBII")  # after the request: wait, first part, its state, parts, flags, every, silence
_PART = struct.Struct("<HHBB")  # device's name, point, byte and bit in the answer
_CONSTANTS = struct.Struct(">ddd")  # scale, offset, deadband
_EVENT_BLOCK, _DIVIDES = 1, 2
_BOOL, _UNSIGNED, _SIGNED, _FLOAT = range(4)
_LOW_FIRST, _EVENT, _SCALED = 4, 8, 16
_STATE_BYTES = 6  # of a point beside its registers: when it was told, and as what
_FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_KINDS = {"b": _BOOL, "u": _UNSIGNED, "i": _SIGNED, "f": _FLOAT}  # first letter of a type
_ONE_BYTE, _ALL_BYTES = 255, 65535
_MOST_MS = (1 << 29) - 1  # six days: the board counts the time since a report in 30 bits
_MOST_RANGES = 15
UNITS = (1, 247)
_ROUNDING = 1e-9  # as in gateway.reports: 20.2 - 20.1 reaches a deadband of 0.1


class Unfit(ValueError):
    """A controller cannot do this; str() names what, and what to do."""


def plan(lines: Mapping[str, Line], devices: Sequence[Device], profiles: Mapping[str, Profile]) -> bytes:
    """lines: the controller's Modbus buses by name. devices: what hangs on them. Raises Unfit."""
    sections = {bus: _section(bus, line, devices, profiles) for bus, line in lines.items()}
    found = bytes((VERSION, len(sections)))
    for bus, section in sections.items():
        found += struct.pack("<H", len(section)) + _text(bus) + section
    return found


class _Spot(NamedTuple):
    """A value's place in an answer."""

    part: Part
    point: Point
    profile: Profile
    byte: int
    bit: int


class _Read(NamedTuple):
    unit: UnitPlan
    group: Group
    block: Block
    spots: tuple[_Spot, ...]


def _section(bus: str, line: Line, devices: Sequence[Device], profiles: Mapping[str, Profile]) -> bytes:
    own = [device for device in devices if device.bus == bus]
    for device in own:
        _check_device(bus, device, profiles[device.profile])
    reads = list(_reads(unit_plans(own, profiles, line)))
    for read in reads:
        _check_read(bus, read)
    count = sum(len(read.spots) for read in reads)
    parts_at = _HEADER.size + len(reads) * (_REQUEST.size + _BLOCK.size)
    pool = _Pool(parts_at + count * _PART.size)
    blocks, parts, state = b"", b"", 0
    for read in reads:
        blocks += _block(read, parts_at + len(parts), state)
        for spot in read.spots:
            parts += _PART.pack(pool.at(_text(spot.part.key[0])), _point(pool, spot), spot.byte, spot.bit)
            state += _STATE_BYTES + _size(spot.point)
    section = _HEADER.pack(math.ceil(line.character * 1e6), math.ceil(line.silence * 1000), len(reads), state)
    section += blocks + parts + pool.held
    if len(section) > _ALL_BYTES or state > _ALL_BYTES:
        raise Unfit(f"bus {bus}: its plan has {len(section)} bytes. A controller takes 65535: put devices elsewhere.")
    return section


class _Pool:
    """Bytes that others point at, each only once."""

    def __init__(self, start: int) -> None:
        self.held = b""
        self._start = start
        self._known: dict[bytes, int] = {}

    def at(self, data: bytes) -> int:
        if data not in self._known:
            self._known[data] = (self._start + len(self.held)) & 0xFFFF  # a plan that is too long is told later
            self.held += data
        return self._known[data]


def _check_device(bus: str, device: Device, profile: Profile) -> None:
    if profile.modbus is None:
        text = f"{device.id} on bus {bus} speaks {profile.protocol}, but a controller's bus carries Modbus alone."
        raise Unfit(f"{text} Put it on a bus of a gateway.")
    if device.unit is None or not UNITS[0] <= device.unit <= UNITS[1]:
        raise Unfit(f"{device.id} on bus {bus} has the unit {device.unit}. On a serial line it is 1 to 247.")
    wait = answer_wait(profile.modbus.latency)
    if wait * 1000 > _ALL_BYTES:
        text = f"{device.id}: profile {profile.profile} has a latency of {profile.modbus.latency:g} s"
        raise Unfit(f"{text}. A controller waits 65 s for an answer, so it takes 6.5 s at most.")


def _reads(units: Sequence[UnitPlan]) -> Iterator[_Read]:
    for unit in units:
        for group in unit.groups:
            for block in unit.blocks(group):
                yield _Read(unit, group, block, tuple(_spot(unit.profile, block, part) for part in block.parts))


def _spot(profile: Profile, block: Block, part: Part) -> _Spot:
    point = profile.points[part.point]
    assert point.at is not None
    if block.table in BIT_TABLES:
        byte, bit = divmod(part.start, 8)
    elif point.at.bit is not None:
        byte, bit = 2 * part.start + (point.at.bit < 8), point.at.bit % 8
    else:
        byte, bit = 2 * part.start, 0
    return _Spot(part, point, profile, byte, bit)


def _check_read(bus: str, read: _Read) -> None:
    where = f"bus {bus}, unit {read.unit.unit} ({read.unit.profile.profile}), poll group {read.group.name}"
    if len(read.spots) > _ONE_BYTE:
        text = f"{where}: one read brings {len(read.spots)} points. A controller takes 255."
        raise Unfit(f"{text} Write a smaller `block` into the profile.")
    silence = read.unit.profile.polls[read.group.name].silence
    for key, seconds in (("every", read.group.every), ("silence", silence)):
        if not 1 <= round(seconds * 1000) <= _MOST_MS:
            raise Unfit(f"{where}: {key} is {seconds:g} s. A controller counts from 1 ms to six days.")


def _block(read: _Read, part: int, state: int) -> bytes:
    block, modbus = read.block, read.unit.profile.modbus
    assert modbus is not None
    flags = _EVENT_BLOCK if any(spot.point.event for spot in read.spots) else 0
    if any(spot.part.start or spot.part.count != block.count for spot in read.spots):
        flags |= _DIVIDES
    request = _REQUEST.pack(read.unit.unit, _FUNCTIONS[block.table], block.address, block.count)
    return request + _BLOCK.pack(
        round(answer_wait(modbus.latency) * 1000), part, state, len(read.spots), flags,
        round(read.group.every * 1000), round(read.unit.profile.polls[read.group.name].silence * 1000),
    )  # fmt: skip


def _point(pool: _Pool, spot: _Spot) -> int:
    """Where the point stands."""
    point, at = spot.point, spot.point.at
    assert at is not None
    where = f"profile {spot.profile.profile}, point {spot.part.point}"
    valid = ranges(point)
    if len(valid) > _MOST_RANGES:
        raise Unfit(f"{where}: {len(point.invalid)} numbers are invalid. A controller takes {_MOST_RANGES - 1}.")
    kind = _KINDS[at.type[0]] | _EVENT * point.event
    kind |= _LOW_FIRST * (at.word_order == "low_first") | _SCALED * (at.scale != 1 or at.offset != 0)
    deadband = 0.0 if at.type == "bool" else point.deadband * (1 - _ROUNDING)
    constants = pool.at(_CONSTANTS.pack(at.scale, at.offset, deadband))
    bounds = (bytes((bound,)) if at.type == "bool" else held(at, bound) for each in valid for bound in each)
    head = struct.pack("<BBH", kind, len(valid) << 4 | _size(point), constants)
    return pool.at(head + _text(spot.part.point) + b"".join(bounds))


def _size(point: Point) -> int:
    """Bytes in an answer."""
    assert point.at is not None
    return 1 if point.at.type == "bool" else 2 * WORDS[point.at.type]


def _text(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data
