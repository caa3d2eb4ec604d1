import time
from pathlib import Path

import pytest
from rich.console import Console

from dashboards.functions import LABELS
from device_profiles import loader
from device_profiles.schema import FUNCTIONS
from pole.demo.folder import Folder
from pole.demo.state import BACKLOG_PACKS, State, alarms, events, line
from pole.demo.store import Latest, Stored, percentile
from pole.demo.view import POLE_S, View
from simulators.city import GATEWAYS, NODES, PLACES, spots
from simulators.network import DEVICES

LONG = "pole send P0001 lamp-1 set_level level=20 " + "--password-file " + "x" * 90


def now_ms() -> int:
    return int(time.time() * 1000)


def latest(pole="P0001", device="lamp-1", point="level", function="lighting", value=50.0, quality=None, age_s=1):
    at = now_ms() - 1000 * age_s
    good = quality is None
    return Latest(
        function=function, pole=pole, device=device, point=point, time_ms=at if good else 0,
        value=value if good else None, quality_ms=0 if good else at, quality=quality,
    )  # fmt: skip


def state(*rows: Latest, pending: int = 0) -> State:
    nodes = list(NODES)
    status = {"online": True, "head": 9, "stored": 9 - pending, "pending": pending, "dropped": {}}
    return State(
        devices=89, poles=12, nodes=nodes, controllers={"ctl-1": "simulated, MicroPython 32-bit"},
        running=dict.fromkeys(["broker", "ingest", *nodes], True),
        broker_answers=True, status={node: dict(status) for node in nodes},
        stored=Stored(readings=1234, packs=56, newest_ms=now_ms(), latencies=[5, 6, 7], latest=list(rows)),
        news=["started ingest"],
    )  # fmt: skip


def city() -> list[Latest]:
    """Every point of every device."""
    rows = []
    placed = [(spot.pole, spot.device, spot.profile) for spot in spots()]
    placed += [(pole, device, profile) for pole in GATEWAYS.values() for device, profile in DEVICES]
    for pole, device, name in placed:
        profile = loader.profiles()[name]
        for point in profile.points:
            rows.append(latest(pole, device, point, profile.function_of(point)))
    return rows


def drawn(shown: State, columns: int, lines: int) -> list[str]:
    console = Console(width=columns, height=lines, force_terminal=False)
    view = View(commands=[("dim", LONG), ("read", "pole query y")], profiles=loader.profiles())
    with console.capture() as capture:
        console.print(view.render(shown, columns, lines))
    return capture.get().rstrip("\n").split("\n")


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (100, 30), (160, 50)])
def test_the_screen_holds_all_of_the_view(columns, lines):
    picture = drawn(state(*city()), columns, lines)
    assert len(picture) <= lines
    text = "\n".join(picture)
    for part in ("P0012", "gw-3", "ctl-1", "1,234", "pole query y", "In another terminal", "readings.db"):
        assert part in text


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_the_nine_functions_are_always_there_by_name_with_the_poles_that_tell_them(columns):
    line = drawn(state(*city()), columns, 24)[5]
    names = [LABELS[name].en if columns >= 136 else name for name in FUNCTIONS[:9]]
    assert [name for name in names if name in line] == names
    if columns >= 100:
        assert f"{LABELS['wifi'].en if columns >= 136 else 'wifi'} {len(GATEWAYS)} " in line


@pytest.mark.parametrize(("columns", "lines"), [(100, 40), (160, 50)])
def test_a_pole_s_nine_functions_are_there_by_name(columns, lines):
    text = "\n".join(drawn(state(*city()), columns, lines))
    for name in FUNCTIONS[:9]:
        assert LABELS[name].en in text


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_a_command_can_be_copied_whole(columns):
    end = drawn(state(*city()), columns, 40)[-4:]
    assert LONG.replace(" ", "") in "".join(part.strip() for part in end).replace(" ", "")


@pytest.mark.parametrize("columns", [80, 100])
def test_the_command_for_a_lamp_is_one_line(columns, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", [".venv/bin/pole"])
    monkeypatch.setenv("PATH", "")  # the longer way to write it: no virtual environment is active
    monkeypatch.chdir(tmp_path)
    folder = Folder(Path("demo-run"))
    console = Console(width=columns, height=40, force_terminal=False)
    with console.capture() as capture:
        console.print(View(commands=folder.commands(), profiles={}).render(state(), columns, 40))
    folder.close()
    shown = ".venv/bin/pole send P0001 lamp-1 set_level level=20 --site demo-run/site.yaml"
    assert [line for line in capture.get().splitlines() if line.rstrip().endswith(shown)]


def test_labels_come_in_both_languages_where_there_is_room():
    assert "Lamp level 灯光亮度" in "\n".join(drawn(state(*city()), 160, 50))


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_a_controller_s_pole_tells_its_board_and_interpreter(columns):
    others = [pole for pole in PLACES if pole not in GATEWAYS.values()]
    shown = state(*city())
    shown.began -= (2 * others.index("P0012") + 1) * POLE_S + 1
    text = "\n".join(drawn(shown, columns, 40))
    assert "ctl-1: simulated, MicroPython 32-bit" in text
    shown.began += 2 * POLE_S
    assert "MicroPython" not in "\n".join(drawn(shown, columns, 40))


def test_a_bad_quality_stands_where_the_value_would():
    text = "\n".join(drawn(state(latest(quality="timeout")), 120, 30))
    assert "timeout" in text
    assert "50 %" not in text


def test_all_well_is_no_alarm():
    assert alarms(state(*city())) == []


def test_a_part_without_a_process_is_an_alarm():
    shown = state(*city())
    shown.running["gw-2"] = False
    assert alarms(shown) == ["gw-2: no process"]


def test_a_broker_that_does_not_answer_is_an_alarm():
    shown = state(*city())
    shown.broker_answers = False
    assert alarms(shown) == ["broker: does not answer yet"]


def test_a_node_that_is_offline_is_an_alarm():
    shown = state(*city())
    shown.status["gw-3"]["online"] = False
    assert alarms(shown) == ["gw-3: not connected to the broker"]


def test_a_backlog_is_an_alarm_and_a_few_packs_are_none():
    assert alarms(state(*city(), pending=BACKLOG_PACKS)) == []
    assert len(alarms(state(*city(), pending=BACKLOG_PACKS + 1))) == len(NODES)


def test_a_device_is_silent_when_all_its_points_are():
    one = [latest(point="level", quality="timeout"), latest(point="status")]
    assert alarms(state(*one)) == []
    both = [latest(point="level", quality="timeout"), latest(point="status", quality="timeout")]
    assert alarms(state(*both)) == ["P0001/lamp-1: does not answer (timeout)"]
    assert "does not answer" in line(state(*both))


def test_the_citys_own_events_are_told():
    cover = latest(device="inputs-1", point="cover_open", function="manhole", value=1)
    assert events(state(cover)) == ["P0001: manhole cover open / 井盖打开"]
    assert events(state(latest(device="inputs-1", point="cover_open", function="manhole", value=0))) == []


def test_percentile_is_the_nearest_rank():
    assert percentile([], 0.5) is None
    assert percentile(list(range(100)), 0.5) == 50
    assert percentile(list(range(100)), 0.99) == 99
    assert percentile([7], 0.99) == 7


def test_an_old_newest_reading_is_an_alarm():
    shown = state(*city())
    shown.stored = Stored(readings=1, packs=1, newest_ms=now_ms() - 60_000, latest=shown.stored.latest)
    assert [alarm[:27] for alarm in alarms(shown)] == ["newest reading in the store"]
