"""A profile is emulated and read back: what the emulator holds must come out of its registers, or items, unchanged."""

import re
from collections.abc import Iterator, Mapping

from device_profiles import items, registers, wired
from device_profiles.blocks import address, blocks
from device_profiles.registers import NoValue
from device_profiles.schema import Command, Profile
from device_profiles.wording import Fault, written
from simulators.device import EmulatedDevice
from simulators.unit import EmulatedUnit, Refused, units

BEGIN_MS = 1_800_000_000_000  # 2027-01-15 UTC
# Within a swing, a day on, and ten years on, when counters have grown.
INSTANTS_MS = (0, 7_000, 61_000, 433_000, 1_801_000, 3_607_000, 86_413_000, 315_360_000_000)
Value = float | bool | str | None


class _Trip:
    """One channel of an emulated device, and a clock that is set by hand."""

    def __init__(self, profile: Profile, channel: int) -> None:
        self.now_ms = BEGIN_MS
        self.profile = profile
        self.device = EmulatedDevice(
            profile=profile, pole="P1", name="check", channel=channel, clock=lambda: self.now_ms
        )  # fmt: skip
        self.unit: EmulatedUnit | None = None
        if profile.modbus is not None:
            self.unit = units([self.device])[self.device.unit]

    def read(self) -> Mapping[str, Value]:
        """Every point, as a reader decodes it. Raises Refused and ValueError."""
        if self.profile.protocol == "wired":
            return self._pins()
        return self._registers(self.unit) if self.unit is not None else self._items()

    def _registers(self, unit: EmulatedUnit) -> Mapping[str, Value]:
        seen: dict[str, Value] = {}
        for group in self.profile.polls:
            for block in blocks(self.profile, group, self.device.channel):
                words = unit.read(block.table, block.address, block.count)
                for part in block.parts:
                    held = words[part.start : part.start + part.count]
                    seen[part.point] = _or_none(registers.value, self.profile.points[part.point], held)
        return seen

    def _items(self) -> Mapping[str, Value]:
        told = self.device.raws()
        seen: dict[str, Value] = {}
        for name, point in self.profile.points.items():
            assert point.item is not None
            raw: items.Raw = told[point.item.name]
            if point.item.number is not None:  # items of one name share their bytes, not their raw
                raw = bytes(point.item.byte or 0) + items.packed(point.item, self.device.wanted(name))
            seen[name] = _or_none(items.value, point, raw)
        return seen

    def _pins(self) -> Mapping[str, Value]:
        """What a controller reads at its pins. No line is emulated between: the pins of a simulated board are files."""
        seen: dict[str, Value] = {}
        for name, point in self.profile.points.items():
            held = self.device.wanted(name)
            assert not isinstance(held, str)
            seen[name] = _or_none(wired.value, point, wired.raw(point, held))
        return seen

    def command(self, name: str, wanted: float | bool | str | None) -> None:
        """Raises Refused and ValueError."""
        write = self.profile.commands[name].write
        if self.unit is None or write is None:
            self.device.command(name, wanted)
        else:
            assert wanted is not None
            assert not isinstance(wanted, str)
            self.unit.write(write.table, address(write, self.device.channel), registers.words(write, wanted))


def faults(profile: Profile) -> list[Fault]:
    """(key path, text) for each point that does not come back, and for each command that does not show."""
    if profile.protocol == "gateway":
        return []
    channels = {0, profile.modbus.channels - 1 if profile.modbus is not None else 0}
    for channel in sorted(channels):
        try:
            trip = _Trip(profile, channel)
        except ValueError as error:
            return [_unfit(error)]
        found = [*_readings(trip)] or [*_commands(trip)]
        if found:
            return found
    return []


def _readings(trip: _Trip) -> Iterator[Fault]:
    told: set[str] = set()
    for later_ms in INSTANTS_MS:
        trip.now_ms = BEGIN_MS + later_ms
        try:
            seen = trip.read()
        except Refused as error:
            yield ("points",), f"the emulated device refuses a read of the poll plan: {error}."
            return
        except ValueError as error:
            yield ("points",), f"cannot be emulated {later_ms // 1000} s on: {error}. Give the point a range."
            return
        for name, value in seen.items():
            text = _difference(trip, name, value)
            if text and name not in told:
                told.add(name)
                yield ("points", name, "emulate"), text


def _difference(trip: _Trip, name: str, value: Value) -> str:
    wanted, point = trip.device.wanted(name), trip.profile.points[name]
    if value is None:
        return f"the emulated value {written(wanted)} is read as no value: it is outside the range, or `invalid`."
    if isinstance(wanted, str) or isinstance(value, str):
        return "" if wanted == value else f"the emulated text {written(wanted)} is read as {written(value)}."
    step = registers.resolution(point.at) if point.at is not None else 0.0
    if point.item is not None:
        step = items.resolution(point.item)
    elif point.at is None:
        step = wired.resolution(point)
    if abs(wanted - value) <= max(step, 1e-6 * abs(wanted)):
        return ""
    return f"the emulated value {written(wanted)} is read as {written(value)}. Check type, word_order and scale."


def _commands(trip: _Trip) -> Iterator[Fault]:
    for name, command in trip.profile.commands.items():
        for wanted in _arguments(command):
            text = _told(trip, name, command, wanted)
            if text:
                yield ("commands", name, "read_back"), text
                break


def _told(trip: _Trip, name: str, command: Command, wanted: float | bool | str | None) -> str:
    """Why a command does not show in its read-back; nothing where it does."""
    what = f"the command with {written(wanted)}" if wanted is not None else "the command"
    try:
        trip.command(name, wanted)
        seen = trip.read()
    except Refused as error:
        return f"the emulated device refuses {what}: {error}."
    except ValueError as error:
        return f"the emulated device cannot do {what}: {error}."
    expected = wanted if command.expect is None else command.expect
    if command.read_back is None or expected is None:
        return ""
    shown = seen[command.read_back]
    if shown == expected or _near(trip.profile, command, shown, expected):
        return ""
    return f"after {what} {command.read_back} shows {written(shown)}. Read back the point that follows the command."


def _near(profile: Profile, command: Command, shown: Value, expected: float | bool | str) -> bool:
    if shown is None or isinstance(shown, str) or isinstance(expected, str):
        return False
    back = profile.points[command.read_back or ""]
    steps = [registers.resolution(at) for at in (back.at, command.write) if at is not None]
    steps += [items.resolution(item) for item in (back.item, command.item) if item is not None]
    steps += [wired.resolution(back)] if profile.protocol == "wired" else []
    return abs(shown - expected) <= max(command.tolerance, *steps)


def _arguments(command: Command) -> list[float | bool | str | None]:
    """The ends and the middle of what a command takes."""
    for argument in command.args.values():
        if argument.length is not None:
            return ["x" * size for size in argument.length]
        assert argument.range is not None
        low, high = argument.range
        is_bool = (command.write is not None and command.write.type == "bool") or (
            command.item is not None and command.item.type == "bool"
        )
        return [False, True] if is_bool else [low, round((low + high) / 2), high]
    return [None]


def _or_none(read: object, *arguments: object) -> Value:
    assert callable(read)
    try:
        value: Value = read(*arguments)
    except NoValue:
        return None
    return value


def _unfit(error: ValueError) -> Fault:
    match = re.fullmatch(r"profile \S+, point (\w+): (.*)", str(error), re.S)
    if match is None:
        return ("points",), f"cannot be emulated: {error}. Give the point a range."
    return ("points", match[1], "emulate"), f"{match[2]}. Change around, swing or the range."
