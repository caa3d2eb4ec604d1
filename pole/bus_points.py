"""WHAT to read or write, as the command line says it: a profile's points, or registers by address, as one profile."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from device_profiles.bus_time import ANSWER_LATENCIES
from device_profiles.schema import BIT_TABLES, WORDS, Labels, Location, ModbusDefaults, Point, PollGroup, Profile
from device_profiles.wording import choices, suggestion

MOST = 500  # values in one go; more is no question but a download
GROUP = "registers"
TABLES = ("coil", "discrete", "input", "holding")
_LEADING = {"coil": 0, "discrete": 1, "input": 3, "holding": 4}  # of the six-digit numbers that many manuals use
_ADDRESS = re.compile(r"(\w+):(0[xX][0-9a-fA-F]+|\d+)(?:-(0[xX][0-9a-fA-F]+|\d+))?")


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """How registers that are named by their address hold a number."""

    type: str = "uint16"
    word_order: str = "high_first"
    scale: float = 1.0
    offset: float = 0.0


def is_address(what: str) -> bool:
    """`holding:0x10`, and not a point's name."""
    return ":" in what


def locations(what: str, numbers: Numbers) -> dict[str, Location]:
    """`holding:0x10` or `input:0-7` -> where each value stands, by a name for it. Raises ValueError."""
    match = _ADDRESS.fullmatch(what)
    if match is None or match[1] not in TABLES:
        near = suggestion(what.partition(":")[0], TABLES)
        raise ValueError(f"{what!r} is no address: write TABLE:ADDRESS or TABLE:FIRST-LAST, as in holding:0x10.{near}")
    table, first = match[1], int(match[2], 0)
    last = int(match[3], 0) if match[3] else None
    width = 1 if table in BIT_TABLES else _width(numbers)
    starts = range(first, (last if last is not None else first) + 1, width)
    if not starts or first > 0xFFFF or starts[-1] + width > 0x10000:
        raise ValueError(f"{what!r}: an address is 0 to 65535, and of two the lower one comes first")
    if last is not None and (last + 1 - first) % width:
        raise ValueError(f"{what!r} are {last + 1 - first} registers, and a {numbers.type} takes {width}")
    if len(starts) > MOST:
        raise ValueError(f"{what!r} are {len(starts)} values; at most {MOST} are read in one go")
    return {f"{table}:{start}": _location(table, start, numbers) for start in starts}


def asked(profile: Profile | None, what: Sequence[str], numbers: Numbers, wait: float | None = None) -> Profile:
    """A profile of these points and registers alone; all points where nothing is named. Raises ValueError."""
    points: dict[str, Point] = {}
    for each in what:
        if is_address(each):
            points |= {name: _point(name, at) for name, at in locations(each, numbers).items()}
        else:
            points[each] = _named(profile, each)
    if not points and profile is None:
        raise ValueError("what is to be read? Name registers, as in holding:0x10 or input:0-7, or say --profile")
    return _profile(profile, points or (profile.points if profile else {}), wait)


def _named(profile: Profile | None, name: str) -> Point:
    if profile is None:
        raise ValueError(f"{name} is no address (as holding:0x10). For a point by its name say --profile")
    if name not in profile.points:
        known = f" It has {', '.join(profile.points)}."
        raise ValueError(f"{profile.profile} has no point {name}.{suggestion(name, profile.points)}{known}")
    return profile.points[name]


def _profile(base: Profile | None, points: Mapping[str, Point], wait: float | None) -> Profile:
    modbus = (
        base.modbus
        if base is not None and base.modbus is not None
        else ModbusDefaults.model_validate({"block": 125, "gap": 0})
    )
    if wait is not None:
        modbus = modbus.model_copy(update={"latency": wait / ANSWER_LATENCIES})
    polls = {GROUP: PollGroup.model_validate({"every": "10s"})} | (base.polls if base is not None else {})
    changes: dict[str, Any] = {"modbus": modbus, "points": dict(points), "polls": polls}
    if base is not None:
        return base.model_copy(update=changes)
    labels = Labels(en="registers", zh="寄存器")
    return Profile.model_construct(
        profile="registers", version=1, function="gateway", labels=labels, protocol="modbus", commands={}, **changes
    )


def _point(name: str, at: Location) -> Point:
    number = f"{_LEADING[at.table]}{at.address + 1:05d}"
    labels = {"en": f"0x{at.address:04x}", "zh": number}
    return Point.model_validate({"labels": labels, "at": at, "poll": GROUP})


def _location(table: str, address: int, numbers: Numbers) -> Location:
    if table in BIT_TABLES:
        return Location.model_validate({"table": table, "address": address})
    return Location.model_validate(
        {
            "table": table, "address": address, "type": numbers.type, "word_order": numbers.word_order,
            "scale": numbers.scale, "offset": numbers.offset,
        }
    )  # fmt: skip


def _width(numbers: Numbers) -> int:
    kinds = [name for name in WORDS if name != "bool"]
    if numbers.type not in kinds:
        raise ValueError(f"--type {numbers.type} is none of {choices(kinds)}.{suggestion(numbers.type, kinds)}")
    if numbers.word_order not in ("high_first", "low_first"):
        raise ValueError(f"--word-order {numbers.word_order} is neither high_first nor low_first")
    if numbers.scale == 0:
        raise ValueError("--scale 0 makes every value the same")
    return WORDS[numbers.type]
