"""The standard points: what several makers tell has one name and one unit, so their devices give the same series."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from device_profiles import problems, units
from device_profiles.schema import FUNCTIONS, Function, Labels, Model, Point, PointName, Profile
from device_profiles.wording import Fault, suggestion

FILE = Path(__file__).parent / "vocabulary.yaml"
KINDS = {
    "number": "a number",
    "code": "a whole number that stands for something",
    "bool": "true or false",
    "text": "a text",
}
Factor = Annotated[str, StringConstraints(pattern=r"^(a[0-9]{5}|L[A-Za-z0-9]+)$")]
Resource = Annotated[str, StringConstraints(pattern=r"^/[0-9]+/0/[0-9]+$")]
Dotted = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*(\.[A-Za-z0-9-]+)+$")]


class Names(Model):
    """What others call the same quantity."""

    talq: Dotted | None = Field(default=None, description="TALQ Smart City Protocol 2.7.1: function.attribute")
    fiware: Dotted | None = Field(default=None, description="FIWARE / NGSI-LD smart data model: model.property")
    hj212: Factor | None = Field(default=None, description="factor code of HJ 212-2017")
    lwm2m: Resource | None = Field(default=None, description="OMA LwM2M registry: /object/instance/resource")


class Standard(Model):
    """One quantity that devices of a function tell, whoever made them."""

    kind: Literal["number", "code", "bool", "text"] = "number"
    unit: str = Field("", description="SenML unit (RFC 8428 and RFC 8798), empty where there is none")
    meaning: str = Field(min_length=10, description="one sentence or two; the unit need not be said again")
    labels: Labels
    values: dict[int, str] = Field(
        default_factory=dict, description="meaning of each code, where it is the same for all"
    )
    total: bool = Field(default=False, description="it only ever grows; how fast it does is what says something")
    names: Names = Field(default_factory=Names)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.unit and (self.kind != "number" or self.unit not in units.SENML):
            raise ValueError(f"unit '{self.unit}': a number has a unit of SenML, a {self.kind} has none")
        if self.values and self.kind != "code":
            raise ValueError("only a code has values")
        if self.total and self.kind != "number":
            raise ValueError("only a number can be a total")
        return self


class Vocabulary(Model):
    common: dict[PointName, Standard] = Field(description="allowed in every function: what a device tells about itself")
    functions: dict[Function, dict[PointName, Standard]]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [function for function in FUNCTIONS if function not in self.functions]
        if missing:
            raise ValueError(f"{', '.join(missing)}: no points")
        for function, points in self.functions.items():
            if both := self.common.keys() & points:
                raise ValueError(f"{', '.join(sorted(both))}: under {function} and under common")
        return self

    def points(self, function: str) -> Mapping[str, Standard]:
        """The standard points of a function, those that every function has behind them."""
        return self.functions[function] | self.common


@cache
def vocabulary() -> Vocabulary:
    """The shipped vocabulary. Raises FileProblem."""
    return problems.check(Vocabulary, problems.read_yaml(FILE), FILE)


def standard(function: str, name: str) -> Standard | None:
    """A function's standard point; None where the name is no standard one."""
    return vocabulary().points(function).get(name)


def faults(profile: Profile) -> list[Fault]:
    """(key path, text) for each point that is neither a standard one nor its maker's own."""
    found: list[Fault] = []
    for name, point in profile.points.items():
        found.extend(_point(("points", name), profile.function_of(name), point))
    return found


def _point(keys: tuple[str, str], function: str, point: Point) -> Iterator[Fault]:
    name = keys[1]
    known = standard(function, name)
    if known is not None and point.own:
        text = f"true, but {name} is a standard point of {function}: {known.meaning}"
        yield (*keys, "own"), f"{text} Delete the line, or rename the point if it means something else."
    elif known is not None:
        yield from _against(keys, function, point, known)
    elif not point.own:
        yield keys, _unknown(function, name)
    elif point.unit not in units.SENML | {""}:
        yield (*keys, "unit"), _unregistered(point.unit)


def _against(keys: tuple[str, str], function: str, point: Point, known: Standard) -> Iterator[Fault]:
    """Where a point differs from the standard one: a series has one kind, one unit and one meaning of a code."""
    told = point.kind
    if told != ("number" if known.kind == "code" else known.kind):
        text = f"{keys[1]} of {function} is {KINDS[known.kind]} for every maker, but {KINDS[told]} is read here."
        yield keys, f"{text} One series holds one kind: read it otherwise, or rename the point, with `own: true`."
    elif point.unit != known.unit:
        yield (*keys, "unit"), _other_unit(f"{keys[1]} of {function}", point.unit, known.unit)
    elif known.values and any(known.values.get(code) != text for code, text in point.values.items()):
        wanted = ", ".join(f"{code}: {text}" for code, text in known.values.items())
        text = f"{keys[1]} of {function} has the same codes for every maker: {{{wanted}}}."
        yield (*keys, "values"), f"{text} Write these, or rename the point, with `own: true`."


def _unknown(function: str, name: str) -> str:
    text = f"'{name}' is not a standard point of {function}."
    if hint := suggestion(name, vocabulary().points(function)):
        return f"{text}{hint} If it is a quantity of this maker's own, write `own: true`."
    elsewhere = [other for other, points in vocabulary().functions.items() if name in points]
    if elsewhere:
        return f"{text} It is one of {', '.join(elsewhere)}: write `function:` if it belongs there, or `own: true`."
    return f"{text} docs/vocabulary.md lists them all. If it is a quantity of this maker's own, write `own: true`."


def _unregistered(unit: str) -> str:
    text = f"'{unit}' is not a unit of SenML (RFC 8428, RFC 8798)."
    used = {known.unit for points in vocabulary().functions.values() for known in points.values()}
    for new in sorted(units.SENML, key=lambda new: (new not in used, new)):
        times = units.factor(unit, new)
        if times is not None:
            return f"{text} Write {new}{_scaled(times)}."
    return text + (suggestion(unit, units.SENML) or " Leave it out where there is none.")


def _other_unit(what: str, old: str, new: str) -> str:
    if not new:
        return f"'{old}', but {what} has no unit. Delete the line."
    if not old:
        return f"is missing: {what} is told in {new} by every maker."
    text = f"'{old}', but {what} is told in {new} by every maker."
    times = units.factor(old, new)
    if times is None:
        return f"{text} Convert it by scale and offset, or rename the point, with `own: true`."
    return f"{text} Write {new}{_scaled(times)}."


def _scaled(times: float) -> str:
    return "" if times == 1 else f" and multiply scale, range, deadband and emulate by {times:g}"
