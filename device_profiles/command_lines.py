"""commands.jsonl: what a controller's devices may be told, a line for each action, as edge/commands.py reads it.

Modbus devices are told as device_profiles/compact_commands.py has it. The controller's lamp, be it at a pin or on a
bus, has the same four actions whatever its profile, because the controller keeps its schedule and what overrides it:

    ["P0017/lamp-1", "set_level", ["level", 0, 100, 0], ["lamp"], ["level", 0, 0, 0, null]], and on, off, auto
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from device_profiles import compact_commands, controller_checks
from device_profiles.compact_commands import Line
from device_profiles.schema import Profile
from device_profiles.site_buses import UartBus
from device_profiles.site_model import Device, Site

MULTIPLY, DIVIDE, ADD = 6, 7, 8  # places in what is written


def lines(site: Site, node: str, profiles: Mapping[str, Profile]) -> Iterator[Line]:
    """The devices in the site file's order, their actions in the profile's. Raises compact.Unfit."""
    lamp = controller_checks.lamp_of(site, node)
    for device in site.devices_of(node):
        if device == lamp:
            yield from _of_lamp(device, profiles[device.profile])
        elif isinstance(site.buses[device.bus], UartBus):
            yield from compact_commands.commands([device], profiles)


def level_written(device: Device, profile: Profile) -> Line:
    """How the level of a lamp on a bus is written: in whole percent. Raises compact.Unfit."""
    for _, action, argument, written, _ in compact_commands.commands([device], {device.profile: profile}):
        if action == "set_level":
            assert isinstance(argument, list)
            assert isinstance(written, list)
            unit = 10 ** argument[3]
            factor = Fraction(written[DIVIDE] * unit, written[MULTIPLY])
            found = list(written)
            found[MULTIPLY : ADD + 1] = [factor.denominator, factor.numerator, written[ADD] // unit]
            return found
    raise AssertionError(f"{profile.profile} has no set_level")  # controller_checks.is_lamp


def _of_lamp(device: Device, profile: Profile) -> Iterator[Line]:
    ((name, argument),) = profile.commands["set_level"].args.items()
    assert argument.range is not None
    low, high = (round(bound) for bound in argument.range)
    yield [device.id, "set_level", [name, low, high, 0], ["lamp"], ["level", 0, 0, 0, None]]
    for action, shown in (("on", True), ("off", False)):
        back: Line = ["on", 0, 0, 0, shown] if "on" in profile.points else ["level", 0, 0, 0, 100 * shown]
        yield [device.id, action, None, ["lamp"], back]
    yield [device.id, "auto", None, ["lamp"], None]
