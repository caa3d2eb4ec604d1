"""`pole bus read` and `write` on ptys: points and registers, what is refused, and what is asked before."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial
from typer.testing import CliRunner

from device_profiles import registers
from pole import bus_points
from pole.bus_points import Numbers
from pole.command import app
from simulators.tcp_port import TcpPort
from tests.parts.buses import device, rtu_port, running
from tests.pole.test_bus_survey import SITE

run = CliRunner(env={"COLUMNS": "200"}).invoke


def done(*words: str | Path, code: int = 0):
    result = run(app, ["bus", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def points(*words: str | Path, code: int = 0) -> dict[str, dict[str, object]]:
    return {each["point"]: each for each in json.loads(done("read", *words, "--json", code=code).stdout)["points"]}


@pytest.fixture
def meter(tmp_path):
    """A meter as unit 5 and a lamp gateway as unit 7 at `tmp_path / "rs485"`."""
    meter, lamp = device("sdm120", 5), device("arlight-dali", 7)
    with running(rtu_port(tmp_path / "rs485", meter, lamp)):
        yield meter


def test_points_by_name_are_the_values_that_the_device_holds(tmp_path, meter):
    seen = points(tmp_path / "rs485", "5", "--profile", "sdm120", "frequency", "voltage")
    assert {name: each["value"] for name, each in seen.items()} == {
        name: meter.value(name) for name in ("frequency", "voltage")
    }
    assert len(points(tmp_path / "rs485", "5", "--profile", "sdm120")) == len(meter.profile.points)


def test_registers_by_address_show_their_words(tmp_path, meter):
    image, port = meter.image(), tmp_path / "rs485"
    seen = points(port, "5", "input:0x0-0x3")
    assert [each["raw"] for each in seen.values()] == [f"{image.get(('input', index), 0):04x}" for index in range(4)]
    (voltage,) = points(port, "5", "input:0-1", "--type", "float32").values()
    assert voltage["value"] == meter.value("voltage")
    (tenfold,) = points(port, "5", "input:0", "--type", "float32", "--scale", "10", "--offset", "1").values()
    assert tenfold["value"] == pytest.approx(meter.value("voltage") * 10 + 1)
    (swapped,) = points(port, "5", "input:0", "--type", "uint32", "--word-order", "low_first").values()
    assert swapped["value"] == image["input", 1] << 16 | image["input", 0]


def test_what_the_device_refuses_is_told_and_the_rest_is_shown(tmp_path, meter):
    result = done("read", tmp_path / "rs485", "5", "--profile", "sdm120", "voltage", "holding:0x10", "coil:3", code=1)
    assert f"{meter.value('voltage')} V" in result.stdout
    assert "holding 16: exception 2" in result.stdout
    assert "coil 3: exception 2" in result.stdout
    assert result.stdout.count("not read") == 2
    refused = points(tmp_path / "rs485", "5", "holding:0x10", code=1)
    assert str(refused["holding:16"]["quality"]).startswith("exception")


def test_a_unit_that_is_not_there(tmp_path, meter):
    assert "Nothing answers. Check:" in done("read", tmp_path / "rs485", "6", "input:0", code=1).stdout


def test_a_slow_device_is_waited_for_when_that_is_said(tmp_path):
    port = rtu_port(tmp_path / "rs485", device("sdm120", 5))
    port.unit(5).faults.slow = 1.4
    with running(port):
        done("read", tmp_path / "rs485", "5", "input:0", code=1)
        done("read", tmp_path / "rs485", "5", "input:0", "--wait", "2s")


def test_a_device_of_a_site_file_stands_for_port_and_unit(tmp_path, meter):
    site = tmp_path / "site.yaml"
    bus = f"buses: {{east: {{port: {tmp_path / 'rs485'}, baud: 9600}}, tcp: {{host: 127.0.0.1}}}}\n"
    devices = "devices: [{pole: P0001, device: meter-1, profile: sdm120, bus: east, unit: 5}]\n"
    site.write_text(SITE + bus + devices, "utf-8")
    for name in ("meter-1", "P0001/meter-1"):
        assert points("--site", site, name, "voltage")["voltage"]["value"] == meter.value("voltage")
    assert "Did you mean 'P0001/meter-1'?" in done("read", "--site", site, "P0001/meter-2", code=2).stderr
    assert "leave the other options out" in done("read", "--site", site, "meter-1", "--baud", "9600", code=2).stderr


def test_a_network_device(tmp_path):
    lamp = device("arlight-dali", 1)
    with running(port := TcpPort(devices=[lamp], port=0)):
        where = f"127.0.0.1:{port.port}"
        assert points(where, "1", "--profile", "arlight-dali", "level")["level"]["value"] == lamp.value("level")
        assert "level: was" in done("write", where, "1", "--profile", "arlight-dali", "set_level=40").stdout
        assert lamp.value("level") == pytest.approx(40, abs=0.4)


def test_a_command_is_checked_written_and_read_back(tmp_path):
    lamp = device("arlight-dali", 7)
    with running(rtu_port(tmp_path / "rs485", lamp)):
        was = lamp.value("level")
        told = json.loads(
            done("write", tmp_path / "rs485", "7", "--profile", "arlight-dali", "set_level=30", "--json").stdout
        )
        assert (told["state"], told["before"]) == ("done", was)
        assert lamp.value("level") == told["after"] == pytest.approx(30, abs=0.4)
        refused = done("write", tmp_path / "rs485", "7", "--profile", "arlight-dali", "set_level=101", code=1)
        assert "rejected: level is from 0 to 100, not 101" in refused.stdout
        assert lamp.value("level") == told["after"]


def test_a_register_is_written_only_when_that_is_said_and_is_read_back(tmp_path):
    lamp = device("arlight-dali", 7)
    with running(rtu_port(tmp_path / "rs485", lamp)):
        was = lamp.image()["holding", 256]
        assert "--yes says that this is meant" in done("write", tmp_path / "rs485", "7", "holding:256=9", code=2).stderr
        assert lamp.image()["holding", 256] == was
        told = done("write", tmp_path / "rs485", "7", "holding:0x100=0x20", "--yes").stdout
        assert f"holding:256: was {was} (raw {was:04x}), is 32" in told
        assert lamp.image()["holding", 256] == 32
        assert "exception 2" in done("write", tmp_path / "rs485", "7", "holding:999=1", "--yes", code=1).stdout
        over = done("write", tmp_path / "rs485", "7", "holding:256=70000", "--yes", code=1).stdout
        assert "rejected: value is from 0 to 65535, not 70000" in over


def test_a_coil_and_a_value_of_two_registers_are_written(tmp_path):
    box, charger = device("wb-msw-v4", 3), device("phoenix-ac1m", 4)
    with running(rtu_port(tmp_path / "rs485", box, charger)):
        for told, shown in (("on", "true"), ("0", "false")):
            name, at = next((name, at) for name, at, _ in _commands(box) if at.table == "coil")
            result = done("write", tmp_path / "rs485", "3", f"coil:{at.address}={told}", "--yes")
            assert f"is {shown}" in result.stdout, name


def _commands(box):
    return list(box.commands_at())


def test_a_typed_word_confirms(tmp_path):
    lamp = device("arlight-dali", 7)
    command = [sys.executable, "-m", "pole", "bus", "write", str(tmp_path / "rs485"), "7", "holding:256=33"]
    with running(rtu_port(tmp_path / "rs485", lamp)):
        assert typed(command, "no\n") == 2
        assert lamp.image()["holding", 256] != 33
        assert typed(command, "write\n") == 0
        assert lamp.image()["holding", 256] == 33


def typed(command: list[str], text: str) -> int:
    """The exit code of a command at a terminal, to whose question this is typed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.write(ours, text.encode())
    process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return process.returncode


def test_every_repeats_until_ctrl_c(tmp_path, meter):
    shown = tmp_path / "shown"
    command = [sys.executable, "-m", "pole", "bus", "read", str(tmp_path / "rs485"), "5", "input:0", "--json"]
    with shown.open("w") as output:
        process = subprocess.Popen([*command, "--every", "100ms"], stdout=output, stderr=subprocess.PIPE)
        until = time.monotonic() + 30
        while shown.read_text("utf-8").count("\n") < 3 and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert len(shown.read_text("utf-8").splitlines()) >= 3


def test_a_port_that_a_gateway_holds_is_told_with_what_to_do(tmp_path, meter):
    with serial.Serial(str(tmp_path / "rs485"), exclusive=True):
        assert "Stop the gateway" in done("read", tmp_path / "rs485", "5", "input:0", code=1).stdout
        refused = done("write", tmp_path / "rs485", "7", "holding:256=1", "--yes", code=2)
        assert "Stop the gateway" in refused.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["read", "/dev/x", "5"], "what is to be read?"),
        (["read", "/dev/x"], "say PORT and UNIT"),
        (["read", "/dev/x", "five", "input:0"], "'five' is no unit id"),
        (["read", "/dev/x", "248", "input:0"], "248 is no unit id on a serial line"),
        (["read", "/dev/x", "5", "inputs:0"], "Did you mean 'input'?"),
        (["read", "/dev/x", "5", "input:70000"], "an address is 0 to 65535"),
        (["read", "/dev/x", "5", "input:9-3"], "of two the lower one comes first"),
        (["read", "/dev/x", "5", "input:0-2", "--type", "float32"], "are 3 registers, and a float32 takes 2"),
        (["read", "/dev/x", "5", "input:0-60000"], "at most 500"),
        (["read", "/dev/x", "5", "input:0", "--type", "float23"], "Did you mean 'float32'?"),
        (["read", "/dev/x", "5", "input:0", "--word-order", "low"], "neither high_first nor low_first"),
        (["read", "/dev/x", "5", "input:0", "--scale", "0"], "--scale 0"),
        (["read", "/dev/x", "5", "voltage"], "say --profile"),
        (["read", "/dev/x", "5", "--profile", "sdm120", "volts"], "sdm120 has no point volts"),
        (["read", "/dev/x", "5", "--profile", "dlt645-1p"], "speaks dlt645, not Modbus"),
        (["read", "/dev/x", "5", "--profile", "sdm120", "--channel", "1"], "--channel 1"),
        (["read", "10.0.0.1", "5", "input:0", "--baud", "9600"], "is on a network"),
        (["write", "/dev/x", "5"], "say one thing to write"),
        (["write", "/dev/x", "5", "holding:1"], "which value?"),
        (["write", "/dev/x", "5", "holding:1=much"], "'much' is no number"),
        (["write", "/dev/x", "5", "input:1=5"], "are only read"),
        (["write", "/dev/x", "5", "holding:1-2=5"], "one value is written at a time"),
        (["write", "/dev/x", "5", "set_level=5"], "say --profile"),
        (["write", "/dev/x", "5", "--profile", "arlight-dali", "set_lvl=5"], "Did you mean 'set_level'?"),
        (["write", "/dev/x", "5", "--profile", "arlight-dali", "set_level"], "write set_level=LEVEL"),
    ],
)
def test_bad_arguments_are_told_before_anything_is_opened(words, told):
    result = run(app, ["bus", *words])
    assert (result.exit_code, told in result.output) == (2, True), result.output


def test_addresses_and_their_numbers():
    places = bus_points.locations("holding:0x10-0x13", Numbers(type="int32", word_order="low_first", scale=0.1))
    assert {name: at.address for name, at in places.items()} == {"holding:16": 16, "holding:18": 18}
    assert registers.scale(places["holding:16"], registers.raw(places["holding:16"], [0xFFFE, 0xFFFF])) == -0.2
