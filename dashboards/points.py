"""The points of all profiles by function: what the overview shows of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from device_profiles import vocabulary
from device_profiles.schema import FUNCTIONS, Labels, Point, Profile
from device_profiles.vocabulary import Standard


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One point, told by the devices of one or more profiles. silence_s: the longest that a working device is quiet.

    kind: number, code (a whole number that stands for something), bool or text.
    total: a number that only ever grows.
    """

    function: str
    name: str
    labels: Labels
    unit: str
    kind: str
    total: bool
    meanings: dict[str, str]
    silence_s: float
    profiles: tuple[str, ...]


def by_function(profiles: Mapping[str, Profile]) -> dict[str, list[Shown]]:
    """Functions in the schema's order, those without a point left out; the standard points first, as in the vocabulary.

    Labels, unit and kind of a standard point are the vocabulary's, whichever makers' devices tell it.
    """
    found: dict[tuple[str, str], Shown] = {}
    for profile in (profiles[name] for name in sorted(profiles)):
        for name, point in profile.points.items():
            key = profile.function_of(name), name
            found[key] = _merged(found.get(key), profile, name, point)
    shown = {function: _sorted(function, found) for function in FUNCTIONS}
    return {function: points for function, points in shown.items() if points}


def headline(points: list[Shown]) -> Shown:
    """The point that most profiles of a function share, the first of these; not what a device tells of itself."""
    common = vocabulary.vocabulary().common
    return max(points, key=lambda point: (point.name not in common, len(point.profiles)))


def _sorted(function: str, found: Mapping[tuple[str, str], Shown]) -> list[Shown]:
    order = {name: index for index, name in enumerate(vocabulary.vocabulary().points(function))}
    members = [point for (other, _), point in found.items() if other == function]
    return sorted(members, key=lambda point: order.get(point.name, len(order)))  # a maker's own as its profile has them


def _merged(known: Shown | None, profile: Profile, name: str, point: Point) -> Shown:
    function = profile.function_of(name)
    standard = vocabulary.standard(function, name)
    silence = profile.polls[point.poll].silence
    return Shown(
        function=function,
        name=name,
        labels=standard.labels if standard else known.labels if known else point.labels,
        unit=standard.unit if standard else known.unit if known else point.unit,
        kind=_kind(standard, known, point),
        total=standard is not None and standard.total,
        meanings=_meanings(standard, known.meanings if known else {}, point),
        silence_s=max(known.silence_s if known else 0.0, silence),
        profiles=(*(known.profiles if known else ()), profile.profile),
    )


def _kind(standard: Standard | None, known: Shown | None, point: Point) -> str:
    if standard is not None:
        return standard.kind
    if point.values or (known is not None and known.kind == "code"):
        return "code"
    return point.kind


def _meanings(standard: Standard | None, known: Mapping[str, str], point: Point) -> dict[str, str]:
    """Code -> text. Where two makers mean different things by one number, both are shown."""
    codes = standard.values if standard is not None and standard.values else point.values
    out = dict(known)
    for code, text in codes.items():
        texts = known.get(str(code), text).split(" / ")
        out[str(code)] = " / ".join(texts if text in texts else [*texts, text])
    return out
