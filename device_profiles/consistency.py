"""Checks of a profile that need more than one of its keys: all that `pole profile check` does without the device."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from device_profiles import command_checks, overlaps, placement, quantities, reach, vocabulary
from device_profiles.placement import COUNTERS
from device_profiles.schema import Point, Profile
from device_profiles.wording import Fault, suggestion

COUNTED = ("uint16", "int16", "uint32", "int32", "uint64", "int64")

__all__ = ["CHECKS", "COUNTERS", "by_check", "faults"]


def faults(profile: Profile) -> list[Fault]:
    """(key path, text) for each contradiction in a profile that fits the schema."""
    return [fault for found in by_check(profile).values() for fault in found]


def by_check(profile: Profile) -> dict[str, list[Fault]]:
    """The same by the name of the check. One mistake is told once: by the first check that sees the key."""
    found: dict[str, list[Fault]] = {name: [] for name in CHECKS}
    found["schema"] = placement.protocol(profile)
    if found["schema"]:
        return found
    told: set[object] = set()
    commands: set[object] = set()  # those with a mistake: what a later check says about them follows from it
    for name, check in CHECKS.items():
        fresh = [(keys, text) for keys, text in check(profile) if keys not in told and keys[:2] not in commands]
        found[name].extend(fresh)
        told.update(keys for keys, _ in fresh)
        commands.update(keys[:2] for keys, _ in fresh if keys[:1] == ("commands",))
    return found


def _schema(profile: Profile) -> Iterator[Fault]:
    yield from placement.faults(profile)
    yield from _groups(profile)
    for name, point in profile.points.items():
        yield from _ranges(("points", name), point)
        if point.kind != "number":
            yield from _of_a_number(("points", name), point)
        elif point.at is not None:
            yield from _codes(("points", name), point)


def _ranges(keys: tuple[str, str], point: Point) -> Iterator[Fault]:
    if point.range is None or point.kind != "number":
        return
    low, high = point.range
    if low >= high:
        yield (*keys, "range"), f"[{low:g}, {high:g}] is out of order: write the lowest value first."
    elif point.deadband >= high - low:
        text = f"{point.deadband:g} is as wide as the range [{low:g}, {high:g}]: nothing would ever be reported."
        yield (*keys, "deadband"), text
    elif point.emulate is not None and not quantities.is_another_scale(point):
        reached = (point.emulate.around - point.emulate.swing, point.emulate.around + point.emulate.swing)
        if reached[0] < low or reached[1] > high:
            text = f"moves from {reached[0]:g} to {reached[1]:g}, outside the range [{low:g}, {high:g}]."
            yield (*keys, "emulate"), f"{text} Change around or swing."


def _of_a_number(keys: tuple[str, str], point: Point) -> Iterator[Fault]:
    for key in ("range", "invalid", "deadband", "values", "unit"):
        if getattr(point, key) and (key != "unit" or point.own):  # the vocabulary knows the units of all others
            yield (*keys, key), f"a {point.kind} has no {key}. Delete it."


def _codes(keys: tuple[str, str], point: Point) -> Iterator[Fault]:
    assert point.at is not None
    if point.at.type not in COUNTED:
        for key in ("values", "invalid"):
            if getattr(point, key):
                yield (*keys, key), f"codes need an integer type, not {point.at.type}. Delete {key}."
    elif point.values and (point.at.scale != 1 or point.at.offset != 0):
        yield (*keys, "values"), "codes are raw numbers: a point with values has neither scale nor offset."


def _groups(profile: Profile) -> Iterator[Fault]:
    """A misspelt group is one message, however many points name it and whichever side is misspelt."""
    named: dict[str, list[str]] = {}
    for name, point in profile.points.items():
        named.setdefault(point.poll, []).append(name)
    unknown = {group: names for group, names in named.items() if group not in profile.polls}
    unused = [group for group in profile.polls if group not in named]
    for group, names in unknown.items():
        yield _unknown_group(group, names, profile.polls, unused)
    for name, poll in profile.polls.items():
        if name in unused:
            yield ("polls", name), "no point is in this group. Delete it, or name it in a point's poll."
        elif poll.silence < poll.every:
            text = f"{poll.silence:g} s is shorter than every ({poll.every:g} s): a poll reports a point at most once."
            yield ("polls", name, "silence"), text


def _unknown_group(group: str, names: list[str], polls: Collection[str], unused: list[str]) -> Fault:
    twin = next((each for each in unused if suggestion(group, [each])), None)
    if twin is None and len(unused) == 1:
        unused.clear()  # named by another name, so that it only seems unused
    if twin is not None:
        unused.remove(twin)
    if twin is not None and (len(names) > 1 or len(polls) == 1):
        return ("polls", twin), f"no point is in this group. Did you mean '{group}', as {_some(names)} write?"
    hint = suggestion(group, polls) or f" There are {', '.join(polls)}."
    more = f" So do {_some(names[1:])}." if len(names) > 1 else ""
    return ("points", names[0], "poll"), f"'{group}' is not a group of polls.{hint}{more}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _scales(profile: Profile) -> Iterator[Fault]:
    for name, point in profile.points.items():
        if point.at is not None and point.at.scale == 0:
            yield ("points", name, "at", "scale"), placement.NO_SCALE


def _units(profile: Profile) -> Iterator[Fault]:
    yield from _scales(profile)
    yield from quantities.faults(profile)


# In this order: what stands first explains what comes behind.
CHECKS: Mapping[str, Callable[[Profile], Iterable[Fault]]] = {
    "schema": _schema,
    "vocabulary": vocabulary.faults,
    "overlaps": overlaps.faults,
    "reach": reach.faults,
    "units": _units,
    "commands": command_checks.faults,
}
