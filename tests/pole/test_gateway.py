import asyncio
import gc
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pole.command import app

SITE = """
area: wuhou
gateways:
  gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}
  gw-2: {broker: "mqtt://127.0.0.1:1883", pole: P0002, password_file: no-such.password, spool_megabytes: 1, keep: 90d}
poles:
  P0001: {position: [30.641, 104.043]}
  P0002: {position: [30.642, 104.043]}
buses:
  rs485-1: {gateway: gw-1, port: /dev/null, baud: 9600}
  rs485-2: {gateway: gw-2, port: /dev/serial/by-id/not-plugged-in, baud: 9600}
devices:
  - {pole: P0001, device: air-1, profile: xy-md03, bus: rs485-1, unit: 1}
  - {pole: P0002, device: air-1, profile: xy-md03, bus: rs485-2, unit: 1}
"""


def pole(*words):
    return subprocess.run([sys.executable, "-m", "pole", *words], capture_output=True, text=True, timeout=30)


def check(*words):
    """In this process: exit code and output."""
    done = CliRunner().invoke(app, ["gateway", "check", *words])
    return done.exit_code, done.stdout


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site.yaml").write_text(SITE)
    return str(tmp_path / "site.yaml")


def test_check_says_what_would_be_read_and_how_long_the_spool_lasts(site):
    done = pole("gateway", "check", site, "--node", "gw-1", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["buses"] == {"rs485-1": 1}
    assert report["spool_hours"]["keep"] == 168
    assert report["problems"] == []
    assert "hours without network" in check(site, "--node", "gw-1")[1]


def test_check_names_each_thing_that_is_not_there(site):
    code, told = check(site, "--node", "gw-2", "--json")
    assert code == 1
    password, port, spool = json.loads(told)["problems"]
    assert "gateways.gw-2.password_file" in password
    assert "no-such.password; create it" in password
    assert "bus rs485-2" in port
    assert "ls /dev/serial/by-id" in port
    assert "spool_megabytes" in spool
    assert "keep asks for 2160" in spool


def test_check_says_what_the_spools_disk_does_not_allow(site, tmp_path):
    def problems(changes):
        Path(site).write_text(SITE.replace("pole: P0001}", f"pole: P0001, {changes}}}", 1))
        code, told = check(site, "--node", "gw-1", "--json")
        return code, json.loads(told)["problems"]

    free = shutil.disk_usage(tmp_path).free >> 20
    code, (room,) = problems(f"spool_megabytes: {free + 10_000}")
    assert code == 1
    assert f"gateways.gw-1.spool_megabytes: {free + 10_000}, but the disk of {tmp_path} has room for " in room
    code, (closed,) = problems("spool: /proc/sys/gw-1.db")  # where root may not write either
    assert code == 1
    assert "gateways.gw-1.spool: nothing can be written in /proc/sys" in closed


@pytest.mark.parametrize(
    ("words", "said"),
    [((), "say which with --node (gw-1, gw-2)"), (("--node", "gw-3"), "no such gateway; it has gw-1, gw-2")],
)
def test_which_gateway_is_asked_for_not_guessed(site, words, said):
    done = pole("gateway", "run", site, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_site_of_controllers_alone_has_nothing_for_a_gateway(tmp_path, verb):
    site = tmp_path / "site.yaml"
    site.write_text(
        "area: wuhou\n"
        "controllers: {ctl-1: {board: linux, pole: P1, broker: 'mqtt://127.0.0.1:1883'}}\n"
        "poles: {P1: {position: [30, 104]}}\nbuses: {}\ndevices: []\n"
    )
    done = pole("gateway", verb, site)
    assert done.returncode == 2
    assert done.stderr == "this site has no gateway; its controllers, ctl-1, run by themselves\n"


def test_a_gateway_without_its_password_file_says_so_and_does_not_start(site, tmp_path):
    done = pole("gateway", "run", site, "--node", "gw-2")
    assert done.returncode == 2
    assert "no-such.password" in done.stderr
    assert not (tmp_path / "gw-2.db").exists()


def test_a_password_file_without_a_password_is_said_in_a_sentence(site, tmp_path):
    (tmp_path / "no-such.password").write_text("\n")
    done = pole("gateway", "run", site, "--node", "gw-2")
    assert done.returncode == 2
    assert "gateways.gw-2.password_file: the first line of" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_spool_that_another_gateway_has_is_said_in_a_sentence(site, tmp_path):
    from gateway.disk.spool import Spool

    spool = Spool(path=tmp_path / "gw-1.db", max_bytes=1 << 20)
    done = pole("gateway", "run", site, "--node", "gw-1")
    spool.close()
    assert done.returncode == 1
    assert "another gateway" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_spool_that_fails_while_it_runs_is_said_in_a_sentence_whichever_task_meets_it(site, monkeypatch, capsys):
    from gateway import service
    from gateway.disk.spool import SpoolError
    from pole import gateway

    async def fail(**_):
        met_by_the_uplink = ExceptionGroup("session", [SpoolError("spool gw-1.db: disk I/O error: check the disk")])
        raise ExceptionGroup("service", [met_by_the_uplink])

    monkeypatch.setattr(service, "run", fail)
    with pytest.raises(SystemExit) as ended:
        gateway.run(Path(site), "gw-1", False)
    assert ended.value.code == 1
    assert "spool gw-1.db: disk I/O error: check the disk" in capsys.readouterr().err


def test_what_a_start_built_is_not_gone_through_again_and_again(site, monkeypatch):
    from gateway import service
    from pole import gateway

    seen = []

    async def serve(*, configuration, stop):
        seen.append(gc.isenabled())
        async with asyncio.timeout(10):
            while not gc.isenabled():
                await asyncio.sleep(0.01)
        seen.append(gc.get_freeze_count() > 1000)

    monkeypatch.setattr(service, "run", serve)
    monkeypatch.setattr(gateway, "SETTLED_S", 0.05)
    try:
        gateway.run(Path(site), "gw-1", False)
    finally:
        gc.unfreeze()
    assert seen == [False, True]


def test_a_gateway_that_cannot_start_leaves_the_collector_as_it_was(site):
    from device_profiles.problems import FileProblem
    from pole import gateway

    with pytest.raises(FileProblem):
        gateway.run(Path(site).with_name("none.yaml"), None, False)
    assert gc.isenabled()


def test_check_refuses_more_devices_than_one_birth_announces(site, tmp_path):
    lines = [
        f"  - {{pole: P0001, device: lamp-with-a-long-name-that-its-street-has-given-it-{bus}-{channel}, "
        f"profile: arlight-dali, bus: dali-{bus}, unit: 1, channel: {channel}}}"
        for bus in range(40)
        for channel in range(64)
    ]
    buses = [f"  dali-{bus}: {{gateway: gw-1, host: 10.0.0.{bus + 1}}}" for bus in range(40)]
    text = SITE.replace("buses:\n", "buses:\n" + "\n".join(buses) + "\n") + "\n".join(lines) + "\n"
    (tmp_path / "site.yaml").write_text(text)
    code, told = check(site, "--node", "gw-1", "--json")
    assert code == 1
    (problem,) = json.loads(told)["problems"]
    assert "use two gateways" in problem
