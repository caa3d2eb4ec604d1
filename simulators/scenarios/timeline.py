"""A scenario's file: what stands in it, and what cannot be true of its lines together."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from device_profiles.schema import Function, Labels, Model, Name, duration_text
from device_profiles.wording import Fault
from simulators.causes import ROADS, WHOLES
from simulators.scenarios import kinds
from simulators.scenarios.kinds import DAY, Steps
from simulators.world.city_map import DISTRICTS

NAMES = tuple(name for name, _, _ in DISTRICTS)
START = "%Y-%m-%d %H:%M"


def _start(text: object) -> datetime:
    if isinstance(text, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", text):
        try:
            return datetime.strptime(text, START)
        except ValueError:
            pass
    raise ValueError("a start is a date and a time of the city's clock, as in 2026-07-15 17:00")


def _pole(name: str) -> str:
    if not re.fullmatch(r"P\d{5}", name):
        raise ValueError("a pole is P and its number in five digits, as in P00017")
    return name


Start = Annotated[datetime, BeforeValidator(_start, json_schema_input_type=str)]
Pole = Annotated[str, AfterValidator(_pole)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[int, Field(ge=0)]


class Place(Model):
    """Which poles: each line narrows the choice, and share or count takes some of what is left, by chance."""

    near: tuple[Share, Share] | None = Field(
        default=None, description="[from the west, from the south], shares of the city's size: [0.5, 0.5] is its middle"
    )
    radius: float = Field(
        default=300, ge=1, le=100_000, description="around `near`; the nearest pole always counts as near",
        json_schema_extra={"unit": "m"},
    )  # fmt: skip
    districts: tuple[Literal[NAMES], ...] = Field(default=(), description="in these alone")  # type: ignore[valid-type]
    roads: tuple[Literal[ROADS], ...] = Field(default=(), description="along such roads alone")  # type: ignore[valid-type]
    functions: tuple[Function, ...] = Field(default=(), description="with a device of one of these functions alone")
    poles: tuple[Pole, ...] = Field(default=(), description="these alone")
    feeders: tuple[Number, ...] = Field(default=(), description="on these alone, counted from 0")
    network_cells: tuple[Number, ...] = Field(default=(), description="in these alone, counted from 0")
    whole: Literal[WHOLES] | None = Field(  # type: ignore[valid-type]
        default=None,
        description="all poles of the feeders (…) with one that is left; share and count are of feeders (…)",
    )
    share: float = Field(default=1.0, gt=0, le=1, description="some of what is left, by chance, one at least")
    count: int | None = Field(default=None, ge=1, description="so many of what is left, by chance, in place of a share")


class Entry(Model):
    """One cause: when, where, and one kind of what happens."""

    at: Steps = Field(ge=0, description="when it begins, after the scenario's beginning")
    lasts: Steps | None = Field(None, gt=0, le=400 * DAY, description="how long; to the end where left out")
    where: Place = Field(default=Place(), description="which poles; all where left out")
    say: Labels | None = Field(None, description="what the view says when it begins, in English and Chinese")
    front: kinds.Front | None = None
    weather: kinds.Weather | None = None
    crowd: kinds.Crowd | None = None
    traffic: kinds.Traffic | None = None
    plume: kinds.Plume | None = None
    outage: kinds.Outage | None = None
    sag: kinds.Sag | None = None
    offline: kinds.Offline | None = None
    rollout: kinds.Rollout | None = None
    rot: kinds.Rot | None = None
    clock: kinds.Clock | None = None
    cover: kinds.Cover | None = None
    hit: kinds.Hit | None = None
    sos: kinds.Sos | None = None
    charging: kinds.Charging | None = None
    lamps: kinds.Lamps | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, data: object) -> object:
        # `outage:` with nothing behind it says all that there is to say.
        if not isinstance(data, Mapping):
            return data
        return {key: {} if value is None and key in kinds.KINDS else value for key, value in data.items()}

    def happenings(self) -> dict[str, kinds.Kind]:
        """What happens by kind; one in a file that is right."""
        return {name: found for name in kinds.KINDS if (found := getattr(self, name)) is not None}


class Timeline(Model):
    """A scenario's file."""

    scenario: Name = Field(description="the file's name without .yaml")
    labels: Labels = Field(description="its title")
    story: Labels = Field(description="what happens and what to look at, in a few sentences")
    start: Start = Field(
        description="where it begins by the city's clock (UTC+8): the season, the sun and the streets follow"
    )
    length: Steps = Field(ge=60, le=400 * DAY, description="how long it is played where no other length is asked for")
    seed: int = Field(1, ge=0, le=2**63 - 1, description="of all chance, where no other is asked for")
    causes: tuple[Entry, ...] = Field(description="what happens, in any order")


def faults(timeline: Timeline) -> Iterator[Fault]:
    """What cannot be true of lines that are right by themselves: (key path, text)."""
    for number, entry in enumerate(timeline.causes):
        keys = ("causes", number)
        found = entry.happenings()
        if len(found) != 1:
            yield keys, _not_one(list(found))
            continue
        if entry.at >= timeline.length:
            over = f"begins when the scenario is over ({duration_text(timeline.length)})"
            yield (*keys, "at"), f"{over}. Make it earlier, or `length` longer."
        name, kind = next(iter(found.items()))
        yield from (((*keys, *more), text) for more, text in _misplaced(name, kind, entry))
        yield from (((*keys, "where", *more), text) for more, text in _place_faults(entry.where))


def _not_one(found: list[str]) -> str:
    if found:
        return f"{' and '.join(found)} are two causes: write a line for each."
    return f"nothing happens here. Write one of {', '.join(kinds.KINDS)}."


def _misplaced(name: str, kind: kinds.Kind, entry: Entry) -> Iterator[Fault]:
    given = entry.where.model_fields_set
    if kind.is_everywhere:
        if given:
            yield ("where",), f"a {name} comes over the whole city. Leave `where` out."
        if entry.lasts is not None:
            yield ("lasts",), f"a {name} ends when it has crossed the city. Leave `lasts` out."
    if kind.has_middle:
        if entry.where.near is None:
            yield ("where",), f"a {name} is at a place. Write `where: {{near: [0.5, 0.5]}}`, shares of the city's size."
        for key in sorted(given - {"near", "radius"}):
            yield ("where", key), f"a {name} is at a place, which near and radius say. Leave {key} out."
    if kind.needed and "functions" in given:
        text = f"a {name} meets only poles with {' or '.join(kind.needed)} anyway. Leave functions out."
        yield ("where", "functions"), text


def _place_faults(place: Place) -> Iterator[Fault]:
    given = place.model_fields_set
    if {"share", "count"} <= given:
        yield ("count",), "share and count are two ways of saying how many. Leave one out."
    if "radius" in given and place.near is None:
        yield ("radius",), "is around `near`, which is missing. Write near, as in [0.5, 0.5]."
