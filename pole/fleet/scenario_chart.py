"""A scenario's time line as it is drawn in a terminal: the light of the day, and a bar for each cause."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from device_profiles.schema import duration_text
from simulators.causes import FOREVER, Cause
from simulators.scenario import Scenario
from simulators.scenarios.kinds import KINDS
from simulators.world.city_map import CityMap
from simulators.world.sun import elevation

SHADES = " ░▒▓█"
TICKS_S = (60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
LABEL = 8  # columns that a time takes with what is between it and the next
TWILIGHT_DEG = -6.0  # civil twilight


@dataclass(frozen=True, kw_only=True)
class Row:
    """One cause on the map of one city. `shares`: how much of it there is by column, 0..1."""

    cause: Cause
    poles: int
    shares: list[float]

    @property
    def bar(self) -> str:
        return "".join(SHADES[math.ceil(share * (len(SHADES) - 1) - 1e-9)] for share in self.shares)


def rows(scenario: Scenario, city: CityMap, seed: int, columns: int) -> Iterator[Row]:
    """A row a cause, in the order of time."""
    for cause in scenario.causes:
        begin, end = cause.spans(city, seed)
        met = begin < FOREVER
        if cause.kind == "front":
            end = np.minimum(end, begin + crossing_s(cause, city))
        yield Row(
            cause=cause, poles=int(met.sum()),
            shares=[_share(cause, begin[met], end[met], *between) for between in _columns(scenario.length_s, columns)],
        )  # fmt: skip


def crossing_s(front: Cause, city: CityMap) -> int:
    """From its first edge's arrival at the city's edge until its band has left."""
    angle = math.radians(front.number_of("from_deg"))
    across_m = abs(city.width_m * math.sin(angle)) + abs(city.height_m * math.cos(angle))
    return math.ceil((across_m + front.number_of("width_m")) / front.number_of("speed"))


def axis(scenario: Scenario, columns: int) -> str:
    """Round times of the city's clock above the columns where they fall, as many as there is room for."""
    column_s = scenario.length_s / columns
    apart_s = next((apart for apart in TICKS_S if apart >= LABEL * column_s), scenario.length_s)
    since = scenario.start.hour * 3600 + scenario.start.minute * 60
    out = " " * columns
    for at_s in range(-since % apart_s, scenario.length_s, apart_s):
        at = round(at_s / column_s)
        out = out[:at] + f"{scenario.start + timedelta(seconds=at_s):%H:%M}" + out[at + 5 :]
    return out[:columns].rstrip()


def light(scenario: Scenario, columns: int) -> str:
    """Day, twilight and night by column."""
    middles = (sum(between) / 2 for between in _columns(scenario.length_s, columns))
    return "".join(_light(scenario.start + timedelta(seconds=middle)) for middle in middles)


def summary(cause: Cause) -> str:
    """Its values in short: `rain 70 mm/h, wind 17 m/s`; what is 0 says nothing."""
    return ", ".join(_said(cause.kind, key, value) for key, value in cause.values.items() if value)


def as_data(scenario: Scenario, city: CityMap, seed: int) -> dict[str, Any]:
    """Everything that `show` says, for a program."""
    return {
        "scenario": scenario.name, "labels": scenario.labels.model_dump(), "story": scenario.story.model_dump(),
        "start": scenario.start.isoformat(), "length_s": scenario.length_s, "seed": seed, "poles": city.poles,
        "causes": [_cause_data(scenario, row) for row in rows(scenario, city, seed, columns=1)],
    }  # fmt: skip


def _cause_data(scenario: Scenario, row: Row) -> dict[str, Any]:
    cause = row.cause
    return {
        "kind": cause.kind, "begin_s": cause.begin_s, "end_s": None if cause.end_s >= FOREVER else cause.end_s,
        "local": (scenario.start + timedelta(seconds=cause.begin_s)).isoformat(), "fade_s": cause.fade_s,
        "over_s": cause.over_s, "values": dict(cause.values), "poles": row.poles, "en": cause.en, "zh": cause.zh,
    }  # fmt: skip


def lasts(cause: Cause) -> str:
    """How long each pole is met; empty where it has no end."""
    return "" if cause.end_s >= FOREVER else duration_text(cause.end_s - cause.begin_s)


def _columns(length_s: int, columns: int) -> Iterator[tuple[float, float]]:
    return ((length_s * column / columns, length_s * (column + 1) / columns) for column in range(columns))


def _share(cause: Cause, begin: Any, end: Any, since: float, until: float) -> float:
    """What share of the poles is met at some time of a column, times how strong it is then."""
    if not len(begin):
        return 0.0
    at_work = float(((begin < until) & (end > since)).mean())
    if not at_work or not cause.fade_s:
        return at_work
    moments = (max(since, cause.begin_s), (since + until) / 2, min(until, cause.end_s) - 1)
    return at_work * max(0.01, *(cause.strength(int(moment)) for moment in moments))


def _light(moment: datetime) -> str:
    height = elevation(moment)
    return "█" if height > 0 else "▒" if height > TWILIGHT_DEG else " "


def _said(kind: str, key: str, value: float | str) -> str:
    if key == "from_deg":
        return f"from {value:g}°"
    if key == "width_m":
        return f"{value:g} m deep"
    field = KINDS[kind].model_fields[key]
    unit = field.json_schema_extra.get("unit", "") if isinstance(field.json_schema_extra, dict) else ""
    return f"{key} {value if isinstance(value, str) else f'{value:g}'}{f' {unit}' if unit else ''}"
