"""The points of all profiles by function: what the overview shows of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from device_profiles.schema import FUNCTIONS, Labels, Point, Profile


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One point, told by the devices of one or more profiles. silence_s: the longest that a working device is quiet."""

    function: str
    name: str
    labels: Labels
    unit: str
    switch: bool
    meanings: dict[str, str]
    silence_s: float
    profiles: tuple[str, ...]


def by_function(profiles: Mapping[str, Profile]) -> dict[str, list[Shown]]:
    """Functions in the schema's order, those without a point left out; points in the order of the profiles."""
    found: dict[tuple[str, str], Shown] = {}
    for profile in (profiles[name] for name in sorted(profiles)):
        for name, point in profile.points.items():
            key = profile.function_of(name), name
            found[key] = _merged(found.get(key), profile, name, point)
    shown = {function: [one for one in found.values() if one.function == function] for function in FUNCTIONS}
    return {function: points for function, points in shown.items() if points}


def headline(points: list[Shown]) -> Shown:
    """The point that most profiles of a function share, the first of these."""
    return max(points, key=lambda point: len(point.profiles))


def _merged(known: Shown | None, profile: Profile, name: str, point: Point) -> Shown:
    meanings = {str(code): text for code, text in point.values.items()}
    silence = profile.polls[point.poll].silence if point.poll is not None else 0.0
    return Shown(
        function=profile.function_of(name),
        name=name,
        labels=known.labels if known else point.labels,
        unit=known.unit if known else point.unit,
        switch=known.switch if known else point.at is not None and point.at.type == "bool",
        meanings=(known.meanings if known else {}) | meanings,
        silence_s=max(known.silence_s if known else 0.0, silence),
        profiles=(*(known.profiles if known else ()), profile.profile),
    )
