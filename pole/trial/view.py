"""A round as people read it: a table, and what the device answered to each request; or as JSON."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from device_profiles.items import Value
from device_profiles.schema import Point, Profile
from pole.trial.outcome import Round, Shown


def table(profile: Profile, done: Round) -> RenderableType:
    """Raw words beside values, then the requests that failed."""
    columns = [
        Column("point", no_wrap=True), Column("label", overflow="fold"), Column("raw", overflow="fold"),
        Column("value", justify="right", overflow="fold"),
    ]  # fmt: skip
    if any(each.hints for each in done.shown.values()):
        columns.append(Column("looks wrong; other readings", overflow="fold"))
    rows = Table(*columns, box=None, pad_edge=False)
    for name, point in profile.points.items():
        rows.add_row(*_cells(name, point, done.shown.get(name))[: len(columns)])
    return Group(rows, *_requests(done))


def _cells(name: str, point: Point, shown: Shown | None) -> tuple[Text, ...]:
    label = f"{point.labels.en} {point.labels.zh}"
    if shown is None:
        return Text(name), Text(label), Text("-"), Text("not read", style="red"), Text("")
    value = Text(told(point, shown.value)) if shown.value is not None else Text(shown.quality or "", style="red")
    return Text(name), Text(label), Text(shown.raw), value, Text("; ".join(shown.hints), style="yellow")


def told(point: Point, value: Value) -> str:
    """A value with its unit, or the meaning of its code."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and value in point.values:
        return f"{value} ({point.values[int(value)]})"
    return f"{value} {point.unit}".strip()


def _requests(done: Round) -> Iterator[Text]:
    good = sum(each.error is None for each in done.asked)
    yield Text(f"{good} of {len(done.asked)} requests answered" if done.asked else "nothing was asked")
    for each in done.asked:
        if each.error is not None:
            remedy = f"; {each.remedy}" if each.remedy else ""
            yield Text(f"  {each.what}: {each.error}{remedy}", style="red")


def document(profile: Profile, done: Round) -> dict[str, Any]:
    """The same for programs."""
    reasons = {each.error.quality for each in done.asked if each.error is not None}
    missed = reasons.pop() if len(reasons) == 1 else None  # which request a point was in is not kept
    return {
        "profile": profile.profile,
        "answered": done.answered,
        "requests": [
            {"what": each.what, "error": str(each.error) if each.error else None, "remedy": each.remedy or None}
            for each in done.asked
        ],
        "points": [_entry(name, point, done.shown.get(name), missed) for name, point in profile.points.items()],
    }


def _entry(name: str, point: Point, shown: Shown | None, missed: str | None) -> dict[str, Any]:
    return {
        "point": name, "labels": point.labels.model_dump(), "unit": point.unit, "raw": shown.raw if shown else None,
        "value": shown.value if shown else None, "quality": shown.quality if shown else missed,
        "hints": list(shown.hints) if shown else [],
    }  # fmt: skip
