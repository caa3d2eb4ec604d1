"""What a controller may be told of its Modbus devices: devices and profiles IN, the lines of commands.jsonl OUT.

edge/commands.py says what stands in a line. A controller has whole numbers alone: an argument is counted in powers of
ten that are at least a hundred times finer than a step of the register.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from device_profiles import registers
from device_profiles.blocks import address
from device_profiles.bus_time import answer_wait
from device_profiles.compact import Unfit
from device_profiles.schema import WORDS, Command, Location, Point, Profile
from device_profiles.site_model import Device

Line = list[object]
_WRITE_COIL, _WRITE_REGISTER, _WRITE_REGISTERS = 5, 6, 16
_COIL_ON = 0xFF00
_FINER = 100
_SIMPLE = 1_000_000  # a scale such as 100/254 is known again by its fraction


def commands(devices: Sequence[Device], profiles: Mapping[str, Profile]) -> list[Line]:
    """All actions of all devices that speak Modbus. Raises Unfit."""
    return [line for device in devices for line in _lines(device, profiles[device.profile])]


def write(device: Device, profile: Profile, action: str) -> Line:
    """How one action is written, as it stands in a line. Raises Unfit."""
    command = profile.commands[action]
    at, modbus = command.write, profile.modbus
    if at is None or modbus is None or at.type.startswith("float"):
        kind = "no register" if at is None else f"a {at.type}"
        text = f"{device.id}: {action} of profile {profile.profile} writes {kind}. A controller writes whole numbers."
        raise Unfit(f"{text} Put the device on a bus of a gateway.")
    multiply, divide, add, mask = _scaling(at, _decimals(command, at))
    words = WORDS[at.type]
    function = _WRITE_COIL if at.table == "coil" else _WRITE_REGISTER if words == 1 else _WRITE_REGISTERS
    return [
        device.bus, device.unit, function, address(at, device.channel), words, at.word_order == "low_first",
        multiply, divide, add, mask, round(answer_wait(modbus.latency) * 1000), 0,
    ]  # fmt: skip


def _lines(device: Device, profile: Profile) -> Iterator[Line]:
    if profile.modbus is None:
        return
    for action, command in profile.commands.items():
        assert command.write is not None
        decimals = _decimals(command, command.write)
        how = write(device, profile, action)
        yield [device.id, action, _argument(command, decimals), how, _back(profile, command, decimals)]


def _argument(command: Command, decimals: int) -> Line | None:
    for name, argument in command.args.items():
        assert argument.range is not None
        low, high = argument.range
        return [name, _counted(low, decimals), _counted(high, decimals), decimals]
    return None


def _back(profile: Profile, command: Command, decimals: int) -> Line | None:
    if command.read_back is None:
        return None
    expect = command.expect
    if isinstance(expect, int | float) and not isinstance(expect, bool):
        expect = _counted(expect, decimals)
    tolerance = math.ceil(_allowed(profile.points[command.read_back], command) * 10**decimals - 1e-6)
    return [command.read_back, tolerance, decimals, round(command.settle * 1000), expect]


def _allowed(back: Point, command: Command) -> float:
    """How far the read-back may be from what was written, as gateway.commands takes it."""
    return max(command.tolerance, *(registers.resolution(at) for at in (back.at, command.write) if at is not None))


def _decimals(command: Command, at: Location) -> int:
    """Digits after the point of what is counted."""
    if at.type == "bool":
        return 0
    exact = [at.offset, command.expect, *(bound for each in command.args.values() for bound in each.range or ())]
    told = [
        Decimal(repr(number)).normalize().as_tuple().exponent for number in exact if isinstance(number, int | float)
    ]
    finer = math.ceil(math.log10(_FINER / abs(at.scale)) - 1e-9)
    return max(0, finer, *(-exponent for exponent in told if isinstance(exponent, int)))


def _scaling(at: Location, decimals: int) -> tuple[int, int, int, int]:
    """multiply, divide, add, mask: what is written is (argument - add) * divide / multiply."""
    if at.table == "coil":
        return 1, _COIL_ON, 0, 0
    if at.bit is not None:
        return 1, 1 << at.bit, 0, 1 << at.bit
    step = Fraction(at.scale).limit_denominator(_SIMPLE)
    if float(step) != at.scale:
        step = Fraction(repr(at.scale))
    step *= 10**decimals
    sign = -1 if step < 0 else 1
    return abs(step.numerator), sign * step.denominator, _counted(at.offset, decimals), 0


def _counted(number: float, decimals: int) -> int:
    return int(Decimal(repr(number)).scaleb(decimals))
