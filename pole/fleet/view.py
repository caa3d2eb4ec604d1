"""The run in a terminal: one screen, drawn once a second, of the city and of the way that its readings take."""

import time
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from pole.fleet.state import State
from pole.fleet.view_map import CityMap, legend

WIDE = 100  # columns from which the colours are explained, and the way of a reading stands in one line
FIGURES = 36  # columns of the figures at least; with the smallest map that is a terminal of 80
MAP_FRAME = 4  # columns
LEGEND_COLUMNS = 64  # with the frame
FRAME = 2  # lines
LEGEND_LINES = 2
CURVE = 18  # columns
BARS = "▁▂▃▄▅▆▇█"


class View:
    """State -> what rich draws on a screen of so many columns and lines."""

    def __init__(self, *, commands: Sequence[tuple[str, str]]) -> None:
        self._commands = commands

    def render(self, state: State, columns: int, lines: int) -> RenderableType:
        way = 1 if columns >= WIDE else 2
        body = lines - FRAME - way - 1 - len(self._commands)
        city = _map(state)
        wide = city.columns(columns - FIGURES - MAP_FRAME, body - FRAME - LEGEND_LINES) + MAP_FRAME
        if columns >= WIDE:
            wide = max(wide, LEGEND_COLUMNS)
        sides = Table.grid(expand=True)
        sides.add_column(width=wide)
        sides.add_column(ratio=1)
        sides.add_row(_city(state, city, wide, body), _side(state, body))
        return Group(_way(state, way), sides, self._help())

    def _help(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_row(Text("Ctrl-C stops, counts, judges.", "dim"), Text("In another terminal:", "dim"))
        for what, command in self._commands:
            table.add_row(Text(what, "dim", no_wrap=True), Text(command, no_wrap=True))
        return table


class _Drawn:
    """Lines of segments, as they are."""

    def __init__(self, lines: list[list[Segment]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines:
            yield from line
            yield Segment.line()


def _way(state: State, lines: int) -> RenderableType:
    """The way of a reading, and the CPU of each part; red is what does not run."""
    said = state.said
    steps = [
        ("emulator", f"{said['connected']:,} of {said['nodes']:,} nodes", True),
        ("broker", f"{said['packs']:,} packs", state.running.get("broker", True)),
        ("ingest", f"{state.ingested.under_way} under way", state.running.get("ingest", True)),
        (state.store.partition(":")[0], f"{state.ingested.readings:,} readings", bool(state.ingested.readings)),
    ]
    text = Text()
    for part, what, good in steps:
        text.append(" → " if text else "", "dim").append(part, "bold green" if good else "bold red").append(f" {what}")
        if part in state.cpu:
            text.append(f" {100 * state.cpu[part]:.0f} %", "dim")
    speed = "" if state.speed == 1 else " · as fast as it goes" if state.speed is None else f" · speed {state.speed:g}"
    title = f"Multipole 多功能杆 · {state.title} · {said['poles']:,} poles{speed}"
    return Panel(text, title=title, title_align="left", border_style="cyan", height=FRAME + lines)


def _map(state: State) -> CityMap:
    return CityMap(cells=state.said["map"], sun_deg=state.said["weather"]["sun"], blink=int(time.monotonic()) % 2 == 0)


def _city(state: State, city: CityMap, columns: int, lines: int) -> RenderableType:
    explained = [legend()] if columns >= LEGEND_COLUMNS else []
    room = lines - FRAME - LEGEND_LINES * len(explained)
    drawn = city.lines(columns - MAP_FRAME, room)[:room]
    day, _, clock = state.said["local"].partition("T")
    below = [[Segment(" ")]] * (room - len(drawn))
    return Panel(
        Group(_Drawn([*drawn, *below]), *explained),
        title=f"{clock} · {day} · {_of_day(state.said['weather']['sun'])}", title_align="left", border_style="cyan",
        padding=(0, 1),
    )  # fmt: skip


def _of_day(sun_deg: float) -> str:
    return "day 白天" if sun_deg > 6 else "night 夜间" if sun_deg < -6 else "twilight 晨昏"


def _side(state: State, lines: int) -> RenderableType:
    figures = _figures(state)
    rest = max(2, lines - len(figures) - 3 * FRAME)
    alarms, news = _alarms(state), _news(state)
    most = max(1, min(len(alarms), rest // 2))
    return Group(
        _box("weather 天气 · figures 数据", figures),
        _box("alarms 告警", _lines(alarms[-most:] or [("none 无", "green")])),
        _box("news 动态", _lines(news[most - rest :])),
    )


def _alarms(state: State) -> list[tuple[str, str]]:
    return [(f"{each['time']} {each['pole']} {each['zh']} {each['en']}", "red") for each in state.said["alarms"]]


def _news(state: State) -> list[tuple[str, str]]:
    """Of the run, of the city, and what comes next."""
    news = [(line, "dim") for line in state.news]
    news += [(f"{each['time']} {each['zh']} {each['en']}", "") for each in state.said["news"]]
    if state.next is not None:
        news.append((f"in {_length(state.next[0])}: {state.next[1]}", "dim"))
    return news


def _figures(state: State) -> list[Text]:
    said = state.said
    weather, latency = said["weather"], said["latency_ms"]
    rate = state.rates[-1] if state.rates else 0.0
    shown = [
        [("", f"{weather['temperature']:.1f} °C"), ("PM2.5", f"{weather['pm2_5']:.0f} µg/m³")],
        [("rain", f"{weather['rain']:.1f} mm/h"), ("wind", f"{weather['wind']:.1f} m/s")],
        [("readings", f"{said['readings']:,}"), ("running", _length(state.seconds))],
        [("a second", f"{rate:,.0f} "), (_curve(list(state.rates)[-CURVE:]), "")],
        [("packs stored", f"{said['stored']:,}"), ("wait", f"{said['pending']:,}")],
        [
            ("dropped", f"{said['dropped']:,}"),
            ("resent", f"{said['resent']:,}"),
            ("behind", f"{said['behind_s']:.0f} s"),
        ],
        [("no power", f"{said['dark']:,}"), ("no network", f"{said['offline']:,}")],
        [("confirmed p50", _ms(latency["p50"])), ("p99", _ms(latency["p99"]))],
    ]
    return [_row(pairs) for pairs in shown]


def _row(pairs: Sequence[tuple[str, str]]) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for name, figure in pairs:
        text.append(f"{name} " if name else "", "dim").append(f"{figure}  ", "bold")
    return text


def _curve(rates: Sequence[float]) -> str:
    most = max(rates, default=0.0) or 1.0
    return "".join(BARS[min(len(BARS) - 1, int(rate / most * len(BARS)))] for rate in rates)


def _lines(lines: Sequence[tuple[str, str]]) -> list[Text]:
    return [Text(text, style, no_wrap=True, overflow="ellipsis") for text, style in lines]


def _box(title: str, lines: Sequence[Text]) -> RenderableType:
    return Panel(Group(*lines), title=title, title_align="left", border_style="dim", padding=0)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _length(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{rest} s" if not minutes else f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
