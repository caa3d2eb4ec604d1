"""commands.jsonl: what a controller's devices may be told, a line for each action; the form is edge/commands.py's.

    [device, action, argument, write, back]
    device     "pole/device"
    argument   null, or [name, low, high, decimals], low and high counted in 10^-decimals
    write      ["lamp"], for all that the controller's lamp does, be it at a pin or on a bus; or
               [bus, unit, function, address, words, low first, multiply, divide, add, mask, wait ms, raw]: the number
               to write is (argument - add) * divide / multiply
    back       null, or [point, tolerance, decimals, settle ms, expected]; expected: null for the argument

Only the line that is needed is parsed, so it begins with device and action. A command that writes a float has no line:
a controller writes whole numbers.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil, log10

from device_profiles import controller_checks, registers
from device_profiles.blocks import address
from device_profiles.bus_time import answer_wait
from device_profiles.schema import WORDS, Argument, Command, Location, Profile
from device_profiles.site_buses import UartBus
from device_profiles.site_model import Device, Site

COIL, REGISTER, REGISTERS = 5, 6, 16  # functions (Modbus Application Protocol 1.1b3, 6.5, 6.6, 6.12)
COIL_ON = 0xFF00
DECIMALS = (2, 6)  # fewest and most that an argument is counted in
LARGEST = 1_000_000  # denominator of a scale: 100/254 stays that, 0.1 becomes 1/10
Line = list[object]


def lines(site: Site, node: str, profiles: Mapping[str, Profile]) -> Iterator[Line]:
    """The devices in the site file's order, their actions in the profile's."""
    lamp = controller_checks.lamp_of(site, node)
    for device in site.devices_of(node):
        profile = profiles[device.profile]
        if device == lamp:
            yield from _of_lamp(device, profile)
        elif isinstance(site.buses[device.bus], UartBus):
            for name, command in profile.commands.items():
                if is_written(command):
                    yield _line(device, profile, name, command)


def is_written(command: Command) -> bool:
    """Whether a controller can do it."""
    return command.write is not None and command.write.type not in ("float32", "float64")


def write(device: Device, profile: Profile, command: Command, decimals: int) -> Line:
    """Where and how a Modbus command is written; decimals: of its argument."""
    at = command.write
    assert at is not None
    assert profile.modbus is not None
    bit = at.type == "bool"
    function = COIL if at.table == "coil" else REGISTER if WORDS[at.type] == 1 else REGISTERS
    scale = Fraction(1, COIL_ON) if function == COIL else Fraction(1, 1 << at.bit) if bit and at.bit else _scale(at)
    counted = scale * 10**decimals
    add = round(at.offset * 10**decimals)
    mask = 1 << at.bit if at.bit is not None else 0
    wait = round(answer_wait(profile.modbus.latency) * 1000)
    return [
        device.bus, device.unit, function, address(at, device.channel), WORDS[at.type], at.word_order == "low_first",
        counted.numerator, counted.denominator, add, mask, wait, 0,
    ]  # fmt: skip


def _line(device: Device, profile: Profile, name: str, command: Command) -> Line:
    decimals = _decimals(command)
    argument = next(iter(command.args.items()), None)
    told = _argument(*argument, decimals) if argument is not None else None
    return [device.id, name, told, write(device, profile, command, decimals), _back(profile, command, decimals)]


def _of_lamp(device: Device, profile: Profile) -> Iterator[Line]:
    """All lamps do the same, whatever their profile: the controller keeps their schedule, and what overrides it."""
    ((name, argument),) = profile.commands["set_level"].args.items()
    yield [device.id, "set_level", _argument(name, argument, 0), ["lamp"], ["level", 0, 0, 0, None]]
    for action, shown in (("on", True), ("off", False)):
        back: Line = ["on", 0, 0, 0, shown] if "on" in profile.points else ["level", 0, 0, 0, 100 * shown]
        yield [device.id, action, None, ["lamp"], back]
    yield [device.id, "auto", None, ["lamp"], None]


def _argument(name: str, argument: Argument, decimals: int) -> Line:
    assert argument.range is not None
    low, high = argument.range
    return [name, ceil(_exactly(low) * 10**decimals), int(_exactly(high) * 10**decimals // 1), decimals]


def _back(profile: Profile, command: Command, decimals: int) -> Line | None:
    if command.read_back is None:
        return None
    steps = [registers.resolution(at) for at in (profile.points[command.read_back].at, command.write) if at is not None]
    # one count more: the controller leaves out further digits of what it reads
    tolerance = ceil(_exactly(max(command.tolerance, *steps)) * 10**decimals) + (1 if decimals else 0)
    expected: object = command.expect
    if isinstance(expected, float):
        expected = round(expected * 10**decimals)
    return [command.read_back, tolerance, decimals, round(command.settle * 1000), expected]


def _decimals(command: Command) -> int:
    """So many digits that an argument tells apart what the device does; none for a bit."""
    assert command.write is not None
    if command.write.type == "bool":
        return 0
    return min(max(DECIMALS[0], ceil(-log10(abs(command.write.scale)))), DECIMALS[1])


def _scale(at: Location) -> Fraction:
    return _exactly(at.scale)


def _exactly(number: float) -> Fraction:
    """0.1 is 1/10, and 100/254 what it was written as."""
    return Fraction(number).limit_denominator(LARGEST)
