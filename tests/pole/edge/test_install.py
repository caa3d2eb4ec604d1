"""`pole edge install` into a folder that plays a system: what is there, who may read it, whether it runs."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pole.command import app
from pole.edge import systemd
from pole.flash import checks
from tests.parts import buses

SITE = """
area: wuhou
controllers:
  ctl-17:
    board: linux
    pole: P0017
    broker: mqtt://127.0.0.1:{port}
    password_file: ctl-17.password
    uarts: {{rs485: {{port: {bus}}}}}
poles:
  P0017: {{position: [30.641, 104.043]}}
buses:
  rs485-1: {{controller: ctl-17, uart: rs485}}
devices:
  - {{pole: P0017, device: meter-1, profile: sdm120, bus: rs485-1, unit: 1}}
  - {{pole: P0017, device: air-1, profile: xy-md03, bus: rs485-1, unit: 5}}
"""
CLIENT = re.compile(r"New client connected from .* as ctl-17 \(.*u'ctl-17'\)")


@pytest.fixture
def system(tmp_path):
    """A folder with what a Debian has: groups, an empty list of users, a machine's id."""
    etc = tmp_path / "system" / "etc"
    (etc / "systemd/system").mkdir(parents=True)
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (etc / "group").write_text("root:x:0:\ndialout:x:20:\ngpio:x:997:\n")
    (etc / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    return tmp_path / "system"


def install(folder, system, *words):
    """Exit code, the JSON document, what was shown meanwhile."""
    given = ("--site", folder / "site.yaml", "--pole", "P0017", "--root", system, "--sheets", folder / "sheets", *words)
    run = CliRunner().invoke(app, ["edge", "install", *map(str, given), "--json"])
    assert run.exception is None or isinstance(run.exception, SystemExit), run.exc_info
    return run.exit_code, json.loads(run.stdout) if run.stdout else {}, run.stderr


def write_site(folder, *, port=1, bus="/dev/ttyS1", password="ctl-17-secret"):
    (folder / "site.yaml").write_text(SITE.format(port=port, bus=bus))
    (folder / "ctl-17.password").write_text(password)


def tree(system):
    return {
        path.relative_to(system).as_posix(): (path.stat().st_mtime_ns, stat.S_IMODE(path.stat().st_mode))
        for path in system.rglob("*")
        if path.is_file()
    }


def test_a_system_gets_agent_account_and_service_and_a_second_run_writes_nothing(tmp_path, system):
    write_site(tmp_path)
    code, document, shown = install(tmp_path, system)
    assert code == 0, shown
    folder = system / "var/lib/multipole/ctl-17"
    assert json.loads((folder / "config.json").read_text())["node"] == "ctl-17"
    assert (folder / "a/edge/boards/linux.py").exists()
    assert not (folder / "a/edge/boards/esp32.py").exists()
    assert (folder / "main.py").read_bytes() == Path("edge/guard.py").read_bytes()
    assert (folder / "password").read_text() == "ctl-17-secret"
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    unit = system / "etc/systemd/system/multipole-ctl-17.service"
    assert "SupplementaryGroups=dialout gpio\n" in unit.read_text()
    assert (system / "etc/systemd/system/multi-user.target.wants/multipole-ctl-17.service").is_symlink()
    assert "u multipole " in (system / "etc/sysusers.d/multipole.conf").read_text()
    if os.geteuid() == 0 and shutil.which("systemd-sysusers"):
        assert folder.stat().st_uid == systemd.identity(system)[0] != 0
    assert "ctl-17-secret" not in json.dumps(document) + shown

    before = tree(system)
    code, document, shown = install(tmp_path, system)
    assert (code, tree(system)) == (0, before), shown
    assert {step["name"]: step["state"] for step in document["steps"]} == {
        "site": "done", "account": "skipped", "files": "skipped", "service": "skipped",
    }  # fmt: skip

    (folder / "a/edge/agent.py").write_text("")
    (folder / "a/edge/stale.py").write_text("")
    write_site(tmp_path, password="another")
    code, document, _ = install(tmp_path, system)
    assert code == 0
    assert (folder / "a/edge/agent.py").read_bytes() == Path("edge/agent.py").read_bytes()
    assert not (folder / "a/edge/stale.py").exists()
    assert (folder / "password").read_text() == "another"


def test_a_dry_run_says_everything_and_does_nothing(tmp_path, system):
    write_site(tmp_path)
    before = tree(system)
    code, _, shown = install(tmp_path, system, "--dry-run")
    assert (code, tree(system)) == (0, before)
    assert f"would write {system}/var/lib/multipole/ctl-17/a/edge/agent.py" in shown
    assert f"would write {system}/var/lib/multipole/ctl-17/password" in shown
    assert f"would write: {system}/etc/systemd/system/multipole-ctl-17.service" in shown
    assert "make the user multipole" in shown


@pytest.mark.parametrize("broker", [("ctl-17",)], indirect=True)
def test_the_self_test_and_the_agent_run_on_this_machines_python(tmp_path, system, broker):
    port = buses.rtu_port(tmp_path / "bus", buses.device("sdm120", 1), buses.device("xy-md03", 5))
    with buses.running(port):
        write_site(tmp_path, port=broker.port, bus=tmp_path / "bus")
        code, sheet, shown = install(tmp_path, system, "--self-test", "--engineer", "Li Wei")
        assert (code, sheet["accepted"]) == (0, True), shown
        assert [(check["name"], check["what"]) for check in sheet["checks"]] == [
            ("memory", ""), ("files", ""), ("clock", ""), ("bus rs485-1", "P0017/meter-1 unit 1"),
            ("bus rs485-1", "P0017/air-1 unit 5"), ("network", ""), ("broker", f"127.0.0.1:{broker.port}"),
        ]  # fmt: skip
        assert sheet["board_id"] == "0123456789abcdef"
        assert len(list((tmp_path / "sheets").glob("acceptance-P0017-*"))) == 2
        (started,) = re.findall("^ExecStart=(.*)$", unit_text(system), re.M)
        words = [sys.executable, *started.replace("/var/lib", f"{system}/var/lib").split()[1:]]
        with (tmp_path / "agent.log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as agent:
            try:
                deadline = time.monotonic() + 30
                while len(CLIENT.findall(broker.log.read_text())) < 2:  # the self-test's session, then the agent's own
                    assert time.monotonic() < deadline, (tmp_path / "agent.log").read_text()
                    assert agent.poll() is None, (tmp_path / "agent.log").read_text()
                    time.sleep(0.1)
            finally:
                agent.kill()


def test_a_failed_check_ends_with_1(tmp_path, system, monkeypatch):
    monkeypatch.setattr(checks, "AGAIN_MS", 0)  # nobody comes back here
    write_site(tmp_path, bus=tmp_path / "none")
    code, sheet, _ = install(tmp_path, system, "--self-test")
    assert (code, sheet["accepted"]) == (1, False)
    silent = next(check for check in sheet["checks"] if check["what"] == "P0017/air-1 unit 5")
    assert (silent["state"], silent["said"][:20]) == ("failed", "temperature: timeout")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd's own check of a unit")
def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path):
    unit = tmp_path / "multipole-ctl-17.service"
    for has_pwm in (True, False):
        text = systemd.unit(node="ctl-17", pole="P0017", python=sys.executable, groups=["dialout"], has_pwm=has_pwm)
        unit.write_text(text)
        run = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
        assert (run.returncode, run.stdout + run.stderr) == (0, "")
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout


def test_only_root_sets_up_this_machine(tmp_path, monkeypatch):
    write_site(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    code, document, _ = install(tmp_path, Path("/"))
    assert code == 1
    assert document["reason"] == "Only root may set up this machine."
    assert "--root" in document["remedy"]


def unit_text(system):
    return (system / "etc/systemd/system/multipole-ctl-17.service").read_text()
