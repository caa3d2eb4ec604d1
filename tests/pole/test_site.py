import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pole.command import app

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "site.yaml"
run = CliRunner().invoke


def pole(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own: what a shell sees."""
    return subprocess.run([sys.executable, "-m", "pole", *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    text = EXAMPLE.read_text("utf-8").replace("profile: qdy30a", "profile: qdy30").replace("baud: 2400", "baud: 2401")
    path.write_text(text, "utf-8")
    return path


def test_check_passes_for_the_example() -> None:
    result = pole("site", "check", str(EXAMPLE))
    assert (result.returncode, result.stdout, result.stderr) == (0, f"ok    {EXAMPLE}\n", "")


def test_check_stops_at_the_model_before_names_are_compared(broken: Path) -> None:
    result = pole("site", "check", str(broken))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"{broken}:13: buses.meters-1.baud: 2401: not a standard baud rate; allowed are 1200, 2400")


def test_check_as_json(broken: Path) -> None:
    broken.write_text(broken.read_text("utf-8").replace("2401", "2400"), "utf-8")
    result = run(app, ["site", "check", str(broken), "--json"])
    assert result.exit_code == 1
    document = json.loads(result.output)
    assert document["ok"] is False
    assert [text.split(": ", 1)[1] for text in document["problems"]] == [
        "devices[1].profile: 'qdy30' is not a known profile. Did you mean 'qdy30a'? `pole profile list` shows all."
    ]


def test_a_warning_does_not_fail(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(EXAMPLE.read_text("utf-8").replace("baud: 9600", "baud: 19200"), "utf-8")
    result = pole("site", "check", str(path))
    assert result.returncode == 0
    assert result.stderr.startswith(f"warning: {path}:")
    assert result.stdout == f"ok    {path}\n"


SECOND = """\
area: wuhou
gateways:
  gw-2: {broker: "mqtt://127.0.0.1:1883", pole: P0001}
poles: {P0001: {position: [30.641, 104.043]}, P0003: {position: [30.642, 104.043]}}
buses: {rs485-3: {port: /dev/ttyUSB0}}
devices:
  - {pole: P0003, device: air-1, profile: xy-md03, bus: rs485-3, unit: 5}
"""


def test_two_gateways_of_one_pole_are_told_though_they_stand_in_two_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(EXAMPLE.read_text("utf-8"), "utf-8")
    two.write_text(SECOND, "utf-8")
    for files in ([two], [two, two]):
        assert run(app, ["site", "check", *map(str, files)]).exit_code == 0
    wanted = f"{two}: P0001/gateway is a device of gw-2, and of gw-1 in {one}. Give each gateway its own pole."
    for files in ([one, two], [tmp_path]):
        result = run(app, ["site", "check", *map(str, files)])
        assert (result.exit_code, result.stdout, result.stderr) == (1, f"ok    {one}\n", f"{wanted}\n")
    document = json.loads(run(app, ["site", "check", "--json", str(tmp_path)]).stdout)
    assert (document["ok"], [each["ok"] for each in document["files"]]) == (False, [True, False])
    assert document["files"][1]["problems"] == [wanted]

    two.write_text(SECOND.replace("pole: P0003, device: air-1", "pole: P0001, device: air-1"), "utf-8")
    assert "P0001/air-1, P0001/gateway are devices of gw-2" in run(app, ["site", "check", str(tmp_path)]).stderr


def test_show_has_poles_buses_with_load_and_devices() -> None:
    result = run(app, ["site", "show", str(EXAMPLE)], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    for text in ("area wuhou", "P0001", "rs485-1", "9600 8N1", "8.8%", "xy-md03", "charger-1", "北门 1 号杆"):
        assert text in result.output


def test_show_as_json_is_complete() -> None:
    document = json.loads(run(app, ["site", "show", str(EXAMPLE), "--json"]).output)
    assert [len(document[key]) for key in ("gateways", "poles", "buses", "devices")] == [1, 2, 3, 8]
    loads = {bus["bus"]: bus["load"] for bus in document["buses"]}
    assert 0 < loads["dali-1"] < loads["rs485-1"] < 0.2


def test_controllers_are_shown_with_what_hangs_on_their_pins(tmp_path: Path) -> None:
    from tests.pole.test_bus_plan import CONTROLLERS

    path = tmp_path / "site.yaml"
    path.write_text(CONTROLLERS, "utf-8")
    document = json.loads(run(app, ["site", "show", str(path), "--json"]).output)
    assert document["controllers"] == [
        {"controller": "ctl-1", "board": "linux", "pole": "P0001", "reaches": "uplink-1 7", "lamp": None}
    ]
    assert [bus["node"] for bus in document["buses"]] == ["gw-1", "ctl-1", "ctl-1"]
    assert [device["hardware"] for device in document["devices"]] == [{"pin": "cover"}, {}, {}]
    shown = run(app, ["site", "show", str(path)], env={"COLUMNS": "160"}).output
    assert "uplink-1 7" in shown
    assert "/dev/ttyUSB0 115200 8N1 controllers" in shown


@pytest.mark.parametrize("verb", ["check", "show"])
def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, verb: str) -> None:
    result = pole("site", verb, str(tmp_path / "none.yaml"))
    assert result.returncode != 0
    wanted = f"{tmp_path}/none.yaml: cannot be read: No such file or directory. Check the path and its permissions.\n"
    assert (result.stdout, result.stderr) == ("", wanted)
