"""`pole profile try --record`: what is written down, what is not, and that `pole profile check` takes it."""

import asyncio
from pathlib import Path

import pytest
import yaml

from device_profiles import loader
from pole.command import app
from pole.trial.recorder import Recorder
from pole.trial.taps import KEPT, Kept
from protocols import hj212_frame, soap
from simulators.rtu_over_tcp import RtuOverTcpPort
from simulators.tcp_port import TcpPort
from tests.pole.test_profile import pole
from tests.pole.test_profile_try import changed, device, run


def test_what_is_recorded_passes_check(tmp_path):
    path = changed(tmp_path, "sdm120")
    result = run(app, ["profile", "try", str(path), "--emulate", "sdm120", "--record"])
    assert result.exit_code == 0, result.output
    golden = yaml.safe_load((tmp_path / "sdm120.golden.yaml").read_text("utf-8"))
    assert golden["recorded"] is False
    assert golden["source"].startswith("Computed by the emulator of sdm120")
    assert golden["values"].keys() == loader.profile("sdm120").points.keys()
    assert run(app, ["profile", "check", str(path)]).exit_code == 0


@pytest.mark.parametrize(("kind", "framing"), [(TcpPort, "tcp"), (RtuOverTcpPort, "rtu")])
def test_a_record_from_a_port_says_whose_device_it_was(tmp_path, kind, framing):
    path = changed(tmp_path, "xy-md03")
    profile = loader.load(path)

    async def scenario() -> None:
        async with kind(devices=[device(profile)]) as port:
            where = ("--port", f"{port.host}:{port.port}", "--framing", framing)
            result = await asyncio.to_thread(
                pole, "profile", "try", str(path), *where, "--record", "--source", "Our own, on a bench, 2026"
            )
            assert result.returncode == 0, result.stderr

    asyncio.run(scenario())
    golden = loader.load_golden(path, profile)
    assert (golden.recorded, golden.source, golden.framing) == (True, "Our own, on a bench, 2026", framing)


@pytest.mark.parametrize(
    "name", ["dlt645-1p", "onvif-camera", "multivision-led", "sip-intercom", "ocpp16", "hj212-air", "em300-mcs"]
)
def test_what_is_recorded_of_other_protocols_passes_check_too(tmp_path, name):
    path = changed(tmp_path, name)
    result = run(app, ["profile", "try", str(path), "--emulate", name, "--record", "--wait", "3s"])
    assert result.exit_code == 0, result.output
    golden = loader.load_golden(path, loader.load(path))
    assert golden.framing == ("hex" if name == "dlt645-1p" else "text")
    assert golden.recorded is False
    assert run(app, ["profile", "check", str(path)]).exit_code == 0


def test_a_stations_password_does_not_get_into_a_file():
    secret = hj212_frame.wrap(b"QN=20261121000000000;ST=22;CN=2011;PW=S3cret;MN=M1;Flag=5;CP=&&a34004-Rtd=5&&")
    kept = Kept()
    kept.came(secret)
    recorder = Recorder(loader.profile("hj212-air"))
    recorder.keeps.append(kept)
    exchanges, shown = recorder.result()
    assert [(sent, "PW=123456;" in came) for sent, came in exchanges] == [("", True)]
    assert shown["pm2_5"].value == 5


def test_a_proof_of_a_cameras_password_does_not_get_into_a_file():
    token = soap.username_token(user="u", password="p", created="2026-11-21T12:00:00Z", nonce=b"n" * 16)
    head = "POST /onvif/device_service HTTP/1.1\r\nAuthorization: Digest response=secret\r\nHost: h\r\n\r\n"
    asked = head.encode() + soap.envelope("<GetDeviceInformation/>", token)
    told = soap.envelope("<GetDeviceInformationResponse><Model>M1</Model></GetDeviceInformationResponse>")
    kept = Kept()
    kept.sent(asked)
    kept.came(b"HTTP/1.1 200 OK\r\n\r\n" + told)
    recorder = Recorder(loader.profile("onvif-camera"))
    recorder.keeps.append(kept)
    ((sent, _),), shown = recorder.result()
    assert "Password" in asked.decode()
    assert "Host: h" in sent
    assert "GetDeviceInformation" in sent
    for trace in ("Authorization", "secret", "Username", "Password", "Nonce"):
        assert trace not in sent
    assert shown["model"].value == "M1"


def test_a_tap_keeps_no_more_than_it_may():
    kept = Kept()
    for _ in range(1000):
        kept.sent(b"?")
        kept.came(b"x" * 1024)
    assert sum(len(sent) + len(came) for sent, came in kept.exchanges) <= KEPT


def test_what_snmp_says_is_not_recorded_and_the_page_says_what_is(tmp_path):
    path = changed(tmp_path, "openwrt-ap")
    result = run(app, ["profile", "try", str(path), "--emulate", "openwrt-ap", "--record"])
    assert result.exit_code == 2
    assert "snmpget -On" in result.output
    assert "snmpget -On" in (Path(__file__).resolve().parents[2] / "docs" / "add-a-device.md").read_text("utf-8")


def test_an_exchange_is_overwritten_only_with_yes_and_the_change_is_shown(tmp_path):
    path = changed(tmp_path, "xy-md03")
    beside = tmp_path / "xy-md03.golden.yaml"
    beside.write_text("source: mine\n")
    command = ("profile", "try", str(path), "--emulate", "xy-md03", "--record")
    result = pole(*command)
    assert result.returncode == 1
    assert "-source: mine" in result.stdout
    assert "is left as it was" in result.stderr
    assert beside.read_text() == "source: mine\n"
    assert pole(*command, "--yes").returncode == 0
    assert loader.load_golden(path, loader.load(path)).recorded is False


def test_what_looks_wrong_is_not_recorded_unasked(tmp_path):
    path = changed(tmp_path, "xy-md03", ("type: int16, scale: 0.1", "type: int16"))
    result = pole("profile", "try", str(path), "--emulate", "xy-md03", "--record")
    assert result.returncode == 1
    assert "temperature: looks wrong" in result.stderr
    assert not (tmp_path / "xy-md03.golden.yaml").exists()


def test_points_that_did_not_answer_are_uncovered(tmp_path):
    path = changed(tmp_path, "xy-md03", ("address: 2, type: uint16", "address: 20, type: uint16"))
    result = run(app, ["profile", "try", str(path), "--emulate", "xy-md03", "--record"])
    assert result.exit_code == 0, result.output
    assert loader.load_golden(path, loader.load(path)).uncovered == ("humidity",)
