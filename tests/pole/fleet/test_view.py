from copy import deepcopy

import pytest
from rich.console import Console

from pole.fleet.figures import Ingested
from pole.fleet.state import State, line
from pole.fleet.view import View
from pole.fleet.view_map import ALARM, DARK, LAMP, NOTHING, OFFLINE, RAIN, WATER, CityMap
from tests.pole.fleet.emulator import STATE

COMMANDS = [("readings of a pole", "pole query --config fleet-run/ingest.yaml --pole P00006 --since 1d")]


def state(**changes) -> State:
    shown = State(
        title="Thunderstorm 雷暴", speed=1.0, store="sqlite:readings.db", for_s=7200,
        coming=((300, "too late"), (700, "积水 water rises")), said=deepcopy(STATE),
        ingested=Ingested(readings=960, packs=80, under_way=2), running={"broker": True, "ingest": True},
        cpu={"emulator": 0.12, "broker": 0.04, "ingest": 0.3}, news=["started ingest"],
    )  # fmt: skip
    for name, value in changes.items():
        setattr(shown, name, value)
    return shown


def drawn(shown: State, columns: int, lines: int) -> list[str]:
    console = Console(width=columns, height=lines, force_terminal=False)
    with console.capture() as capture:
        console.print(View(commands=COMMANDS).render(shown, columns, lines))
    return capture.get().splitlines()


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (100, 30), (110, 36), (132, 36), (200, 60)])
def test_it_fits_the_screen_and_says_what_happens(columns, lines):
    text = drawn(state(), columns, lines)
    assert len(text) <= lines
    page = "\n".join(text)
    for wanted in (
        "17:10:30",
        "5 of 6 nodes",
        "sqlite",
        "31.2 °C",
        "P00017 井盖打开",
        "雷暴来临",
        "in 1 min 10 s",
        "p50 11 ms",
    ):
        assert wanted in page, wanted
    assert "too late" not in page


def test_a_city_without_alarms_and_news_is_drawn():
    quiet = state(coming=(), news=[])
    quiet.said |= {"alarms": [], "news": [], "latency_ms": {"p50": None, "p99": None}}
    assert "none 无" in "\n".join(drawn(quiet, 132, 36))


def test_what_does_not_run_is_said_in_lines():
    assert "ingest: no process" in line(state(running={"broker": True, "ingest": False}))
    assert "builds" in line(state(said={}))
    text = line(state())
    assert "5 of 6 nodes connected (dark 1, offline 2)" in text
    assert "80 of 90 stored, 10 wait" in text


def colours(*, blink: bool = False, sun_deg: float = -20.0, columns: int = 4, lines: int = 2):
    cells = CityMap(cells=STATE["map"], sun_deg=sun_deg, blink=blink)
    rows = [[segment.style.bgcolor.triplet for segment in row] for row in cells.lines(columns, lines)]
    return [[tuple(colour) for colour in row] for row in rows]


def near(one, other) -> int:
    return sum(abs(left - right) for left, right in zip(one, other, strict=True))


def test_the_colours_are_those_of_what_happens():
    (offline, flooded), (empty, dark) = colours()
    assert (offline, flooded, empty, dark) == (OFFLINE, WATER, NOTHING, DARK)
    assert colours(blink=True)[0][1] == ALARM


def test_rain_and_lamps_are_seen_and_days_are_lighter_than_nights():
    cells = deepcopy(STATE["map"])
    for name in ("offline", "water", "dark", "alarms"):
        cells[name] = [[0, 0], [None, 0]]
    (dry, wet), (_, lit) = (
        [segment.style.bgcolor.triplet for segment in row]
        for row in CityMap(cells=cells, sun_deg=-20, blink=True).lines(4, 2)
    )
    assert near(wet, RAIN) < near(dry, RAIN)
    assert near(lit, LAMP) < near(dry, LAMP)
    day = CityMap(cells=cells, sun_deg=40, blink=True).lines(4, 2)[0][0].style.bgcolor.triplet
    assert sum(day) > sum(dry)


def test_the_map_is_as_large_as_there_is_room():
    def size(columns, lines):
        rows = CityMap(cells=STATE["map"], sun_deg=20, blink=False).lines(columns, lines)
        return sum(len(segment.text) for segment in rows[0]), len(rows)

    assert size(4, 2) == (4, 2)
    assert size(41, 10) == (20, 10)
    assert size(12, 100) == (12, 6)
    assert size(3, 1) == (2, 1)  # half a line for a cell
