"""The one thing that `pole bus write` writes: words of the command line IN, a command and its argument OUT.

A register by its address becomes a command of its own, whose argument has the range of the register's type.
"""

from dataclasses import dataclass
from typing import Any

from device_profiles.schema import BIT_TABLES, Command, Location, Profile
from device_profiles.wording import suggestion
from pole import bus_points
from pole.bus_points import Numbers
from pole.bus_target import Target

RAW = "write"
_FLOAT_MOST = 3.4e38
_BITS = {"uint16": 16, "int16": 16, "uint32": 32, "int32": 32, "uint64": 64, "int64": 64}


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be written. point: what is read before and after; None where nothing shows it."""

    profile: Profile
    action: str
    args: dict[str, Any]
    point: str | None
    is_raw: bool

    def __str__(self) -> str:
        value = next(iter(self.args.values()), None)
        if self.is_raw:
            return f"{self.point}={value:g}"
        return self.action if value is None else f"{self.action}={value}"


def order(target: Target, numbers: Numbers) -> Order:
    """The one thing that is asked for. Raises ValueError."""
    if len(target.what) != 1:
        raise ValueError("say one thing to write: a command, as in set_level=60, or a register, as in holding:0x10=5")
    name, equals, value = target.what[0].partition("=")
    if bus_points.is_address(name):
        if not equals:
            raise ValueError(f"{name}: which value? Write {name}=5")
        return _raw(target, name, _number(name, value), numbers)
    return _command(target, name, value if equals else None)


def _command(target: Target, name: str, value: str | None) -> Order:
    if target.profile is None:
        raise ValueError(f"{name} is no address (as holding:0x10=5). For a command by its name say --profile")
    command = target.profile.commands.get(name)
    if command is None:
        known = ", ".join(target.profile.commands) or "none"
        near = suggestion(name, target.profile.commands)
        raise ValueError(f"{target.profile.profile} has no command {name}.{near} It has: {known}")
    argument = next(iter(command.args), None)
    if (argument is None) != (value is None):
        wanted = f"{name}={argument.upper()}" if argument else name
        raise ValueError(f"{name}: write {wanted}")
    args = {argument: _number(name, value)} if argument is not None and value is not None else {}
    return Order(profile=target.profile, action=name, args=args, point=command.read_back, is_raw=False)


def _raw(target: Target, what: str, value: float, numbers: Numbers) -> Order:
    places = bus_points.locations(what, numbers)
    ((name, at),) = places.items() if len(places) == 1 else ((what, None),)
    if at is None:
        raise ValueError(f"{what}: one value is written at a time")
    if at.table not in ("coil", "holding"):
        raise ValueError(f"{what}: {at.table} registers are only read; coil and holding can be written")
    base = bus_points.asked(None, [what], numbers)
    labels = {"en": what, "zh": what}
    argument = {"labels": labels, "range": _range(at)}
    command = Command.model_validate({"labels": labels, "args": {"value": argument}, "write": at})
    return Order(
        profile=base.model_copy(update={"commands": {RAW: command}}), action=RAW, args={"value": value}, point=name,
        is_raw=True,
    )  # fmt: skip


def _range(at: Location) -> tuple[float, float]:
    """Every value that fits."""
    if at.table in BIT_TABLES:
        return (0, 1)
    if at.type not in _BITS:
        return (-_FLOAT_MOST, _FLOAT_MOST)
    bits, signed = _BITS[at.type], at.type.startswith("i")
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    scaled = sorted(end * at.scale + at.offset for end in ends)
    return scaled[0], scaled[1]


def _number(name: str, text: str) -> float | bool:
    if text in ("on", "true"):
        return True
    if text in ("off", "false"):
        return False
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name}: {text!r} is no number; on and off are 1 and 0") from None
