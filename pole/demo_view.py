"""The demo in a terminal: one screen, drawn once a second, a pole after the other."""

import time
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from device_profiles.schema import Point, Profile
from pole.demo_state import State, alarms, events
from pole.demo_store import Latest, percentile
from simulators.city import GATEWAYS, NETWORK, PLACES, SERIAL

POLE_S = 5  # each pole is shown so long
VALUES = 18  # lines of values
ALARMS = 6


class View:
    """State -> what rich draws."""

    def __init__(self, *, commands: Sequence[tuple[str, str]], profiles: Mapping[str, Profile]) -> None:
        self._commands = commands
        # point names mean the same in every profile of a function
        self._points: dict[tuple[str, str], Point] = {
            (profile.function_of(name), name): point
            for profile in profiles.values()
            for name, point in profile.points.items()
        }

    def render(self, state: State) -> RenderableType:
        sides = Table.grid(expand=True, padding=(0, 1))
        sides.add_column(ratio=4)
        sides.add_column(ratio=5)
        sides.add_row(Group(self._nodes(state), _alarms(state), _news(state)), self._pole(state))
        return Group(_flow(state), _figures(state), sides, self._help())

    def _nodes(self, state: State) -> RenderableType:
        table = Table(expand=True, box=None, header_style="dim")
        for title in ("gateway", "on pole", "packs", "stored", "in spool", "dropped"):
            table.add_column(title, justify="left" if title in ("gateway", "on pole") else "right")
        for node in state.nodes:
            status = state.status.get(node)
            living = bool(state.running.get(node)) and status is not None and status["online"]
            cells = ["-"] * 4
            if status is not None:
                cells = [str(status[key]) for key in ("head", "stored", "pending")] + [
                    str(sum(status["dropped"].values()))
                ]
            table.add_row(Text(("● " if living else "○ ") + node, "green" if living else "red"), GATEWAYS[node], *cells)
        return table

    def _pole(self, state: State) -> RenderableType:
        pole = list(PLACES)[int(state.seconds / POLE_S) % len(PLACES)]
        place = PLACES[pole]
        table = Table(expand=True, box=None, header_style="dim")
        for title in ("function", "device", "what", "value", "age"):
            table.add_column(title, justify="right" if title in ("value", "age") else "left", no_wrap=True)
        rows = [each for each in state.stored.latest if each.pole == pole]
        function = ""
        for each in sorted(rows, key=_interest)[:VALUES]:
            table.add_row(each.function if each.function != function else "", each.device, *self._cells(each))
            function = each.function
        return Panel(table, title=f"{pole}  {place.zh}  {place.en}", title_align="left", border_style="cyan")

    def _cells(self, each: Latest) -> tuple[str, RenderableType, str]:
        point = self._points.get((each.function, each.point))
        label = f"{point.labels.en} {point.labels.zh}" if point is not None else each.point
        at_ms = max(each.time_ms, each.quality_ms)
        age = f"{time.time() - at_ms / 1000:.0f} s"
        if each.quality_ms > each.time_ms:
            return label, Text(each.quality or "", "red"), age
        return label, _value(point, each.value), age

    def _help(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_row(Text("In another terminal:", "dim"), Text("Ctrl-C stops and counts", "dim"))
        for what, command in self._commands:
            table.add_row(Text(what, "dim"), Text(command))
        return table


def _flow(state: State) -> RenderableType:
    """The way of a reading, in the folders' names."""
    spools = sum(state.pending.values())
    steps = [
        ("simulators/", f"{state.devices} devices, {len(SERIAL)} RS-485 + {len(NETWORK)} TCP", True),
        (
            "gateway/",
            f"{len(state.nodes)} gateways, {spools} packs in spools",
            all(map(state.running.get, state.nodes)),
        ),
        ("mosquitto.conf", "the broker", state.broker_answers),
        ("ingest/", "to the database", state.running.get("ingest", False)),
        ("readings.db", f"{state.stored.readings:,} readings", bool(state.stored.readings)),
    ]
    text = Text()
    for folder, what, good in steps:
        text.append(" → " if text else "", "dim")
        text.append(folder, "bold green" if good else "bold red")
        text.append(f" {what}")
    return Panel(text, title="Multipole 多功能杆", title_align="left", border_style="cyan")


def _figures(state: State) -> RenderableType:
    latencies = state.stored.latencies
    age = f"{state.age_s:.1f} s" if state.age_s is not None else "-"
    figures = {
        "poles": state.poles, "devices": state.devices, "readings/s": f"{state.rate:.0f}", "newest": age,
        "latency p50": f"{percentile(latencies, 0.5)} ms", "p99": f"{percentile(latencies, 0.99)} ms",
        "kills": state.kills, "running": f"{state.seconds:.0f} s",
    }  # fmt: skip
    text = Text(" ")
    for name, figure in figures.items():
        text.append(f"{name} ", "dim").append(f"{figure}   ", "bold")
    return text


def _alarms(state: State) -> RenderableType:
    found = [Text(alarm, "red") for alarm in alarms(state)] + [Text(event, "yellow") for event in events(state)]
    shown = found[:ALARMS] + ([Text(f"and {len(found) - ALARMS} more", "red")] if len(found) > ALARMS else [])
    return Panel(
        Group(*(shown or [Text("none", "green")])), title="alarms 告警", title_align="left", border_style="dim"
    )


def _news(state: State) -> RenderableType:
    return Panel(
        Group(*(Text(line, "dim") for line in state.news)),
        title="what happened",
        title_align="left",
        border_style="dim",
    )


def _interest(each: Latest) -> tuple[bool, str, str]:
    return each.function == "gateway" or each.point.startswith("input_"), each.function, each.device


def _value(point: Point | None, value: float | str | None) -> Text:
    if point is None or isinstance(value, str) or value is None:
        return Text(str(value))
    if point.at is not None and point.at.type == "bool":
        return Text("yes" if value else "no", "bold")
    meaning = point.values.get(int(value))
    return Text(meaning or f"{value:.6g} {point.unit}".rstrip(), "bold")
