"""Checks of a profile's commands: where they write, what they take, and the point that shows what became of them."""

from collections.abc import Iterator

from device_profiles import placement, quantities, reach
from device_profiles.items import MAX_TEXT
from device_profiles.registers import words
from device_profiles.schema import Argument, Command, Item, Location, Point, Profile
from device_profiles.vocabulary import standard
from device_profiles.wording import Fault, kind, shown, suggestion

WRITABLE = ("coil", "holding")
Keys = tuple[str, ...]


def faults(profile: Profile) -> Iterator[Fault]:
    """(key path, text) for each contradiction in a command."""
    for name, command in profile.commands.items():
        keys = ("commands", name)
        if profile.protocol in placement.READ_ONLY:
            yield (
                ("commands",),
                f"devices of the protocol {profile.protocol} are only read: they take no commands. Delete it.",
            )
            return
        yield from placement.command(profile.protocol, keys, command)
        yield from _read_back(profile, keys, command)
        if command.write is not None and profile.protocol == "modbus":
            yield from _write(profile, keys, command, command.write)
        elif command.item is not None and profile.protocol != "modbus":
            yield from _told(keys, command, command.item)
        elif command.lamp is not None and profile.protocol == "wired":
            yield from _lamp(keys, command, command.lamp, profile.points.get(command.read_back or ""))


def _read_back(profile: Profile, keys: Keys, command: Command) -> Iterator[Fault]:
    if command.read_back is None:
        if profile.protocol == "modbus":
            yield keys, "read_back is missing. A write is done when a point of the device shows it: name that point."
        elif command.expect is not None:
            yield (*keys, "expect"), "nothing is read back, so nothing is expected. Add read_back, or delete it."
        return
    back = profile.points.get(command.read_back)
    if back is None and _is_renamed(profile, command.read_back):
        return  # the vocabulary's check names the point, which is the one that is misspelt
    if back is None:
        hint = suggestion(command.read_back, profile.points) or f" There are {', '.join(profile.points)}."
        yield (*keys, "read_back"), f"'{command.read_back}' is not a point of this profile.{hint}"
    elif command.expect is not None:
        yield from _expected(keys, command.read_back, back, command.expect)
    elif not command.args:
        if profile.protocol != "modbus" and command.lamp != "level":
            text = f"expect is missing. There is no argument, so say what {command.read_back} shows when it is done."
            yield keys, text
    else:
        yield from _shows(keys, command, back)


def _is_renamed(profile: Profile, name: str) -> bool:
    """True where the read-back is a standard point, and the profile has one of nearly that name that is none."""
    strangers = [key for key, point in profile.points.items() if not point.own and not standard(profile.function, key)]
    return standard(profile.function, name) is not None and suggestion(name, strangers) != ""


def _expected(keys: Keys, name: str, back: Point, expect: float | bool | str) -> Iterator[Fault]:
    """What is expected must be something that the read-back can show."""
    told = "bool" if isinstance(expect, bool) else "text" if isinstance(expect, str) else "number"
    if told != back.kind:
        text = f"{shown(expect)} is {kind(expect)}, but {name}, which is read back, is a {back.kind}"
        yield (*keys, "expect"), f"{text}. Write what it shows, or read back another point."
    elif back.range is not None and not isinstance(expect, str) and not back.range[0] <= expect <= back.range[1]:
        yield (*keys, "expect"), f"{expect:g} is outside the range of {name}, {_bounds(back.range)}: it is never shown."
    elif back.values and expect not in back.values:
        codes = ", ".join(f"{code} {text}" for code, text in back.values.items())
        yield (*keys, "expect"), f"{expect:g} is not a code of {name}, which knows {codes}."


def _shows(keys: Keys, command: Command, back: Point) -> Iterator[Fault]:
    """What is asked for must be something that the read-back can show."""
    for name, argument in command.args.items():
        if argument.range is None or back.range is None or _disordered(argument.range) or _disordered(back.range):
            continue
        if quantities.is_another_scale(back):
            continue
        if argument.range[0] < back.range[0] or argument.range[1] > back.range[1]:
            text = f"{_bounds(argument.range)} goes beyond the range of {command.read_back}, {_bounds(back.range)}:"
            text += " what is outside could never be read back. Narrow this range, or widen that."
            yield (*keys, "args", name, "range"), text


def _write(profile: Profile, keys: Keys, command: Command, at: Location) -> Iterator[Fault]:
    if at.table not in WRITABLE:
        yield (*keys, "write", "table"), f"'{at.table}' cannot be written. Allowed are coil and holding."
    if at.scale == 0:
        yield (*keys, "write", "scale"), placement.NO_SCALE
    if profile.modbus is not None:
        yield from reach.location(profile.modbus, (*keys, "write"), at)
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
            yield from _fits((*keys, "args", name, "range"), argument.range, at)


def _told(keys: Keys, command: Command, item: Item) -> Iterator[Fault]:
    if item.scale == 0:
        yield (*keys, "item", "scale"), placement.NO_SCALE
    for name, argument in command.args.items():
        yield from _kind((*keys, "args", name), argument, item)


def _lamp(keys: Keys, command: Command, does: str, back: Point | None) -> Iterator[Fault]:
    if does != "level" and keys[1] != does:
        yield (*keys, "lamp"), f"`lamp: {does}` is the command '{does}' of every lamp. Name it so."
    if does != "level" and command.args:
        yield (*keys, "args"), f"`lamp: {does}` takes no argument. Write `args: {{}}`, or `lamp: level`."
    elif does == "level" and not command.args:
        yield (*keys, "args"), "`lamp: level` takes one argument, the level. Add it, as in level: {…, range: [0, 100]}."
    for name, argument in command.args.items() if does == "level" else ():
        if argument.range is None:
            yield (*keys, "args", name, "length"), "a lamp's level is no text. Write a range instead."
        elif _disordered(argument.range):
            yield (*keys, "args", name, "range"), f"{_bounds(argument.range)} is out of order: lowest value first."
        elif (back is None or back.range is None) and not 0 <= argument.range[0] <= argument.range[1] <= 100:
            yield (*keys, "args", name, "range"), f"{_bounds(argument.range)} does not fit a lamp: 0 to 100 percent."


def _kind(keys: Keys, argument: Argument, item: Item) -> Iterator[Fault]:
    if item.type == "text" and argument.length is None:
        yield (
            keys,
            "the item is a text, which has a length. Write `length: [1, 40]` for range, or change the item's type.",
        )
    elif item.type != "text" and argument.range is None:
        yield (
            keys,
            f"the item is a {item.type}, which has a range. Write it for length, or write `type: text` in the item.",
        )
    elif argument.range is not None and _disordered(argument.range):
        yield (*keys, "range"), f"{_bounds(argument.range)} is out of order: write the lowest value first."
    elif argument.length is not None and not 0 <= argument.length[0] <= argument.length[1]:
        yield (*keys, "length"), f"{_bounds(argument.length)} is out of order: write the fewest characters first."
    elif argument.length is not None and argument.length[1] > MAX_TEXT:
        yield (*keys, "length"), f"{argument.length[1]} is more than the {MAX_TEXT} characters that a text may have."
    elif item.type == "bool" and argument.range is not None and argument.range != (0, 1):
        yield (*keys, "range"), f"{_bounds(argument.range)} does not fit a bool: write [0, 1]."


def _fits(keys: Keys, bounds: tuple[float, float], at: Location) -> Iterator[Fault]:
    if _disordered(bounds):
        yield keys, f"{_bounds(bounds)} is out of order: write the lowest value first."
    elif at.type == "bool":
        if bounds != (0, 1):
            yield keys, f"{_bounds(bounds)} does not fit a bool: write [0, 1]."
    elif at.scale != 0:
        for bound in bounds:
            try:
                words(at, bound)
            except ValueError as error:
                yield keys, f"{error}. Narrow the range, or choose a wider type."
                return


def _disordered(bounds: tuple[float, float]) -> bool:
    return bounds[0] >= bounds[1]


def _bounds(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:g}, {bounds[1]:g}]"
