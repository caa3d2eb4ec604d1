"""What a controller polls, for its agent: buses, devices and profiles IN, the bytes of plan.bin OUT.

The requests are those that a gateway would make. Everything a controller cannot work out with integers alone is worked
out here: which raw numbers are valid, how long to wait, where a bit stands in an answer. edge/poller.py reads it, block
by block; docs/edge-poller.md draws it. Integers are little endian, but for requests and what registers hold.
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
_HEADER = struct.Struct("<HBBHH")  # µs of a character, ms of silence, blocks, bytes of state, and of the longest block
_PLACE = struct.Struct("<BBHH")  # of a block: unit, flags, where it begins in the section, where its state does
_REQUEST = struct.Struct(">BBHH")  # unit, function, address, count
_BLOCK = struct.Struct("<HIIB")  # after the request: ms to wait, from read to read, until told again; points
_CONSTANTS = struct.Struct(">d")
_EVENT_BLOCK, _DIVIDES = 1, 2
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_LOW_FIRST, _EVENT, _SCALED = 4, 8, 16
_POINT_BYTES = 8  # of a point, before its names
_STATE_BYTES = 6  # of a point, beside its registers: when it was told, and as what
_TURN_BYTES = 10  # of a block: when it is due, how often it failed, and whether it is read value by value
_FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_KINDS = {"b": 0, "u": _UNSIGNED, "i": _SIGNED, "f": _FLOAT}  # first letter of a type
_ONE_BYTE, _ALL_BYTES = 255, 65535
_MOST_BLOCK = 4096  # bytes: the board holds one block at a time
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


def memory(made: bytes) -> int:
    """Bytes of a controller's memory that plan.bin takes while it is polled by."""
    taken, at = 0, 2
    for _ in range(made[1]):
        size, name = struct.unpack_from("<HB", made, at)
        _, _, blocks, state, longest = _HEADER.unpack_from(made, at + 3 + name)
        taken += blocks * (_PLACE.size + _TURN_BYTES) + state + longest
        at += 3 + name + size
    return taken


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
    places, blocks, state = b"", b"", 0
    first = _HEADER.size + (len(reads) + 1) * _PLACE.size
    longest = 0
    for read in reads:
        _check_read(bus, read)
        block = _block(bus, read)
        places += _PLACE.pack(read.unit.unit, _flags(read), _fits(bus, first + len(blocks)), _fits(bus, state))
        blocks += block
        longest = max(longest, len(block))
        state += sum(_STATE_BYTES + _size(spot.point) for spot in read.spots)
    places += _PLACE.pack(0, 0, _fits(bus, first + len(blocks)), _fits(bus, state))
    if len(reads) > _ONE_BYTE:
        raise Unfit(f"bus {bus}: {len(reads)} requests. A controller takes 255: put devices elsewhere.")
    silence = math.ceil(line.silence * 1000)
    return _HEADER.pack(math.ceil(line.character * 1e6), silence, len(reads), state, longest) + places + blocks


def _fits(bus: str, size: int) -> int:
    if size > _ALL_BYTES:
        raise Unfit(
            f"bus {bus}: its plan has more bytes than the 65535 that a controller takes: put devices elsewhere."
        )
    return size


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
    where = _where(bus, read)
    if len(read.spots) > _ONE_BYTE:
        text = f"{where}: one read brings {len(read.spots)} points. A controller takes 255."
        raise Unfit(f"{text} Write a smaller `block` into the profile.")
    silence = read.unit.profile.polls[read.group.name].silence
    for key, seconds in (("every", read.group.every), ("silence", silence)):
        if not 1 <= round(seconds * 1000) <= _MOST_MS:
            raise Unfit(f"{where}: {key} is {seconds:g} s. A controller counts from 1 ms to six days.")


def _where(bus: str, read: _Read) -> str:
    return f"bus {bus}, unit {read.unit.unit} ({read.unit.profile.profile}), poll group {read.group.name}"


def _flags(read: _Read) -> int:
    flags = _EVENT_BLOCK if any(spot.point.event for spot in read.spots) else 0
    if any(spot.part.start or spot.part.count != read.block.count for spot in read.spots):
        flags |= _DIVIDES
    return flags


def _block(bus: str, read: _Read) -> bytes:
    block, modbus = read.block, read.unit.profile.modbus
    assert modbus is not None
    made = _REQUEST.pack(read.unit.unit, _FUNCTIONS[block.table], block.address, block.count) + _BLOCK.pack(
        round(answer_wait(modbus.latency) * 1000), round(read.group.every * 1000),
        round(read.unit.profile.polls[read.group.name].silence * 1000), len(read.spots),
    )  # fmt: skip
    made += b"".join(_point(spot) for spot in read.spots)
    if len(made) > _MOST_BLOCK:
        text = f"{_where(bus, read)}: what one read brings takes {len(made)} bytes. A controller takes {_MOST_BLOCK}."
        raise Unfit(f"{text} Write a smaller `block` into the profile.")
    return made


def _point(spot: _Spot) -> bytes:
    """Its length, kind, size and number of ranges, place in an answer; then names, constants and ranges."""
    point, at = spot.point, spot.point.at
    assert at is not None
    where = f"profile {spot.profile.profile}, point {spot.part.point}"
    valid = ranges(point)
    is_scaled = at.scale != 1 or at.offset != 0
    deadband = 0.0 if at.type == "bool" else point.deadband * (1 - _ROUNDING)
    constants = b"".join(map(_CONSTANTS.pack, (deadband, at.scale, at.offset)[: 3 if is_scaled else 1]))
    bounds = [bytes((bound,)) if at.type == "bool" else held(at, bound) for each in valid for bound in each]
    device, name = (text.encode() for text in spot.part.key)
    kind = _KINDS[at.type[0]] | _EVENT * point.event | _LOW_FIRST * (at.word_order == "low_first") | _SCALED * is_scaled
    ends = [_POINT_BYTES + len(device), _POINT_BYTES + len(device) + len(name)]
    ends.append(ends[1] + len(constants))
    length = ends[2] + sum(map(len, bounds))
    if len(valid) > _MOST_RANGES or length > _ONE_BYTE:
        text = f"{where}: {len(point.invalid)} numbers are invalid, or names are long, so that it takes {length} bytes."
        raise Unfit(f"{text} A controller takes {_ONE_BYTE}, and {_MOST_RANGES - 1} invalid numbers.")
    head = bytes((length, kind, len(valid) << 4 | _size(point), spot.byte, spot.bit, *ends))
    return head + device + name + constants + b"".join(bounds)


def _size(point: Point) -> int:
    """Bytes in an answer."""
    assert point.at is not None
    return 1 if point.at.type == "bool" else 2 * WORDS[point.at.type]


def _text(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data
