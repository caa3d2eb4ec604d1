"""Which point each row of a register table becomes, and which like device's point it resembles."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from device_profiles import registers, units
from device_profiles.drafts import matching
from device_profiles.drafts.table import Row
from device_profiles.schema import Location, Point, Profile
from device_profiles.vocabulary import vocabulary

LONGEST_NAME = 40
LATER_H = 5 * 8760.0  # a counter of the emulator must still fit its registers in five years


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A row that becomes a point; match is None where the point is its maker's own."""

    name: str
    row: Row
    match: matching.Match | None
    like: tuple[str, Point] | None  # of which profile


def nearest(function: str, points: Iterable[str], profiles: Iterable[Profile]) -> list[tuple[Profile, int]]:
    """Profiles of a function, the one that shares most points first, with how many it shares."""
    wanted = set(points)
    near = [(profile, len(wanted & profile.points.keys())) for profile in profiles if profile.function == function]
    return sorted(
        near,
        key=lambda pair: (
            -pair[1],
            abs(len(pair[0].points) - len(wanted)) if wanted else -len(pair[0].points),
            pair[0].profile,
        ),
    )


def choose(
    function: str, rows: Sequence[Row], likes: Sequence[Profile], known_only: bool
) -> tuple[list[Chosen], list[tuple[int, str]]]:
    """The rows with their points' names. Where two rows are the same point, the better match has it."""
    matches = {
        row.line: None if matching.is_setting(row.name) else
        matching.best(function, row.name, row.unit, boolean=row.type == "bool") for row in rows
    }  # fmt: skip
    owner: dict[str, Row] = {}
    for row in rows:
        match = matches[row.line]
        if match is not None:
            other = owner.get(match.point)
            held = matches[other.line] if other is not None else None
            if held is None or match.score > held.score:
                owner[match.point] = row
    chosen: list[Chosen] = []
    left_out: list[tuple[int, str]] = []
    for row in rows:
        match = matches[row.line]
        if match is not None and owner[match.point] is row:
            like = _like(function, match.point, row, match, likes)
            chosen.append(Chosen(name=match.point, row=row, match=match, like=like))
        elif matching.is_setting(row.name):
            left_out.append((row.line, f"{row.table} {row.address}: {row.name}: a setting"))
        elif known_only:
            left_out.append((row.line, f"{row.table} {row.address}: {row.name}: no standard point"))
        else:
            name = _own_name(function, row, {each.name for each in chosen} | owner.keys())
            chosen.append(Chosen(name=name, row=row, match=None, like=None))
    return chosen, left_out


def _own_name(function: str, row: Row, taken: set[str]) -> str:
    said = row.short or row.name
    slug = re.sub(r"[^a-z0-9]+", "_", said.lower()).strip("_")[:LONGEST_NAME].strip("_")
    if len(re.sub(r"[^a-z]", "", slug)) < 2 or not said.isascii():
        slug = f"{row.table}_{row.address}" + (f"_{row.bit}" if row.bit is not None else "")
    slug = slug if slug[0].isalpha() else f"r_{slug}"
    if slug in vocabulary().points(function):
        slug = f"{slug}_own"
    number, name = 2, slug
    while name in taken:
        name, number = f"{slug}_{number}", number + 1
    return name


def _like(
    function: str, name: str, row: Row, match: matching.Match, likes: Sequence[Profile]
) -> tuple[str, Point] | None:
    """The same point of a like device, where what it says of range and emulation fits these registers."""
    at = _location(row, scale_of(row, match.standard.unit))
    for profile in likes:
        point = profile.points.get(name)
        if point is None or profile.function_of(name) != function or point.unit != match.standard.unit:
            continue
        if _fits(at, point):
            return profile.profile, point
    return None


def _fits(at: Location, point: Point) -> bool:
    if at.type == "bool" or point.kind == "bool":
        return at.type == "bool" and point.kind == "bool"
    reach = [*(point.range or ())]
    if point.emulate is not None:
        swing = point.emulate.swing + point.emulate.noise
        low, high = point.emulate.around - swing, point.emulate.around + swing + LATER_H * point.emulate.grow
        reach = [max(low, min(reach, default=low)), min(high, max(reach, default=high))]
    try:
        for value in reach:
            registers.words(at, value)
    except ValueError:
        return False
    return True


def _location(row: Row, scale: float) -> Location:
    return Location.model_validate({
        "table": row.table, "address": row.address, "type": row.type, "bit": row.bit, "scale": scale,
        "word_order": row.word_order or "high_first",
    })  # fmt: skip


def scale_of(row: Row, unit: str) -> float:
    """Raw number -> value in a unit, where the maker tells it in another."""
    times = units.factor(row.unit, unit) if row.unit and unit else 1.0
    return registers.shortened(row.scale * (times or 1.0)) if row.type != "bool" else 1.0
