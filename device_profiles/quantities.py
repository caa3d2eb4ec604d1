"""Units that do not fit their numbers: a percent that is a ratio, an argument that is read back in another unit."""

from collections.abc import Iterator

from device_profiles import units
from device_profiles.schema import Command, Point, Profile
from device_profiles.vocabulary import standard
from device_profiles.wording import Fault, suggestion

PERCENTS = ("%", "%RH", "%EL")
RATIOS = ("/", "EL")
_SPELT = {
    "second": "s", "seconds": "s", "sec": "s", "minute": "min", "minutes": "min", "hours": "h", "percent": "%",
    "volt": "V", "volts": "V", "ampere": "A", "amps": "A", "watt": "W", "watts": "W", "meter": "m", "metre": "m",
    "degree": "deg", "degrees": "deg", "celsius": "Cel", "°c": "Cel", "℃": "Cel", "lux": "lx", "hertz": "Hz",
}  # fmt: skip


def faults(profile: Profile) -> Iterator[Fault]:
    """(key path, text) for each unit that is none of SenML's, or that the numbers beside it contradict."""
    for name, point in profile.points.items():
        yield from _ratio(("points", name), point)
    for name, command in profile.commands.items():
        yield from _argument(profile, ("commands", name), command)


def is_another_scale(point: Point) -> bool:
    """True where a range to 1 stands beside a percent, or one to 100 beside a ratio."""
    if point.range is None or point.kind != "number":
        return False
    most = max(abs(point.range[0]), abs(point.range[1]))
    return (point.unit in PERCENTS and most <= 1) or (point.unit in RATIOS and most >= 50)


def _ratio(keys: tuple[str, ...], point: Point) -> Iterator[Fault]:
    if point.range is None or not is_another_scale(point):
        return
    if point.unit in PERCENTS:
        text = f"ends at {point.range[1]:g}, but {point.unit} counts to 100."
        yield (*keys, "range"), f"{text} Write [0, 100]; where the device sends a ratio, multiply scale by 100."
    else:
        text = f"ends at {point.range[1]:g}, but the unit {point.unit} is a ratio, which is 1 where all is meant."
        yield (*keys, "range"), f"{text} Where the device sends percent, divide scale and range by 100."


def _argument(profile: Profile, keys: tuple[str, ...], command: Command) -> Iterator[Fault]:
    back = profile.points.get(command.read_back or "")
    for name, argument in command.args.items():
        here = (*keys, "args", name)
        if argument.unit and argument.length is not None:
            yield (*here, "unit"), "a text has no unit. Delete it."
        elif argument.unit not in units.SENML | {""}:
            yield (*here, "unit"), _unregistered(argument.unit, back)
        elif back is not None and argument.range is not None and _differs(profile, command, back, argument.unit):
            told = f"'{argument.unit}'" if argument.unit else "is missing"
            wanted = f"in {back.unit}" if back.unit else "without a unit"
            text = f"{told}, but {command.read_back}, which is read back, is told {wanted}."
            yield (*here, "unit"), f"{text} What is asked for and what is read back have one unit."


def _differs(profile: Profile, command: Command, back: Point, unit: str) -> bool:
    known = standard(profile.function_of(command.read_back or ""), command.read_back or "")
    is_itself_wrong = back.unit not in units.SENML | {""} if known is None else known.unit != back.unit
    return command.expect is None and back.kind == "number" and unit != back.unit and not is_itself_wrong


def _unregistered(unit: str, back: Point | None) -> str:
    meant = back.unit if back is not None else _SPELT.get(unit.lower())
    near = f" Write {meant}." if meant else suggestion(unit, units.SENML)
    return f"'{unit}' is not a unit of SenML (RFC 8428, RFC 8798).{near or ' Leave it out where there is none.'}"
