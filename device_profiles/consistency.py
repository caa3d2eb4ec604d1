"""Checks of a profile that need more than one of its keys."""

import re
from collections.abc import Iterator

from device_profiles import vocabulary
from device_profiles.blocks import MAX_REGISTERS, address
from device_profiles.items import NAMES
from device_profiles.registers import words
from device_profiles.schema import BIT_TABLES, WORDS, Command, Item, Location, Point, Profile
from device_profiles.wording import Fault, suggestion

PLACES = {"modbus": "at", "gateway": "counter"}  # protocol -> key that says where a point stands; all others: item
PLACED = ("at", "item", "counter")
NO_SCALE = "0 makes every value the same. Leave it out, or write the device's factor, as in 0.1."
WRITABLE = ("coil", "holding")
COUNTED = ("uint16", "int16", "uint32", "int32", "uint64", "int64")
# What the gateway counts about itself; the gateway supplies exactly these.
COUNTERS = (
    "uptime_s", "spool_pending", "spool_bytes", "packs_dropped", "readings_produced",
    "bus_requests", "bus_timeouts", "bus_errors", "memory_bytes",
)  # fmt: skip


def faults(profile: Profile) -> list[Fault]:
    """(key path, text) for each contradiction in a profile that fits the schema."""
    found = [*_protocol(profile)]
    for name, point in profile.points.items():
        found.extend(_point(profile, ("points", name), point))
    found.extend(_overlaps(profile))
    for name, command in profile.commands.items():
        found.extend(_command(profile, ("commands", name), command))
    found.extend(_unused_groups(profile))
    found.extend(vocabulary.faults(profile))
    return found


def _protocol(profile: Profile) -> Iterator[Fault]:
    protocol = profile.protocol
    if protocol == "modbus" and profile.modbus is None:
        yield (
            (),
            "modbus is missing. The protocol is modbus: add `modbus: {unit: 1, baud: 9600}` with the factory settings.",
        )
    if protocol != "modbus" and profile.modbus is not None:
        yield ("modbus",), f"the protocol is {protocol}, which has no modbus section. Delete it."
    for name, point in profile.points.items():
        yield from _place(protocol, ("points", name), point, PLACES.get(protocol, "item"), tuple(PLACED))
        if point.item is not None:
            yield from _item(protocol, ("points", name, "item"), point.item)
        if point.counter is not None and point.counter not in COUNTERS:
            text = f"'{point.counter}' is not a counter of the gateway.{suggestion(point.counter, COUNTERS)}"
            yield ("points", name, "counter"), f"{text} There are {', '.join(COUNTERS)}."


def _place(
    protocol: str, keys: tuple[str, ...], holder: Point | Command, wanted: str, kinds: tuple[str, ...]
) -> Iterator[Fault]:
    """Each protocol has one way to say where a value stands."""
    if getattr(holder, wanted) is None:
        yield keys, f"{wanted} is missing. The protocol is {protocol}: say where the value stands."
    for unwanted in kinds:
        if unwanted != wanted and getattr(holder, unwanted) is not None:
            yield (*keys, unwanted), f"the protocol is {protocol}, which has no {unwanted}. Delete it."


def _item(protocol: str, keys: tuple[str, ...], item: Item) -> Iterator[Fault]:
    pattern, words = NAMES.get(protocol, (".*", ""))
    if not re.fullmatch(pattern, item.name):
        yield (*keys, "name"), f"'{item.name}' is not an item of {protocol}, which is {words}."
    if item.scale == 0:
        yield (*keys, "scale"), NO_SCALE
    if item.type != "number":
        for key in ("scale", "offset", "decimals", "signed", "number"):
            # a bit of a LoRaWAN payload is a byte that is not 0
            if key in item.model_fields_set and (key, item.type, protocol) != ("number", "bool", "chirpstack"):
                yield (*keys, key), f"a {item.type} has no {key}. Delete it."
    for key, owner in (("byte", "chirpstack"), ("number", "chirpstack"), ("signed", "dlt645")):
        if protocol != owner and key in item.model_fields_set:
            yield (*keys, key), f"only items of {owner} have {key}. Delete it."
    if item.byte is not None and item.number is None and item.type == "number":
        yield keys, "number is missing. It says how the bytes that begin at `byte` hold the value."


def _point(profile: Profile, keys: tuple[str, str], point: Point) -> Iterator[Fault]:
    if point.poll not in profile.polls:
        hint = suggestion(point.poll, profile.polls) or f" There are {', '.join(profile.polls)}."
        yield (*keys, "poll"), f"'{point.poll}' is not a group of polls.{hint}"
    if point.range is not None:
        low, high = point.range
        if low >= high:
            yield (*keys, "range"), f"[{low:g}, {high:g}] is out of order: write the lowest value first."
        elif point.deadband >= high - low:
            text = f"{point.deadband:g} is as wide as the range [{low:g}, {high:g}]: nothing would ever be reported."
            yield (*keys, "deadband"), text
        elif point.emulate is not None:
            reach = (point.emulate.around - point.emulate.swing, point.emulate.around + point.emulate.swing)
            if reach[0] < low or reach[1] > high:
                text = f"moves from {reach[0]:g} to {reach[1]:g}, outside the range [{low:g}, {high:g}]."
                yield (*keys, "emulate"), f"{text} Change around or swing."
    if point.kind != "number":
        for key in ("range", "invalid", "deadband", "values"):
            if getattr(point, key):
                yield (*keys, key), f"a {point.kind} has no {key}. Delete it."
        if point.unit and point.kind == "text":
            yield (*keys, "unit"), "a text has no unit. Delete it."
    if point.at is None:
        return
    yield from _location(profile, (*keys, "at"), point.at)
    if point.at.type == "bool":
        return
    if point.at.type not in COUNTED:
        for key in ("values", "invalid"):
            if getattr(point, key):
                yield (*keys, key), f"codes need an integer type, not {point.at.type}. Delete {key}."
    elif point.values and (point.at.scale != 1 or point.at.offset != 0):
        yield (*keys, "values"), "codes are raw numbers: a point with values has neither scale nor offset."


def _location(profile: Profile, keys: tuple[str, ...], at: Location) -> Iterator[Fault]:
    if at.scale == 0:
        yield (*keys, "scale"), NO_SCALE
    if profile.modbus is None:
        return
    channels, block = profile.modbus.channels, min(profile.modbus.block, MAX_REGISTERS)
    if channels == 1 and at.step:
        yield (*keys, "step"), f"{at.step} has no use: the device has one channel. Delete step, or set modbus.channels."
    if at.step and address(at, channels - 1) + WORDS[at.type] > 0x10000:
        yield (*keys, "step"), f"channel {channels - 1} would stand beyond address 65535."
    if at.table not in BIT_TABLES and WORDS[at.type] > block:
        yield (*keys, "type"), f"{at.type} takes {WORDS[at.type]} registers, but modbus.block allows {block} in a read."


def _overlaps(profile: Profile) -> Iterator[Fault]:
    """Two points on one register are a mistake, unless both are bits of it."""
    taken: dict[tuple[str, int], list[str]] = {}
    for name, point in profile.points.items():
        if point.at is None:
            continue
        spots = [(point.at.table, point.at.address + index) for index in range(WORDS[point.at.type])]
        rivals = (other for spot in spots for other in taken.get(spot, ()))
        rival = next((other for other in rivals if not _bits_apart(profile.points[other].at, point.at)), None)
        if rival is not None:
            text = f"{point.at.address} ({point.at.type}) overlaps {rival} in the table {point.at.table}. Check both."
            yield ("points", name, "at", "address"), text
        for spot in spots:
            taken.setdefault(spot, []).append(name)


def _bits_apart(first: Location | None, second: Location) -> bool:
    return first is not None and first.bit is not None and second.bit is not None and first.bit != second.bit


def _command(profile: Profile, keys: tuple[str, str], command: Command) -> Iterator[Fault]:
    if profile.protocol == "gateway":
        yield keys, f"the protocol is {profile.protocol}, which takes no commands. Delete it."
        return
    wanted = "write" if profile.protocol == "modbus" else "item"
    yield from _place(profile.protocol, keys, command, wanted, ("write", "item"))
    yield from _read_back(profile, keys, command)
    if command.write is not None:
        yield from _write(profile, keys, command, command.write)
    elif command.item is not None:
        yield from _told(profile, keys, command, command.item)


def _read_back(profile: Profile, keys: tuple[str, str], command: Command) -> Iterator[Fault]:
    if command.read_back is None:
        if profile.protocol == "modbus":
            yield keys, "read_back is missing. A write is done when a point of the device shows it: name that point."
        elif command.expect is not None:
            yield (*keys, "expect"), "nothing is read back, so nothing is expected. Add read_back, or delete it."
        return
    if command.read_back not in profile.points:
        hint = suggestion(command.read_back, profile.points) or f" There are {', '.join(profile.points)}."
        yield (*keys, "read_back"), f"'{command.read_back}' is not a point of this profile.{hint}"
    if not command.args and command.expect is None:
        yield keys, f"expect is missing. There is no argument, so say what {command.read_back} shows when it is done."


def _write(profile: Profile, keys: tuple[str, str], command: Command, at: Location) -> Iterator[Fault]:
    if at.table not in WRITABLE:
        yield (*keys, "write", "table"), f"'{at.table}' cannot be written. Allowed are coil and holding."
    yield from _location(profile, (*keys, "write"), at)
    back = profile.points.get(command.read_back or "")
    if back is not None and back.at is not None and (back.at.type == "bool") != (at.type == "bool"):
        text = f"'{command.read_back}' is {back.at.type}, but {at.type} is written. Read back a point of the same kind."
        yield (*keys, "read_back"), text
    elif back is not None and back.at is not None and at.step and not back.at.step:
        yield (*keys, "read_back"), f"'{command.read_back}' is the same for all channels, but the command writes one."
    if not command.args:
        yield (*keys, "args"), "a write needs one argument: what is written. Add it, as in level: {…, range: [0, 100]}."
    for name, argument in command.args.items():
        if argument.range is None:
            yield (*keys, "args", name, "length"), "a register takes no text. Write a range instead."
        else:
            yield from _argument((*keys, "args", name, "range"), argument.range, at)


def _told(profile: Profile, keys: tuple[str, str], command: Command, item: Item) -> Iterator[Fault]:
    if item.scale == 0:
        yield (*keys, "item", "scale"), NO_SCALE
    for name, argument in command.args.items():
        if (argument.length is not None) != (item.type == "text"):
            kind = "a text, which has a length" if item.type == "text" else f"a {item.type}, which has a range"
            yield (*keys, "args", name), f"the item is {kind}. Change the argument, or the item's type."
        bounds = argument.range or argument.length
        if bounds is not None and bounds[0] >= bounds[1]:
            yield (*keys, "args", name), f"[{bounds[0]:g}, {bounds[1]:g}] is out of order: write the lowest first."


def _argument(keys: tuple[str, ...], bounds: tuple[float, float], at: Location) -> Iterator[Fault]:
    if bounds[0] >= bounds[1]:
        yield keys, f"[{bounds[0]:g}, {bounds[1]:g}] is out of order: write the lowest value first."
    elif at.type == "bool":
        if bounds != (0, 1):
            yield keys, f"[{bounds[0]:g}, {bounds[1]:g}] does not fit a bool: write [0, 1]."
    elif at.scale != 0:
        for bound in bounds:
            try:
                words(at, bound)
            except ValueError as error:
                yield keys, f"{error}. Narrow the range, or choose a wider type."


def _unused_groups(profile: Profile) -> Iterator[Fault]:
    used = {point.poll for point in profile.points.values()}
    for name, group in profile.polls.items():
        if name not in used:
            yield ("polls", name), "no point is in this group. Delete it, or name it in a point's poll."
        elif group.silence < group.every:
            text = (
                f"{group.silence:g} s is shorter than every ({group.every:g} s): a poll reports a point at most once."
            )
            yield ("polls", name, "silence"), text
