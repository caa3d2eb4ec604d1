"""The demo in a terminal: one screen, drawn once a second, that shows one pole after the other."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dashboards.functions import LABELS, both
from device_profiles.schema import FUNCTIONS, Point, Profile
from pole.demo.state import State, alarms, events, silent_devices
from pole.demo.store import Latest, percentile
from simulators.city import CONTROLLERS, GATEWAYS, NETWORK, NODES, PLACES, SERIAL

POLE_S = 5  # each pole is shown so long
WIDEST = 136  # columns from which the nine functions stand in words
WIDE = 120  # columns from which labels stand in both languages
ROOMY = 100  # columns from which commands are explained
EXPLAINED = 22  # columns of what a command does; on a roomy terminal `.venv/bin/pole send …` then fits its line
LEFT = (46, 38)  # columns of the left side, on a wide and on a narrow terminal
LEAST_BODY = 9  # lines
FEWEST_HELP, HELP_SHARE = 2, 0.3  # lines of commands at least; share of the screen that more may take
FRAME_LINES = 4 + 1 + 1 + 1  # above the body: the flow with its frame, figures, functions, poles
NINE = FUNCTIONS[:9]
SYMBOLS = {
    "Cel": "°C",
    "%RH": "% RH",
    "ug/m3": "µg/m³",
    "deg": "°",
    "/": "",
    "count": "",
    "%EL": "%",
}  # SenML units as people write them


class View:
    """State -> what rich draws on a screen of so many columns and lines."""

    def __init__(self, *, commands: Sequence[tuple[str, str]], profiles: Mapping[str, Profile]) -> None:
        self._commands = commands
        # a point's name means the same in every profile of a function
        self._points: dict[tuple[str, str], Point] = {
            (profile.function_of(name), name): point
            for profile in profiles.values()
            for name, point in profile.points.items()
        }

    def render(self, state: State, columns: int, lines: int) -> RenderableType:
        commands, taken = self._help(columns, lines)
        body = max(LEAST_BODY, lines - FRAME_LINES - taken)
        pole = _turn(int(state.seconds / POLE_S))
        left = LEFT[columns < WIDE]
        sides = Table.grid(expand=True)
        sides.add_column(width=left)
        sides.add_column(ratio=1)
        sides.add_row(_system(state, body), self._pole(state, pole, body, columns - left))
        return Group(_flow(state), _figures(state), _functions(state, columns), _poles(state, pole), sides, commands)

    def _pole(self, state: State, pole: str, lines: int, columns: int) -> RenderableType:
        table = Table.grid(expand=True, padding=(0, 1))
        for side, ratio in (("left", None), ("left", 1), ("right", None), ("right", None)):
            table.add_column(justify=side, ratio=ratio, no_wrap=True)  # type: ignore[arg-type]
        function = ""
        for each in _fitting(
            [each for each in state.stored.latest if each.pole == pole and not _is_spare(each)], lines - 2
        ):
            heading = _heading(each.function, columns >= WIDE - LEFT[0]) if each.function != function else ""
            table.add_row(Text(heading, "cyan"), *self._cells(each, columns >= WIDE - LEFT[0]))
            function = each.function
        place = PLACES[pole]
        told_by = [f"{node}: {what}" for node, what in state.controllers.items() if NODES[node] == pole]
        return Panel(
            table, title=f"{pole} {place.zh} {place.en}", title_align="left", subtitle="".join(told_by) or None,
            subtitle_align="left", border_style="cyan",
        )  # fmt: skip

    def _cells(self, each: Latest, both: bool) -> tuple[RenderableType, RenderableType, RenderableType]:
        point = self._points.get((each.function, each.point))
        label = each.point
        if point is not None:
            label = f"{point.labels.en} {point.labels.zh}" if both else point.labels.en
        age = Text(_age((time.time() * 1000 - max(each.time_ms, each.quality_ms)) / 1000), "dim")
        shown = Text(label, overflow="ellipsis")
        if each.quality_ms > each.time_ms:
            return shown, Text(each.quality or "", "red"), age
        return shown, Text(_value(point, each.value), "bold"), age

    def _help(self, columns: int, lines: int) -> tuple[RenderableType, int]:
        """As many commands as leave the pole room, and their lines. They stand there whole: people copy them."""
        width = columns - EXPLAINED if columns >= ROOMY else columns
        table = Table.grid()
        for each in (EXPLAINED, width) if columns >= ROOMY else (width,):
            table.add_column(width=each, no_wrap=True)
        taken = 0
        for what, command in [("Ctrl-C stops, counts.", "In another terminal:"), *self._commands]:
            # cut where the line is full, as a terminal does it
            starts = range(0, len(command), width)
            if taken > FEWEST_HELP and taken + len(starts) > lines * HELP_SHARE:
                break
            for start in starts:
                shown = Text(command[start : start + width], "" if taken else "dim")
                table.add_row(*([Text("" if start else what, "dim")] if columns >= ROOMY else []), shown)
                taken += 1
        return table, taken


def _flow(state: State) -> RenderableType:
    """The way of a reading, in the folders' names; red is what does not work."""
    spools = sum(state.pending.values())
    steps = [
        (
            "simulators/",
            f"{state.poles} poles, {state.devices} devices, {len(SERIAL)} RS-485 + {len(NETWORK)} TCP",
            True,
        ),
        (
            "gateway/ edge/",
            f"{len(GATEWAYS)} + {len(CONTROLLERS)} nodes, {spools} packs in spools",
            all(state.running.get(node, False) for node in state.nodes),
        ),
        ("mosquitto.conf", "broker", state.broker_answers),
        ("ingest/", "", state.running.get("ingest", False)),
        ("readings.db", "", bool(state.stored.readings)),
    ]
    text = Text()
    for folder, what, good in steps:
        text.append(" → " if text else "", "dim")
        text.append(folder, "bold green" if good else "bold red")
        text.append(f" {what}" if what else "")
    return Panel(text, title="Multipole 多功能杆", title_align="left", border_style="cyan", height=4)


def _figures(state: State) -> RenderableType:
    half, most = (percentile(state.stored.latencies, share) for share in (0.5, 0.99))
    latency = "-" if half is None else f"p50 {half} ms, p99 {most} ms"
    figures = {
        "stored": f"{state.stored.readings:,}", "readings/s": f"{state.rate:.0f}",
        "newest": "-" if state.age_s is None else _age(state.age_s),
        "latency": latency, "kills": state.kills, "running": _age(state.seconds),
    }  # fmt: skip
    text = Text(" ", no_wrap=True)
    for name, figure in figures.items():
        text.append(f"{name} ", "dim").append(f"{figure}   ", "bold")
    return text


def _functions(state: State, columns: int) -> RenderableType:
    """The nine functions of a pole, and how many poles tell each."""
    poles: dict[str, set[str]] = {}
    for each in state.stored.latest:
        if each.quality_ms <= each.time_ms:
            poles.setdefault(each.function, set()).add(each.pole)
    text = Text(" ", no_wrap=True)
    for function in NINE:
        count = len(poles.get(function, ()))
        name = LABELS[function].en if columns >= WIDEST else function
        text.append(name, "green" if count else "dim").append(f" {count}  " if columns >= ROOMY else " ", "bold")
    return text


def _turn(number: int) -> str:
    """The pole that is shown in this turn: every other time one that has all nine functions."""
    full = list(GATEWAYS.values())
    others = [pole for pole in PLACES if pole not in full]
    return others[number // 2 % len(others)] if number % 2 else full[number // 2 % len(full)]


def _poles(state: State, shown: str) -> RenderableType:
    """Every pole: green all is well, yellow something urgent, red a device does not answer."""
    silent = {device.split("/")[0] for device, _ in silent_devices(state)}
    urgent = {event.split(":")[0] for event in events(state)}
    heard = {each.pole for each in state.stored.latest}
    text = Text(" ", no_wrap=True)
    for pole in PLACES:
        colour = "red" if pole in silent else "yellow" if pole in urgent else "green" if pole in heard else "dim"
        text.append(pole, f"{colour} reverse" if pole == shown else colour).append(" ")
    return text


def _system(state: State, lines: int) -> RenderableType:
    nodes = _nodes(state)
    rest = lines - len(state.nodes) - 1 - 4  # heading, and two frames
    found = [(alarm, "red") for alarm in alarms(state)] + [(event, "yellow") for event in events(state)]
    most = max(1, min(len(found), rest - 1))
    news = state.news[-max(1, rest - most) :]
    return Group(
        nodes, _box("alarms 告警", found[:most] or [("none", "green")]), _box("news", [(line, "dim") for line in news])
    )


def _nodes(state: State) -> RenderableType:
    table = Table.grid(expand=True, padding=(0, 1))
    for title in ("node", "pole", "stored", "in spool", "dropped"):
        table.add_column(justify="left" if title in ("node", "pole") else "right", no_wrap=True)
    table.add_row(*(Text(title, "dim") for title in (" node", "pole", "stored", "in spool", "dropped")))
    for node in state.nodes:
        status = state.status.get(node)
        living = state.running.get(node, False) and status is not None and status["online"]
        cells = ["-"] * 3
        if status is not None:
            cells = [str(status["stored"]), str(status["pending"]), str(sum(status["dropped"].values()))]
        name = Text((" ● " if living else " ○ ") + node, "green" if living else "red")
        table.add_row(name, NODES[node], *cells)
    return table


def _box(title: str, lines: Sequence[tuple[str, str]]) -> RenderableType:
    texts = [Text(text, style, no_wrap=True, overflow="ellipsis") for text, style in lines]
    return Panel(Group(*texts), title=title, title_align="left", border_style="dim", padding=0)


def _fitting(rows: list[Latest], lines: int) -> list[Latest]:
    """As many values of each function as find room together: every function is seen."""
    rows = sorted(rows, key=_interest)
    for most in range(len(rows), 1, -1):
        chosen, taken = [], Counter[str]()
        for each in rows:
            taken[each.function] += 1
            if taken[each.function] <= most:
                chosen.append(each)
        if len(chosen) <= lines:
            return chosen
    return [each for index, each in enumerate(rows) if not index or each.function != rows[index - 1].function][:lines]


def _is_spare(each: Latest) -> bool:
    return each.point.startswith("input_")  # an input that nothing is wired to


def _interest(each: Latest) -> tuple[int, str]:
    return FUNCTIONS.index(each.function) if each.function in FUNCTIONS else len(FUNCTIONS), each.device


def _heading(function: str, roomy: bool) -> str:
    if function not in LABELS:
        return function
    return both(LABELS[function]) if roomy else LABELS[function].en


def _value(point: Point | None, value: float | str | None) -> str:
    if point is None or isinstance(value, str) or value is None:
        return str(value)
    if point.kind == "bool":
        return "yes" if value else "no"
    if int(value) in point.values:
        return point.values[int(value)]
    number = f"{value:,.2f}".rstrip("0").rstrip(".")
    return f"{number} {SYMBOLS.get(point.unit, point.unit)}".rstrip()


def _age(seconds: float) -> str:
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
