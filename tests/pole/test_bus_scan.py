"""`pole bus scan` as it is typed: on ptys, on the network, on ports that fail, and stopped in the middle."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial
import yaml
from typer.testing import CliRunner

from device_profiles import loader
from gateway.modbus import unanswered
from gateway.modbus.scan import search
from pole import bus_port
from pole.broker import free_port
from pole.bus_progress import announcement
from pole.bus_survey import Survey
from pole.command import app
from protocols import modbus
from simulators.device import EmulatedDevice
from simulators.dlt645_meter import Dlt645Port
from simulators.rtu_over_tcp import RtuOverTcpPort
from simulators.tcp_port import TcpPort
from tests.parts.buses import device, rtu_port, running, speaking
from tests.pole.test_bus_survey import Quiet, in_a_site

run = CliRunner(env={"COLUMNS": "200"}).invoke


@pytest.fixture(autouse=True)
def nobody_is_late(monkeypatch):
    monkeypatch.setattr(search, "LATE_S", 0.2)
    monkeypatch.setattr(unanswered, "LATE_MOST_S", 0.3)


def scanned(path: Path | str, *options: str, code: int = 0):
    result = run(app, ["bus", "scan", str(path), *options])
    assert result.exit_code == code, result.output
    return result


def test_what_is_found_is_told_and_the_fragment_alone_is_the_output(tmp_path):
    path = tmp_path / "rs485"
    port = rtu_port(path, device("sdm120", 2), device("arlight-dali", 3), device("qdy30a", 6), device("pzem-016", 8))
    port.unit(6).faults.exception = 2
    port.unit(8).faults.corrupt = True
    with running(port):
        result = scanned(path, "--units", "1-9", "--wait", "60ms")
    assert "asking 9 units at 9600 8N1: about 1 s" in result.stderr
    assert "9600 8N1, unit 2: sdm120 (strong: " in result.stderr
    assert "unit 6: answers, but refuses what is asked (exception 2): no profile fits" in result.stdout
    assert "unit 8: something answers, but never with a right frame" in result.stdout
    found = in_a_site(tmp_path, result.stdout)
    assert [(each.unit, each.profile, each.channel) for each in found.devices] == [
        (2, "sdm120", 0), (3, "arlight-dali", 0),
    ]  # fmt: skip
    assert found.buses["rs485-1"].describe() == f"{path} 9600 8N1"


def test_as_json_and_into_a_file(tmp_path):
    path, output = tmp_path / "rs485", tmp_path / "found.yaml"
    with running(rtu_port(path, device("weather-8in1", 2))):
        arguments = ("--units", "2", "--json", "--output", str(output), "--bus", "east", "--pole", "P0007")
        document = json.loads(scanned(path, *arguments).stdout)
    (found,) = document["devices"]
    assert found["ties"] == ["weather-8in1", "weather-8in1-w01"]
    assert (found["unit"], found["label"], document["whole"]) == (2, "strong", True)
    assert output.read_text("utf-8") == document["fragment"]
    assert list(yaml.safe_load(document["fragment"])["buses"]) == ["east"]
    again = scanned(path, "--output", str(output), code=2)
    assert "is there already: choose another name" in again.stderr


def test_several_rates_are_tried_one_after_another_and_two_stop_bits_tell_nothing_twice(tmp_path):
    path = tmp_path / "rs485"  # a pty has no rate: its device answers at each
    with running(rtu_port(path, device("sdm120", 2))):
        rates = ("--baud", "9600", "--baud", "19200", "--parity", "none", "--stop-bits", "1", "--stop-bits", "2")
        document = json.loads(scanned(path, "--units", "2", "--json", *rates).stdout)
    assert [each["bus"]["baud"] for each in document["devices"]] == [9600, 19200]
    assert "set this device to 9600 8N1 first" in document["fragment"]
    found = in_a_site(tmp_path, document["fragment"])
    assert len(found.devices) == 1


def test_the_usual_rates_and_how_long_they_take():
    ways = bus_port.buses("/dev/ttyUSB0", framing="tcp", all_rates=True)
    assert len(ways) == 15
    survey = Survey(
        ways=ways, units=list(range(1, 248)), wait=None, dlt645=False, show=Quiet(), profiles=loader.profiles()
    )
    assert "9600 8N1, 9600 8E1, 9600 8N2, 4800 8N1" in announcement(survey)
    one = Survey(ways=ways[:1], units=survey.units, wait=None, dlt645=False, show=Quiet(), profiles={})
    assert 30 < one.expected_seconds() < 60
    assert announcement(one).startswith("asking 247 units at 9600 8N1: about 4")


def test_who_is_silent_to_holding_registers_is_found_by_a_thorough_scan(tmp_path):
    def inputs_alone(request: bytes) -> bytes:
        return modbus.rtu(3, bytes([0x84, 2])) if request[:2] == b"\x03\x04" else b""

    path = tmp_path / "rs485"
    with running(speaking(path, inputs_alone)):
        options = ("--units", "2-4", "--wait", "60ms")
        assert "--thorough" in scanned(path, *options, code=1).stderr
        thorough = scanned(path, *options, "--thorough")
    assert "unit 3: answers, but refuses what is asked" in thorough.stderr
    assert thorough.stderr.count("9600 8N1, unit") == 1


@pytest.mark.parametrize(("kind", "framing"), [(TcpPort, "tcp"), (RtuOverTcpPort, "rtu")])
def test_devices_behind_a_gateway_on_the_network(tmp_path, kind, framing):
    port = kind(devices=[device("xy-md03", 2), device("wp8028adam", 4)], port=free_port())
    with running(port):
        where = f"{port.host}:{port.port}"
        document = json.loads(
            scanned(where, "--units", "1-5", "--framing", framing, "--wait", "150ms", "--json").stdout
        )
    assert [each["unit"] for each in document["devices"]] == [2, 4]
    found = in_a_site(tmp_path, document["fragment"])
    assert found.buses["tcp-1"].framing == framing


def test_a_network_device_that_answers_to_every_unit_is_told_as_one(tmp_path):
    port = TcpPort(devices=[device("em2go", unit) for unit in (1, 2, 151, 199, 247)], port=free_port())
    with running(port):
        result = scanned(f"{port.host}:{port.port}", "--units", "1-16")
    assert "answers to every unit id: it is one device" in result.stderr
    assert [each.unit for each in in_a_site(tmp_path, result.stdout).devices] == [1]


def test_an_adapter_that_echoes_is_told_and_hides_nobody(tmp_path):
    path = tmp_path / "rs485"
    port = rtu_port(path, device("sdm120", 2))
    port.faults.echo = True
    with running(port):
        result = scanned(path, "--units", "1-3", "--wait", "60ms")
    assert "# the adapter sends back what it sends (echo): this is allowed for" in result.stdout
    assert [each.profile for each in in_a_site(tmp_path, result.stdout).devices] == ["sdm120"]


def test_a_meter_of_dl_t_645_says_its_number_and_is_recognised(tmp_path):
    meter = EmulatedDevice(profile=loader.profile("dlt645-3p"), pole="P", name="m", address="202600000161")
    path = tmp_path / "rs485"
    with running(Dlt645Port(path=path, devices=[meter], baud=115200, latency=0.002)):
        result = scanned(path, "--units", "1", "--dlt645")
    found = in_a_site(tmp_path, result.stdout)
    assert [(each.profile, each.address) for each in found.devices] == [("dlt645-3p", "202600000161")]
    assert "202600000161: dlt645-3p: all" in result.stderr


def test_no_meter_of_dl_t_645_and_a_unit_that_answers_late_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "LATE_S", 0.6)
    monkeypatch.setattr(unanswered, "LATE_MOST_S", 0.8)
    path = tmp_path / "rs485"
    port = rtu_port(path, device("sdm120", 2))
    port.unit(2).faults.slow = 0.08
    with running(port):
        result = scanned(path, "--units", "1-3", "--wait", "40ms", "--dlt645")
    assert "no DL/T 645 meter says its number" in result.stderr
    assert "# no DL/T 645 meter says its number" in result.stdout
    assert "sdm120" in result.stdout
    assert "answers late, after 0." in result.stdout


def test_a_port_that_a_gateway_holds_is_told_with_what_to_do(tmp_path):
    path = tmp_path / "rs485"
    with running(rtu_port(path, device("sdm120", 2))), serial.Serial(str(path), exclusive=True):
        result = scanned(path, code=1)
    assert "is in use by another program. Stop the gateway that polls it" in result.stderr
    assert result.stdout == ""


def test_a_dead_line_a_missing_port_and_a_network_without_anybody(tmp_path):
    path = tmp_path / "rs485"
    silent = rtu_port(path, device("sdm120", 2))
    silent.unit(2).faults.silent = True
    with running(silent):
        result = scanned(path, "--units", "1-3", "--wait", "20ms", code=1)
    assert "Nobody answers. Check:" in result.stderr
    assert "--all-rates" in result.stderr
    assert result.stdout == ""
    assert "is not there. Plugged in?" in scanned(tmp_path / "nothing", code=1).stderr
    assert f"{tmp_path} is no serial port" in scanned(tmp_path, code=1).stderr
    assert "/dev/null is no serial port" in scanned("/dev/null", code=1).stderr
    assert "127.0.0.1" in scanned(f"127.0.0.1:{free_port()}", code=1).stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["/dev/x", "--units", "1-300"], "'1-300' is not within 1 to 247"),
        (["/dev/x", "--units", "0"], "not within 1 to 247"),
        (["/dev/x", "--units", "9-3"], "lowest first"),
        (["/dev/x", "--units", "a"], "neither a unit id nor a range"),
        (["/dev/x", "--units", ""], "neither a unit id nor a range"),
        (["/dev/x", "--baud", "9601"], "Did you mean 9600?"),
        (["/dev/x", "--parity", "odd", "--parity", "mark"], "parity"),
        (["/dev/x", "--wait", "soon"], "a duration is a number"),
        (["10.0.0.1:x"], "neither a path"),
        (["null"], "null is neither a path from the root (/dev/…) nor host:port. Did you mean /dev/null?"),
        (["../by-id/usb"], "../by-id/usb is neither a path from the root"),
        (["10.0.0.1", "--baud", "9600"], "is on a network"),
        (["10.0.0.1", "--framing", "ascii"], "not one of tcp or rtu"),
        (["10.0.0.1", "--dlt645"], "needs a serial port"),
        (["/dev/x", "--output", "no/such/folder.yaml"], "there is no folder"),
        (["/dev/x", "--pole", "a pole"], "--pole 'a pole'"),
    ],
)
def test_bad_arguments_are_told_before_anything_is_opened(options, told):
    result = run(app, ["bus", "scan", *options])
    assert (result.exit_code, told in result.output) == (2, True), result.output


def test_ctrl_c_writes_what_was_found_so_far(tmp_path):
    path, told = tmp_path / "rs485", tmp_path / "told"
    command = [sys.executable, "-m", "pole", "bus", "scan", str(path), "--wait", "300ms"]
    with running(rtu_port(path, device("sdm120", 2), device("sdm120", 200))), told.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        until = time.monotonic() + 30
        while "unit 2: sdm120" not in told.read_text("utf-8") and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped before its end: 1 device" in output
    assert [each.unit for each in in_a_site(tmp_path, output).devices] == [2]


def test_a_port_is_written_by_the_name_that_stays(tmp_path, monkeypatch):
    names = tmp_path / "by-id"
    names.mkdir()
    (tmp_path / "ttyUSB0").touch()
    (names / "usb-FTDI-port0").symlink_to(tmp_path / "ttyUSB0")
    monkeypatch.setattr(bus_port, "BY_ID", names)
    assert bus_port.lasting(str(tmp_path / "ttyUSB0")) == str(names / "usb-FTDI-port0")
    assert bus_port.lasting("/dev/ttyUSB1") == "/dev/ttyUSB1"
