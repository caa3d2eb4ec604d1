"""What a run is made of, each part by itself; test_run.py has whole runs."""

import asyncio
import fcntl
import json
import os
import resource
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pole.demo.folder import FolderError
from pole.demo.watch import Watch
from pole.fleet import figures
from pole.fleet.engine import Engine, EngineFailed
from pole.fleet.folder import LOCK, RunFolder
from pole.fleet.plan import Plan
from simulators import descriptors
from simulators.descriptors import TooManyNodes
from tests.pole.fleet import emulator

PLAN = Plan(
    scenario=Path("storm.yaml"), title="Thunderstorm 雷暴", start="2026-07-15T17:00:00", seed=1, poles=4, for_s=600
)  # fmt: skip
NOW_MS = 1_700_000_003_000


@pytest.fixture
def watch():
    started = Watch()
    yield started
    started.close()


def test_the_world_begins_on_a_whole_step_about_now_and_a_faster_one_ends_by_now():
    assert PLAN.began_ms(NOW_MS) == 1_700_000_000_000
    assert PLAN.began_ms(NOW_MS + 2_000) == 1_700_000_010_000
    assert replace(PLAN, poles=8000).began_ms(NOW_MS) == 1_700_000_010_000  # their births come first
    assert replace(PLAN, wires=1).began_ms(NOW_MS) == 1_700_000_020_000
    for speed in (60.0, None):
        began = replace(PLAN, speed=speed).began_ms(NOW_MS)
        assert began == 1_699_999_400_000
        assert began + 1000 * PLAN.for_s <= NOW_MS


def test_nodes_are_the_poles_after_agents_and_wires():
    assert replace(PLAN, agents=1, wires=1).nodes == ["P00003-node", "P00004-node"]


def test_a_folder_has_all_that_the_parts_read(tmp_path):
    folder = RunFolder(tmp_path / "run", PLAN)
    order = folder.write(NOW_MS)
    assert json.loads(folder.order.read_text()) == order
    assert json.loads((folder.path / "run.json").read_text())["order"] == order
    assert order["broker"]["port"] == folder.port
    words = dict(text.split(":") for text in Path(order["passwords"]).read_text().splitlines())
    assert set(words) == {*PLAN.nodes, "ingest", "operator"}
    assert os.stat(order["passwords"]).st_mode & 0o077 == 0
    config = yaml.safe_load(folder.ingest.read_text())
    assert config["broker"] == f"mqtt://ingest@127.0.0.1:{folder.port}"
    folder.close()


def test_with_tls_the_nodes_have_a_port_of_their_own(tmp_path):
    folder = RunFolder(tmp_path / "run", replace(PLAN, tls=True))
    order = folder.write(NOW_MS)
    assert order["broker"]["port"] == folder.tls_port != folder.port
    assert Path(order["tls"]["ca"]).parent == folder.path / "tls"
    folder.close()


def test_the_earlier_run_is_kept_beside_the_new_one(tmp_path):
    for number in range(3):
        folder = RunFolder(tmp_path / "run", PLAN)
        (folder.path / f"run-{number}").touch()
        folder.close()
    assert (tmp_path / "run" / "run-2").exists()
    assert (tmp_path / "run.earlier" / "run-1").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"run", "run.earlier"}


def test_a_folder_in_use_and_one_of_somebody_else_are_left_alone(tmp_path):
    folder = RunFolder(tmp_path / "run", PLAN)
    with pytest.raises(FolderError, match="another run is under way"):
        RunFolder(tmp_path / "run", PLAN)
    folder.close()
    other = tmp_path / "letters"
    other.mkdir()
    (other / "letter").touch()
    with pytest.raises(FolderError, match="holds something that is no run"):
        RunFolder(other, PLAN)
    with pytest.raises(FolderError, match="Not a directory"):
        RunFolder(other / "letter" / "run", PLAN)


def test_more_nodes_than_descriptors_are_refused_with_what_helps(monkeypatch):
    limits = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1] if limits else (500, 1000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.append(wanted))
    descriptors.make_room(800, option="--poles")
    assert limits == [(1000, 1000)]

    def forbidden(_, wanted):
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", forbidden)
    with pytest.raises(TooManyNodes, match=r"at most 900 nodes\. Write --poles 900.*ulimit -n 1001"):
        descriptors.make_room(901, option="--poles")


def test_the_emulator_is_followed_until_its_last_line(tmp_path, watch):
    order = tmp_path / "order.json"
    order.write_text(json.dumps({"lines": 3}))
    engine = Engine(
        order=order, log=tmp_path / "log", watch=watch, command=[sys.executable, emulator.__file__]
    )  # fmt: skip

    async def follow() -> list[str]:
        await engine.start()
        kinds = []
        async for said in engine.lines():
            kinds.append(said["kind"])
            if len(kinds) == 3:
                engine.stop()
        return kinds

    assert asyncio.run(follow()) == ["state", "state", "state", "end"]
    assert engine.end is not None
    assert engine.end["truth_sha256"] == "0" * 64
    assert engine.pid is None


def test_an_emulator_that_dies_is_told_with_its_log(tmp_path, watch):
    engine = Engine(
        order=tmp_path / "none.json", log=tmp_path / "log", watch=watch, command=[sys.executable, emulator.__file__]
    )  # fmt: skip

    async def follow() -> None:
        await engine.start()
        async for _ in engine.lines():
            pass

    with pytest.raises(EngineFailed, match=r"ended with 1(.|\n)*No such file"):
        asyncio.run(follow())


def test_sessions_are_counted_by_name(tmp_path):
    log = tmp_path / "broker.log"
    line = "2026-11-21T22:00:00: New client connected from 127.0.0.1:{} as {} (p2, c1, k60, u'x').\n"
    names = ["P00001-node", "P00002-node", "P00001-node", "ingest-1"]
    log.write_text("".join(line.format(40000 + port, name) for port, name in enumerate(names)))
    assert figures.sessions(log, ["P00001-node", "P00002-node", "P00003-node"]) == 2


def test_the_cpu_of_a_process_grows_and_that_of_none_is_unknown():
    before = figures.cpu_s(os.getpid())
    sum(number * number for number in range(1_500_000))
    assert figures.cpu_s(os.getpid()) > before
    assert figures.cpu_s(None) is None


def test_the_lock_is_the_folders_own(tmp_path):
    folder = RunFolder(tmp_path / "run", PLAN)
    with (folder.path / LOCK).open("w") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    folder.close()
