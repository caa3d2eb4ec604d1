"""`pole profile try` against real ports: a pty, Modbus TCP, RTU over TCP, and emulators of the other protocols."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device_profiles import loader
from device_profiles.schema import Profile
from pole.broker import free_port
from pole.command import app
from pole.trial import view
from pole.trial.hints import hints
from pole.trial.outcome import Round
from pole.trial.way import Given, Way
from simulators.device import EmulatedDevice
from simulators.rtu_over_tcp import RtuOverTcpPort
from simulators.rtu_port import RtuPort
from simulators.tcp_port import TcpPort
from tests.pole.test_profile import pole

run = CliRunner(env={"COLUMNS": "200"}).invoke
SDM120 = loader.files()["sdm120"]


def changed(tmp_path: Path, name: str, *changes: tuple[str, str]) -> Path:
    """A copy of a shipped profile, without its exchange."""
    text = loader.files()[name].read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / f"{name}.yaml"
    path.write_text(text, "utf-8")
    return path


def steady(tmp_path: Path) -> str:
    """The file of an SDM120 whose values stand still, so that a wrong reading looks the same each time."""
    path = tmp_path / "steady" / "sdm120.yaml"
    path.parent.mkdir()
    still = re.sub(
        r"emulate: \{around: ([\d.]+).*\}",
        lambda found: f"emulate: {{around: {float(found[1]) * 0.9987:.6g}}}",
        SDM120.read_text("utf-8"),
    )
    path.write_text(still, "utf-8")
    return str(path)


def device(profile: Profile, **more: int) -> EmulatedDevice:
    return EmulatedDevice(profile=profile, pole="P", name="d", tick_ms=3_600_000, **more)


def read(profile: Profile, given: Given) -> Round:
    """One round; the device is already there."""

    async def once() -> Round:
        async with Way(profile=profile, given=given, patience=4).open() as trial:
            return await trial.round()

    return asyncio.run(once())


def tried(path: Path, stand_in: str, *options: str) -> dict[str, dict[str, object]]:
    """point -> what is told of it, against an emulated device of another profile."""
    result = run(app, ["profile", "try", str(path), "--emulate", stand_in, "--once", "--json", *options])
    assert result.exit_code == 0, result.output
    return {point["point"]: point for point in json.loads(result.output)["points"]}


def test_a_pty_shows_raw_words_beside_the_values_that_the_device_holds(tmp_path):
    profile = loader.profile("sdm120")

    async def scenario() -> tuple[Round, EmulatedDevice]:
        there = device(profile, unit=7)
        async with RtuPort(path=tmp_path / "port", devices=[there], baud=9600):
            given = Given(port=str(tmp_path / "port"), baud=9600, unit=7)
            async with Way(profile=profile, given=given, patience=1).open() as trial:
                return await trial.round(), there

    done, there = asyncio.run(scenario())
    assert {name: each.value for name, each in done.shown.items()} == {
        name: there.value(name) for name in profile.points
    }
    image = there.image()
    assert done.shown["voltage"].raw == f"{image['input', 0]:04x} {image['input', 1]:04x}"
    assert not any(each.hints for each in done.shown.values())


@pytest.mark.parametrize(("kind", "framing"), [(TcpPort, "tcp"), (RtuOverTcpPort, "rtu")])
def test_a_device_on_the_network(kind, framing):
    profile = loader.profile("wp8028adam")

    async def scenario() -> tuple[Round, EmulatedDevice]:
        there = device(profile)
        async with kind(devices=[there]) as port:
            given = Given(port=f"{port.host}:{port.port}", framing=framing)
            async with Way(profile=profile, given=given, patience=1).open() as trial:
                return await trial.round(), there

    done, there = asyncio.run(scenario())
    assert {name: each.value for name, each in done.shown.items()} == {
        name: there.value(name) for name in profile.points
    }


def test_a_wrong_word_order_is_seen_at_once(tmp_path):
    swapped = ("address: 0x0000, type: float32", "address: 0x0000, type: float32, word_order: low_first")
    path = changed(tmp_path, "sdm120", swapped)
    assert "word_order: high_first: 229.701 V" in tried(path, steady(tmp_path))["voltage"]["hints"]


def test_a_wrong_scale_sign_type_or_place_is_seen_at_once(tmp_path):
    changes = (
        ("address: 0x0006, type: float32", "address: 0x0006, type: uint32"),
        ("address: 0x000C, type: float32", "address: 0x000D, type: float32"),
        ("address: 0x0046, type: float32", "address: 0x0046, type: float32, scale: 100"),
    )
    points = tried(changed(tmp_path, "sdm120", *changes), steady(tmp_path))
    assert any(hint.startswith("type: float32: ") for hint in points["current"]["hints"])
    assert any(hint.startswith("scale: 1: ") for hint in points["frequency"]["hints"])
    assert any(hint.startswith("address: 12: ") for hint in points["active_power"]["hints"])


def test_what_could_be_true_but_is_far_from_the_usual_is_told_where_another_reading_is_near():
    voltage = loader.profile("sdm120").points["voltage"]
    swapped = voltage.model_copy(update={"at": voltage.at.model_copy(update={"word_order": "low_first"})})
    words = [0x4366, 0x4000]  # 2.06 V this way round, 230.25 V the other
    image = {("input", index): word for index, word in enumerate(words)}
    assert hints(swapped, words, image) == ("far from the usual 230", "word_order: high_first: 230.25 V")
    assert hints(voltage, words, image) == ()


def test_a_negative_number_that_is_read_without_its_sign(tmp_path):
    cold = changed(tmp_path, "xy-md03", ("around: 18", "around: -18"))
    (tmp_path / "wrong").mkdir()
    wrong = changed(tmp_path / "wrong", "xy-md03", ("type: int16", "type: uint16"))
    assert any(hint.startswith("type: int16: -") for hint in tried(wrong, str(cold))["temperature"]["hints"])


def test_the_sign_for_no_value_is_told(tmp_path):
    wide = ("range: [0, 100]", "range: [0, 6553.5]")
    full = ("around: 62, swing: 15, period: 1h, noise: 0.3", "around: 6553.5")
    hot = changed(tmp_path, "xy-md03", wide, full)
    assert tried(loader.files()["xy-md03"], str(hot))["humidity"]["hints"][0].startswith("0xFFFF: often no value")


def test_a_device_that_refuses_holes_is_asked_point_by_point(tmp_path):
    device = changed(tmp_path, "sdm120", ("block: 80", "block: 80, gap: 0"))
    result = run(app, ["profile", "try", str(loader.files()["sdm120"]), "--emulate", str(device), "--once"])
    assert result.exit_code == 0
    assert "exception 2 (illegal data address); its points answer one by one: set modbus.gap: 0" in result.output
    assert "no answer" not in result.output


def test_nothing_that_answers_is_told_with_what_to_check(tmp_path):
    profile = loader.profile("xy-md03")

    async def scenario() -> None:
        there = device(profile)
        async with RtuPort(path=tmp_path / "port", devices=[there]) as port:
            port.unit(1).faults.silent = True
            command = ("profile", "try", str(loader.files()["xy-md03"]), "--port", str(tmp_path / "port"), "--once")
            result = await asyncio.to_thread(pole, *command)
            assert result.returncode == 1
            for words in (
                "no answer",
                "A and B: swap them",
                "9600 8N1: --baud, --parity",
                "unit 1, as the device's menu",
            ):
                assert words in result.stdout
            port.unit(1).faults.silent = False
            port.unit(1).faults.corrupt = True
            result = await asyncio.to_thread(pole, *command)
            assert result.returncode == 1
            assert "the checksum is wrong" in " ".join(result.stdout.split())
            assert "Traceback" not in result.stderr

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "where is the device? Say --port"),
        (["--port", "/dev/ttyNone", "--baud", "9601"], "baud: not a standard baud rate"),
        (["--port", "10.0.0.1:x"], "neither a path"),
        (["--port", "/dev/x", "--framing", "ascii"], "--framing ascii is not one of tcp or rtu"),
        (["--port", "/dev/x", "--set", "speed"], "write KEY=VALUE"),
        (["--port", "/dev/x", "--set", "bauds=3"], "such a device has no bauds"),
        (["--port", "/dev/x", "--every", "often"], "a duration is a number"),
        (["--emulate", "em300-mcs"], "em300-mcs speaks chirpstack, not modbus"),
        (["--port", "/dev/x", "--record"], "--record needs --source"),
        (["--port", "/dev/x", "--record", "--source", "me"], "is too short"),
        (["--port", "/dev/x", "--record", "--source", "Our own, 2026", "--channel", "1"], "shows channel 0"),
    ],
)
def test_a_bad_option_is_one_sentence(options, words):
    result = run(app, ["profile", "try", str(SDM120), "--once", *options])
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_port_that_is_not_there(tmp_path):
    result = run(app, ["profile", "try", str(SDM120), "--once", "--port", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "is not there. Plugged in?" in result.output


@pytest.mark.parametrize(
    "name",
    ["dlt645-1p", "openwrt-ap", "onvif-camera", "multivision-led", "sip-intercom", "ocpp16", "hj212-air", "em300-mcs"],
)
def test_the_other_protocols_are_tried_against_their_emulators(name):
    profile = loader.profile(name)
    done = read(profile, Given(stand_in=profile))
    assert done.answered, [str(each.error) for each in done.asked]
    values = [each for each in done.shown.values() if each.value is not None]
    assert len(values) > len(profile.points) / 2
    assert json.dumps(view.document(profile, done), ensure_ascii=False)


def test_a_station_that_never_speaks_is_told(tmp_path):
    options = ["--listen", f"127.0.0.1:{free_port()}", "--wait", "300ms", "--once"]
    result = run(app, ["profile", "try", str(loader.files()["hj212-air"]), *options])
    assert result.exit_code == 1
    assert "nothing heard in 0.3 s" in result.output


def test_a_channel_of_a_device(tmp_path):
    profile = loader.profile("arlight-dali")
    done = read(profile, Given(stand_in=profile, channel=3))
    assert [each.what for each in done.asked] == ["holding 2563", "holding 3"]
    assert done.shown["level"].value is not None


def test_a_draft_can_be_tried_before_all_is_filled_in(tmp_path):
    path = changed(tmp_path, "xy-md03", ("verified: third-party", 'verified: "FILL IN: how far"'))
    assert tried(path, "xy-md03")["temperature"]["value"] is not None


def test_readings_go_on_until_they_are_stopped(tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-m", "pole", "profile", "try", str(SDM120), "--emulate", "sdm120", "--json"]
    with subprocess.Popen(
        [*command, "--every", "200ms"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(2)
        assert process.wait(timeout=20) == 0
        assert "Traceback" not in process.stderr.read()
    assert all(line["answered"] for line in lines)
