"""What no read can reach: values wider than a block, channels beyond the last address, polls faster than the line."""

from collections.abc import Iterator

from device_profiles.blocks import MAX_REGISTERS, address, blocks
from device_profiles.bus_time import Line, read_time
from device_profiles.schema import BIT_TABLES, WORDS, Location, ModbusDefaults, Profile
from device_profiles.site_keys import BAUD_RATES
from device_profiles.wording import Fault

_NICE = (0.5, 1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)  # periods in seconds that people write


def location(modbus: ModbusDefaults, keys: tuple[str, ...], at: Location) -> Iterator[Fault]:
    """(key path, text) where a location does not fit the device's channels."""
    channels = modbus.channels
    if channels == 1 and at.step:
        yield (*keys, "step"), f"{at.step} has no use: the device has one channel. Delete step, or set modbus.channels."
    if at.step and address(at, channels - 1) + WORDS[at.type] > 0x10000:
        last = (0x10000 - WORDS[at.type] - at.address) // at.step
        text = f"channel {channels - 1} would stand beyond address 65535: with step {at.step} the last is {last}."
        yield (*keys, "step"), f"{text} Check address, step and modbus.channels."


def _wide(modbus: ModbusDefaults, profile: Profile) -> Iterator[Fault]:
    """Values that no block read can hold."""
    block = min(modbus.block, MAX_REGISTERS)
    places = {name: point.at for name, point in profile.points.items() if point.at is not None}
    wide = {name: at for name, at in places.items() if at.table not in BIT_TABLES and WORDS[at.type] > block}
    if len(wide) == 1:
        ((name, at),) = wide.items()
        text = f"{at.type} takes {WORDS[at.type]} registers, but modbus.block allows {block} in a read."
        yield ("points", name, "at", "type"), text
    elif wide:
        most = max(WORDS[at.type] for at in wide.values())
        text = f"{block} is less than the {most} registers of {next(iter(wide))} and {len(wide) - 1} more."
        yield ("modbus", "block"), f"{text} Write how many registers the device gives in one read."


def factory_line(modbus: ModbusDefaults) -> Line:
    """The serial line as the device leaves the factory."""
    return Line(baud=modbus.baud, parity=modbus.parity, stop_bits=modbus.stop_bits)


def time_of(profile: Profile, group: str) -> float:
    """Seconds that one poll of a group takes on the factory's line; 0 for what is no Modbus device."""
    if profile.modbus is None:
        return 0.0
    line, latency = factory_line(profile.modbus), profile.modbus.latency
    return sum(read_time(line, block.table, block.count, latency) for block in blocks(profile, group))


def faults(profile: Profile) -> Iterator[Fault]:
    """(key path, text) for each point that no read reaches, and polls that the factory's line cannot carry in time."""
    if profile.modbus is None:
        return
    for name, point in profile.points.items():
        if point.at is not None:
            yield from location(profile.modbus, ("points", name, "at"), point.at)
    yield from _wide(profile.modbus, profile)
    baud = profile.modbus.baud
    if baud in BAUD_RATES:
        yield from _slow(profile, profile.modbus)
    else:
        near = min(BAUD_RATES, key=lambda known: abs(known - baud))
        text = f"{baud} is not a standard baud rate; allowed are {', '.join(map(str, BAUD_RATES))}."
        yield ("modbus", "baud"), f"{text} Did you mean {near}?"


def _slow(profile: Profile, modbus: ModbusDefaults) -> Iterator[Fault]:
    times = {name: time_of(profile, name) for name in profile.polls}
    slow = [name for name, taken in times.items() if taken > profile.polls[name].every]
    latency = modbus.latency
    if slow and latency > profile.polls[slow[0]].every:
        text = f"{latency:g} s is longer than the period of {slow[0]}, {profile.polls[slow[0]].every:g} s."
        yield ("modbus", "latency"), f"{text} A device begins its answer after milliseconds, as in 30ms."
    elif slow:
        reads = len(blocks(profile, slow[0]))
        text = (
            f"{profile.polls[slow[0]].every:g} s is too short: its {reads} read{' takes' if reads == 1 else 's take'}"
        )
        text += f" {times[slow[0]]:.2g} s at {modbus.baud} baud. Write {_nice(times[slow[0]])} or more"
        yield ("polls", slow[0], "every"), f"{text}, or read fewer registers."
    load = sum(taken / profile.polls[name].every for name, taken in times.items())
    if not slow and load > 1:
        text = f"together they take {load:.0%} of the line's time at {modbus.baud} baud, more than there is."
        yield ("polls",), f"{text} Lengthen `every` of {_heaviest(profile, times)}."


def _heaviest(profile: Profile, times: dict[str, float]) -> str:
    return max(times, key=lambda name: times[name] / profile.polls[name].every)


def _nice(wanted: float) -> str:
    found = next((period for period in _NICE if period >= wanted), wanted)
    return f"{found * 1000:g}ms" if found < 1 else f"{found:g}s"
