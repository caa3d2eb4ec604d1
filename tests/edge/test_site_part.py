import json
import stat
import subprocess
import sys

import pytest

SITE = """\
area: wuhou
controllers:
  ctl-1:
    board: simulated
    pole: P0001
    broker: mqtt://127.0.0.1:1883
    password_file: ctl-1.password
    ntp: 127.0.0.1
    utc_offset: +08:00
    uarts: {rs485: {port: /dev/null}}
    pins: {cover: {pin: 1}, sos: {pin: 2, invert: true}, relay: {pin: 3}}
    pwms: {dim: {pin: 4}}
    adcs: {loop: {pin: 5}}
    i2cs: {chips: {port: 0}}
    lamp:
      device: lamp-1
      schedule: [{at: dusk, level: 100}, {at: "23:00", level: 50}, {at: dawn-10m, level: 0}]
poles:
  P0001: {position: [30.6410, 104.0430]}
buses:
  field-1: {controller: ctl-1, uart: rs485}
  pins-1: {protocol: wired, controller: ctl-1}
devices:
  - {pole: P0001, device: cover-1, profile: cover-contact, bus: pins-1, pin: cover}
  - {pole: P0001, device: sos-1, profile: sos-button, bus: pins-1, pin: sos}
  - {pole: P0001, device: lamp-1, profile: lamp-0-10v, bus: pins-1, pwm: dim, pin: relay}
  - {pole: P0001, device: water-1, profile: level-4-20ma, bus: pins-1, adc: loop}
  - {pole: P0001, device: air-1, profile: sht31, bus: pins-1, i2c: chips}
  - {pole: P0001, device: light-1, profile: bh1750, bus: pins-1, i2c: chips}
  - {pole: P0001, device: meter-1, profile: sdm120, bus: field-1, unit: 1}
"""
MOST = 6_000  # bytes of heap with 4-byte words


def pole(*words):
    return subprocess.run(
        [sys.executable, "-m", "pole", *map(str, words)], capture_output=True, text=True, timeout=60
    )  # fmt: skip


@pytest.fixture
def place(tmp_path):
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "ctl-1.password").write_text("open sesame\n")
    return tmp_path


def test_a_controller_starts_from_its_folder(interpreter, place):
    done = pole("edge", "part", place / "site.yaml", "--node", "ctl-1", "--out", place / "ctl-1")
    assert done.returncode == 0, done.stderr
    most = MOST if interpreter.name == "micropython32" else 2 * MOST
    interpreter.run("site_part", folder=str(place / "ctl-1"), most=most)


def test_what_the_folder_holds(place):
    out = place / "ctl-1"
    done = pole("edge", "part", place / "site.yaml", "--node", "ctl-1", "--out", out, "--json")
    told = json.loads(done.stdout)
    assert (told["node"], told["board"], told["secrets"]) == ("ctl-1", "simulated", ["password"])
    assert told["files"] == {
        name: (out / name).stat().st_size for name in ("config.json", "plan.bin", "birth.json", "commands.jsonl")
    }
    assert (out / "password").read_text() == "open sesame"
    assert stat.S_IMODE((out / "password").stat().st_mode) == 0o600
    assert sorted(path.name for path in out.iterdir()) == sorted([*told["files"], "password"])


def test_a_secret_that_the_site_names_no_more_is_gone(place):
    words = ("edge", "part", place / "site.yaml", "--node", "ctl-1", "--out", place / "ctl-1")
    assert pole(*words).returncode == 0
    (place / "site.yaml").write_text(SITE.replace("    password_file: ctl-1.password\n", ""))
    done = pole(*words)
    assert (done.returncode, (place / "ctl-1" / "password").exists()) == (0, False)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--node", "ctl-2", "--out", "x"), "--node ctl-2 is no controller of this file. Did you mean 'ctl-1'?"),
        (("--node", "gateway", "--out", "x"), "--node gateway is no controller of this file. It has ctl-1."),
        (
            ("--node", "ctl-1", "--out", "site.yaml"),
            "--out site.yaml: site.yaml: File exists. Name a folder that can be written.",
        ),
    ],
)
def test_what_is_wrong_is_one_line(place, monkeypatch, words, wanted):
    monkeypatch.chdir(place)
    done = pole("edge", "part", "site.yaml", *words)
    assert done.returncode == 1
    assert done.stderr in (f"{wanted}\n", f"site.yaml: {wanted}\n")


def test_a_secret_that_is_not_there_is_named(place):
    (place / "ctl-1.password").unlink()
    done = pole("edge", "part", place / "site.yaml", "--node", "ctl-1", "--out", place / "ctl-1")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{place / 'ctl-1.password'}: No such file or directory" in done.stderr
    assert not (place / "ctl-1").exists()


def test_a_site_that_is_wrong_is_told_as_everywhere(place):
    (place / "site.yaml").write_text(SITE.replace("unit: 1", "unit: 300"))
    done = pole("edge", "part", place / "site.yaml", "--node", "ctl-1", "--out", place / "ctl-1")
    assert (done.returncode, "devices[6].unit: 300 is out of range" in done.stderr) == (2, True)
