"""The city as cells of colour. A cell is two columns wide and a line high, or a multiple of it;
where there is less room, a column and half a line.

Colours say: temperature by day, light by night, rain, water on the street, power, network, alarms.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

Rgb = tuple[int, int, int]

NOTHING: Rgb = (16, 18, 24)  # no pole stands there
COLD, MILD, HOT = (70, 110, 190), (88, 140, 84), (206, 110, 58)
COLD_C, MILD_C, HOT_C = 0.0, 18.0, 36.0
NIGHT: Rgb = (26, 30, 48)
LAMP: Rgb = (246, 214, 130)
RAIN: Rgb = (60, 120, 235)
WATER: Rgb = (40, 235, 235)
DARK: Rgb = (58, 4, 8)
OFFLINE: Rgb = (176, 64, 196)
ALARM: Rgb = (255, 40, 40)
FULL_RAIN_MM_H = 30.0
ROAD_M, FLOOD_M = 0.9, 1.2  # above a drain's bottom: where the road is, and water on it that stops cars
DAY_DEG, NIGHT_DEG = 6.0, -6.0  # the sun above is day, below is night
LEGEND = (
    ("temperature 气温", MILD), ("lamps 灯光", LAMP), ("rain 雨", RAIN), ("water 积水", WATER), ("no power 停电", DARK),
    ("no network 断网", OFFLINE), ("alarm 告警", ALARM),
)  # fmt: skip

LEGEND_BREAK = 4  # the first name of its second line


class CityMap:
    """The emulator's map in as many columns and lines as there are; `lines` draws it."""

    def __init__(self, *, cells: Mapping[str, Any], sun_deg: float, blink: bool) -> None:
        self._cells = cells
        self._day = _between(sun_deg, NIGHT_DEG, DAY_DEG)
        self._blink = blink

    def columns(self, columns: int, lines: int) -> int:
        """How many of them the picture takes."""
        wide: int = self._cells["columns"]
        return wide * max(1, self._size(columns, lines) // 2 * 2)

    def lines(self, columns: int, lines: int) -> list[list[Segment]]:
        """The largest picture that fits; its north is above."""
        size = self._size(columns, lines)
        if size < 2:
            return self._halved()
        return [
            [Segment(" " * (size // 2 * 2), Style(bgcolor=Color.from_rgb(*colour))) for colour in row]
            for row in self._rows()
            for _ in range(size // 2)
        ]

    def _size(self, columns: int, lines: int) -> int:
        """Columns of a cell, and twice its lines."""
        return int(min(columns // self._cells["columns"], 2 * lines // self._cells["rows"]))

    def _halved(self) -> list[list[Segment]]:
        rows = list(self._rows())
        rows += [[NOTHING] * len(rows[0])] * (len(rows) % 2)
        return [
            [_halves(upper, lower) for upper, lower in zip(rows[at], rows[at + 1], strict=True)]
            for at in range(0, len(rows), 2)
        ]

    def _rows(self) -> Iterator[list[Rgb]]:
        for row in range(self._cells["rows"]):
            yield [self._colour(row, column) for column in range(self._cells["columns"])]

    def _colour(self, row: int, column: int) -> Rgb:
        def at(name: str) -> float:
            return float(self._cells[name][row][column] or 0)

        if not at("poles"):
            return NOTHING
        if at("alarms") and self._blink:
            return ALARM
        ground = _blend(_temperature(at("temperature")), NIGHT, 0.85 * (1 - self._day))
        lit = _blend(ground, LAMP, 0.75 * at("lit") * (1 - 0.7 * self._day))
        wet = _blend(lit, RAIN, 0.85 * _between(at("rain"), 0, FULL_RAIN_MM_H) ** 0.5)
        flooded = _blend(wet, WATER, _between(at("water"), ROAD_M, FLOOD_M))
        powered = _blend(flooded, DARK, at("dark"))
        return _blend(powered, OFFLINE, at("offline"))


def legend() -> Text:
    """What the colours say."""
    text = Text()
    for number, (name, colour) in enumerate(LEGEND):
        text.append("\n" if number == LEGEND_BREAK else "").append("■ ", Style(color=Color.from_rgb(*colour)))
        text.append(f"{name}  ", "dim")
    return text


def _temperature(celsius: float) -> Rgb:
    if celsius < MILD_C:
        return _blend(COLD, MILD, _between(celsius, COLD_C, MILD_C))
    return _blend(MILD, HOT, _between(celsius, MILD_C, HOT_C))


def _between(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _blend(under: Rgb, over: Rgb, share: float) -> Rgb:
    red, green, blue = (round(one + (other - one) * share) for one, other in zip(under, over, strict=True))
    return red, green, blue


def _halves(upper: Rgb, lower: Rgb) -> Segment:
    return Segment("▀", Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
