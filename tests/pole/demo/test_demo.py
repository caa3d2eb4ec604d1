"""`pole demo` as a user starts it: a process of its own, with all of its children."""

import contextlib
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simulators.city import EVERY_POLE, NODES, OTHERS
from tests.parts.processes import children, need_mosquitto

COMMAND = [sys.executable, "-m", "pole", "demo"]
KEYS = {
    "poles", "devices", "readings_produced", "readings_stored", "lost", "duplicated", "wrong_values",
    "latency_p50_ms", "latency_p99_ms", "kills",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _mosquitto():
    need_mosquitto()


def processes(folder: Path, node: str) -> set[int]:
    """Process ids of a node of the demo in this folder."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().split(b"\0")
            if str(folder).encode() in b" ".join(line) and node.encode() in line:
                found.add(int(path.parent.name))
    return found


def wait_until(condition, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def answer_of(arguments: list[str], folder: Path) -> tuple[subprocess.CompletedProcess, dict]:
    done = subprocess.run(
        [*COMMAND, "--json", "--dir", folder, *arguments], capture_output=True, text=True, timeout=150
    )
    assert done.stdout.count("\n") == 1, f"one line on standard output, not {done.stdout!r}\n{done.stderr[-3000:]}"
    return done, json.loads(done.stdout)


def played(folder: Path, *arguments: str, until: Callable[[str], bool]) -> tuple[dict, str]:
    """A run that Ctrl-C ends once `until` holds, given what it has said; its outcome, and all that it said."""
    said = folder.with_suffix(".said")
    with said.open("w") as errors:
        command = [*COMMAND, "--json", "--dir", folder, *arguments]
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        wait_until(lambda: demo.poll() is not None or until(said.read_text()), 150, "what is waited for never came")
    finally:
        demo.send_signal(signal.SIGINT)
        answer, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, f"{answer}\n{said.read_text()[-3000:]}"
    return json.loads(answer), said.read_text()


def stored(folder: Path) -> int:
    """Values in its database; none before there is one."""
    if not (folder / "readings.db").exists():
        return 0
    with contextlib.closing(sqlite3.connect(folder / "readings.db", timeout=20)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'points'").fetchall():
            return 0
        return db.execute("SELECT count(*) FROM points").fetchone()[0]


def test_a_short_run_stores_everything_and_is_continued(tmp_path):
    folder = tmp_path / "run"
    first, said = played(
        folder, until=lambda said: "first reading in the database" in said and stored(folder) > 100 and is_alike(folder)
    )
    assert set(first) >= KEYS
    assert first["poles"] == 12
    assert_stored(first)
    assert first["lost"] == first["duplicated"] == first["wrong_values"] == first["refused"] == first["crashes"] == 0
    assert first["values_checked"] > 50
    assert first["kills"] == 0
    assert 0 < first["first_reading_s"] <= first["seconds"]
    assert children(folder, " demo ") == []
    assert "continued" not in said
    done, second = answer_of(["--for", "8s"], folder)
    assert done.returncode == 0, f"{second}\n{done.stderr[-3000:]}"
    assert "continued" in done.stderr
    assert second["seconds"] >= 8
    assert_stored(second)
    assert second["readings_stored"] >= first["readings_stored"]
    assert second["lost"] == second["duplicated"] == 0


def assert_stored(outcome: dict) -> None:
    """All that was produced; on a machine that stood still at the end, some of it waits for the next run."""
    # what a device tells twice, to a gateway that was killed before its answer, is one row
    kept = outcome["readings_stored"] + outcome["told_again"] + outcome["pending"]
    assert kept == outcome["readings_produced"]
    assert outcome["readings_stored"] > max(50, 0.9 * outcome["readings_produced"])


def is_alike(folder: Path) -> bool:
    """What a controller tells stands in the database as what a gateway tells: same series, same types of values."""
    query = """SELECT function, device, point, group_concat(DISTINCT typeof(value)) FROM points JOIN series
               ON series = id WHERE pole = ? GROUP BY 1, 2, 3"""
    with contextlib.closing(sqlite3.connect(folder / "readings.db", timeout=20)) as db:
        ((nodes,),) = db.execute("SELECT count(DISTINCT node) FROM packs WHERE node IN ('gw-3', 'ctl-1')")
        of_gateway, of_controller = (
            {row for row in db.execute(query, (pole,)) if row[1] in dict(EVERY_POLE + OTHERS)}
            for pole in ("P0011", "P0012")
        )
        own = {row[2] for row in db.execute(query, ("P0012",)) if row[1] == "ctl-1"}
    told = nodes == 2 and len(of_gateway) > 20 and {"uptime_s", "readings_produced"} <= own
    return told and of_controller == of_gateway


def test_chaos_loses_nothing(tmp_path):
    folder = tmp_path / "run"
    outcome, said = played(folder, "--chaos", until=lambda said: said.count("(kill -9)") >= 3 and stored(folder) > 300)
    assert outcome["kills"] == said.count("(kill -9)") >= 3
    assert_stored(outcome)
    assert outcome["lost"] == outcome["duplicated"] == outcome["wrong_values"] == 0
    assert outcome["values_checked"] > 50


def started(folder: Path) -> subprocess.Popen:
    """A running demo with a reading in its database; `told` is what it has said so far."""
    demo = subprocess.Popen([*COMMAND, "--dir", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    demo.told = []
    for text in demo.stdout:
        demo.told.append(text)
        if text.startswith("first reading in the database"):
            break
    assert demo.poll() is None, "the demo ended before its first reading"
    assert len(children(folder, " demo ")) == len(NODES) + 2
    return demo


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A demo for the next three, of which the last one ends it."""
    need_mosquitto()
    folder = tmp_path_factory.mktemp("running") / "run"
    demo = started(folder)
    yield demo, folder
    if demo.poll() is None:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=120)


def tells(folder: Path, pole: str, device: str) -> bool:
    """Whether a value of the device is in the database: its node has been born, and it has dialled in."""
    with contextlib.closing(sqlite3.connect(folder / "readings.db", timeout=20)) as db:
        wanted = "SELECT 1 FROM readings WHERE pole = ? AND device = ? AND value IS NOT NULL LIMIT 1"
        return bool(db.execute(wanted, (pole, device)).fetchall())


def test_the_commands_that_it_prints_work(running):
    demo, folder = running
    commands = dict(text.strip().split(": ", 1) for text in demo.told if " -m pole " in text)
    told = {"dim a lamp", "dim by a controller", "write on a screen", "limit a charger", "turn a camera"}
    assert set(commands) == {"readings of a pole", "what is stored"} | told

    def run(what: str) -> str:
        done = subprocess.run(shlex.split(commands[what]), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{commands[what]}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    wait_until(lambda: "voltage" in run("readings of a pole"), 60, "no reading of the pole is in the database")
    for what in told:
        words = shlex.split(commands[what])
        pole, device = words[words.index("send") + 1 :][:2]
        wait_until(lambda at=(pole, device): tells(folder, *at), 60, f"nothing of {pole}/{device} is in the database")
        assert "done" in run(what)
    assert "gw-3" in run("what is stored")
    wait_until(lambda: " 20.07" in run("readings of a pole"), 60, "the dimmed level is not in the database")


def test_two_demos_do_not_share_a_folder(running):
    _, folder = running
    other = subprocess.run([*COMMAND, "--dir", folder, "--for", "1s"], capture_output=True, text=True, timeout=60)
    assert other.returncode == 2
    assert "another demo runs here" in other.stderr
    assert "--dir" in other.stderr


def test_ctrl_c_stops_in_order_and_counts(running):
    demo, folder = running
    demo.send_signal(signal.SIGINT)
    text, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, text
    assert "nothing lost" in text
    for node in NODES:
        assert node in text
    assert children(folder, " demo ") == []


def test_nothing_outlives_a_demo_that_is_killed(tmp_path):
    folder = tmp_path / "run"
    demo = started(folder)
    demo.kill()
    demo.communicate(timeout=60)
    wait_until(lambda: not children(folder, " demo "), 60, f"still there: {children(folder, ' demo ')}")


def test_parts_that_are_killed_from_outside_are_started_again(tmp_path):
    folder = tmp_path / "run"
    demo = started(folder)
    try:
        for name in ("gw-2", str(folder / "ctl-1" / "main.py")):
            (pid,) = processes(folder, name)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda name=name, pid=pid: processes(folder, name) - {pid}, 60, f"{name} was not started again")
    finally:
        demo.send_signal(signal.SIGINT)
        text, _ = demo.communicate(timeout=120)
    assert "gw-2 ended by itself" in text
    assert "ctl-1 ended by itself" in text
    assert demo.returncode == 0, text


@pytest.mark.parametrize(
    ("length", "told"), [("soon", "a duration is a number with"), ("0s", "too short"), ("999ms", "write 1s or more")]
)
def test_a_duration_that_is_none_is_refused(tmp_path, length, told):
    wrong = subprocess.run(
        [*COMMAND, "--for", length, "--dir", tmp_path / "x"], capture_output=True, text=True, timeout=30
    )
    assert wrong.returncode == 2
    assert told in wrong.stderr
    assert not (tmp_path / "x").exists()


def test_a_folder_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / ".lock").touch()
    (tmp_path / "damaged" / "readings.db").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "site.yaml").write_text("area: ours\n")
    for name, told in (
        ("file", "Not a directory"),
        ("damaged", "readings.db: file is not a database"),
        ("own", "holds something that is no demo"),
    ):
        answer = subprocess.run([*COMMAND, "--dir", tmp_path / name], capture_output=True, text=True, timeout=30)
        assert answer.returncode == 2
        assert told in answer.stderr
        assert "--dir" in answer.stderr
        assert "Traceback" not in answer.stderr
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["site.yaml"]
    assert (tmp_path / "own" / "site.yaml").read_text() == "area: ours\n"
