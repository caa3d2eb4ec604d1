"""Two values in one place: registers of a Modbus device, of all its channels, and items of any other."""

from collections.abc import Iterator
from typing import NamedTuple

from device_profiles import wired
from device_profiles.blocks import address
from device_profiles.schema import WORDS, Item, Location, Point, Profile
from device_profiles.wording import Fault

_BYTES = {"uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "uint32": 4, "int32": 4, "float32": 4}


class _Holder(NamedTuple):
    point: str
    channel: int
    at: Location


Taken = dict[tuple[str, int], list[_Holder]]


def faults(profile: Profile) -> Iterator[Fault]:
    """(key path, text) for each point that stands where another does, and each command that writes into one."""
    taken: Taken = {}
    found = [fault for name, point in profile.points.items() for fault in _registers(profile, name, point, taken)]
    yield from found
    for name, command in profile.commands.items():
        if command.write is not None and not found:
            yield from _written(name, command.write, taken)
    yield from _items(profile)
    yield from _pins(profile)


def _registers(profile: Profile, name: str, point: Point, taken: Taken) -> Iterator[Fault]:
    """A register belongs to one point, unless several are bits of it."""
    at = point.at
    if at is None:
        return
    channels = profile.modbus.channels if profile.modbus is not None and at.step else 1
    rival: _Holder | None = None
    for channel in range(channels):
        own = _Holder(name, channel, at)
        for spot in _spots(at, channel):
            holders = taken.setdefault(spot, [])
            rival = rival or next((other for other in holders if not _bits_apart(other.at, at)), None)
            holders.append(own)
    if rival is None:
        return
    if rival.point == name:
        text = f"{at.step} is less than the {WORDS[at.type]} registers of a {at.type}: the channels overlap."
        yield ("points", name, "at", "step"), f"{text} Write {WORDS[at.type]} or more."
        return
    where = f" (channel {rival.channel})" if rival.channel else ""
    text = f"{at.address} ({at.type}) overlaps {rival.point}{where} in the table {at.table}. Check both."
    yield ("points", name, "at", "address"), text


def _written(name: str, at: Location, taken: Taken) -> Iterator[Fault]:
    """What is written where a point is read is that point, whole and in the same numbers."""
    for spot in _spots(at, 0):
        for holder in taken.get(spot, ()):
            if _bits_apart(holder.at, at) or _alike(holder.at, at):
                continue
            text = f"{at.address} ({_numbers(at)}) is where {holder.point} is read as {_numbers(holder.at)} from"
            text += f" {holder.at.address}: a register is written as it is read. Write it the same way, or check both."
            yield ("commands", name, "write"), text
            return


def _items(profile: Profile) -> Iterator[Fault]:
    told: dict[str, list[tuple[str, Item]]] = {}
    for name, point in profile.points.items():
        if point.item is None:
            continue
        for rival, other in told.setdefault(point.item.name, []):
            if _bytes_meet(point.item, other):
                text = f"'{point.item.name}' is {rival} already: one item is one point."
                yield ("points", name, "item", "name"), f"{text} Check both, or delete one."
                break
        told[point.item.name].append((name, point.item))


def _pins(profile: Profile) -> Iterator[Fault]:
    """A contact, a voltage and what the lamp does are one point each; numbers of a chip's answer stand side by side."""
    taken: dict[tuple[str, int], str] = {}
    for name, point in profile.points.items():
        place, spots = wired.spots(point)
        rival = next((taken[place, spot] for spot in spots if (place, spot) in taken), None)
        if rival is not None:
            text = f"this is {rival} already: one place is one point. Check both, or delete one."
            yield ("points", name, next(each for each in wired.PLACES if getattr(point, each) is not None)), text
        taken |= {(place, spot): name for spot in spots}


def _bytes_meet(first: Item, second: Item) -> bool:
    if first.number is None or second.number is None:
        return first.byte is None and second.byte is None  # a byte without its number is told by another check
    starts = (first.byte or 0, second.byte or 0)
    return starts[0] < starts[1] + _BYTES[second.number] and starts[1] < starts[0] + _BYTES[first.number]


def _spots(at: Location, channel: int) -> list[tuple[str, int]]:
    return [(at.table, address(at, channel) + index) for index in range(WORDS[at.type])]


def _bits_apart(first: Location, second: Location) -> bool:
    return first.bit is not None and second.bit is not None and first.bit != second.bit


def _alike(first: Location, second: Location) -> bool:
    if first.scale == 0 or second.scale == 0:
        return True  # which is told by another check
    keys = ("address", "type", "word_order", "bit", "scale", "offset")
    return all(getattr(first, key) == getattr(second, key) for key in keys)


def _numbers(at: Location) -> str:
    order = ", low word first" if at.word_order == "low_first" else ""
    scale = "" if at.scale == 1 else f", scale {at.scale:g}"
    offset = "" if at.offset == 0 else f", offset {at.offset:g}"
    return f"{at.type}{order}{scale}{offset}"
