"""`pole bus plan`, from the outside."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device_profiles.bus_time import Line, read_time
from pole.command import app
from tests.device_profiles.test_bus_plan import HEAD, crowd

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "site.yaml"


def run(*words: str):
    return CliRunner().invoke(app, ["bus", "plan", *words])


def crowded(folder: Path) -> str:
    lines = "".join(f"  - {{pole: P0001, {device}}}\n" for device in crowd(30))
    path = folder / "site.yaml"
    path.write_text(f"{HEAD}  b: {{port: /dev/ttyUSB0}}\ndevices:\n{lines}", encoding="utf-8")
    return str(path)


def test_the_example_fits_and_each_bus_is_told() -> None:
    result = run(str(EXAMPLE))
    assert result.exit_code == 0
    for bus in ("rs485-1", "meters-1", "dali-1"):
        assert result.output.count(bus) >= 2
    assert "the others keep their periods" in result.output
    assert "what helps" not in result.output


def test_a_bus_that_is_too_full_exits_with_1_and_says_what_helps(tmp_path: Path) -> None:
    result = run(crowded(tmp_path))
    assert result.exit_code == 1
    assert "114.6%" in result.output or "114.7%" in result.output
    assert "1.15 s" in result.output
    assert "raise baud from 9600" in result.output
    assert "poll nothing more often than every 2 s" in result.output


def test_for_a_program_the_same_in_one_document(tmp_path: Path) -> None:
    result = run(crowded(tmp_path), "--json")
    assert result.exit_code == 1
    (bus,) = json.loads(result.output)["buses"]
    assert bus["bus"] == "b"
    assert bus["fits"] is False
    assert bus["load"] > 1
    (group,) = bus["groups"]
    assert group["every_s"] == 1.0
    assert group["period_s"] == round(bus["load"], 3)
    assert group["requests"] == [{"what": "discrete", "count": 8, "ms": 38.2}]
    assert {change["change"] for change in bus["changes"]} >= {"baud", "slower"}
    assert bus["dead_device"]["share"] == 0.05


def test_one_bus_alone(tmp_path: Path) -> None:
    document = json.loads(run(str(EXAMPLE), "--bus", "dali-1", "--json").output)
    assert [bus["bus"] for bus in document["buses"]] == ["dali-1"]


def test_a_bus_that_there_is_not_is_told_with_what_there_is() -> None:
    result = run(str(EXAMPLE), "--bus", "dali-2")
    assert result.exit_code == 2
    assert "--bus dali-2 is not a bus of this file" in result.output
    assert "dali-1" in result.output


def test_a_site_that_contradicts_itself_is_not_planned(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8").replace("unit: 6", "unit: 5"), encoding="utf-8")
    result = run(str(path))
    assert result.exit_code == 2
    assert "unit: 5" in result.output


CONTROLLERS = """\
area: wuhou
gateways:
  gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}
controllers:
  ctl-1:
    board: linux
    pole: P0001
    through: uplink-1
    address: 7
    uart: up
    uarts: {up: {port: /dev/ttyS2}, field: {port: /dev/ttyS1}}
    pins: {cover: {pin: GPIO17}}
poles:
  P0001: {position: [30.641, 104.043]}
buses:
  uplink-1: {protocol: controllers, port: /dev/ttyUSB0}
  field-1: {controller: ctl-1, uart: field}
  pins-1: {protocol: wired, controller: ctl-1}
devices:
  - {pole: P0001, device: cover-1, profile: cover-contact, bus: pins-1, pin: cover}
  - {pole: P0001, device: air-1, profile: xy-md03, bus: field-1, unit: 1}
  - {pole: P0001, device: inputs-1, profile: wp8028adam, bus: field-1, unit: 2}
"""


def test_what_hangs_on_a_controller_is_planned_too(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(CONTROLLERS, "utf-8")
    result = run(str(path), "--json")
    assert result.exit_code == 0
    uplink, field, pins = json.loads(result.output)["buses"]
    assert (uplink["node"], field["node"], pins["node"]) == ("gw-1", "ctl-1", "ctl-1")
    assert (uplink["load"], uplink["groups"], pins["load"]) == (None, [], None)
    line = Line(baud=9600)
    load = read_time(line, "discrete", 8, 0.02) + read_time(line, "input", 2, 0.03) / 10
    assert field["load"] == pytest.approx(load, abs=1e-4)
    assert field["dead_device"]["share"] == 0.05
    assert pins["groups"][0]["requests"] == []
    shown = run(str(path))
    assert "reads its own pins" in shown.output
    assert "asks each controller in turn" in shown.output
