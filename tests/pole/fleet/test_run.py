"""`pole fleet run` as a user starts it: a process of its own, with all of its children."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.parts.processes import children, need_mosquitto

COMMAND = [sys.executable, "-m", "pole", "fleet", "run"]


@pytest.fixture(autouse=True)
def _mosquitto():
    need_mosquitto()


def test_a_fast_run_explains_every_reading(tmp_path):
    folder = tmp_path / "run"
    arguments = ["--scenario", "storm", "--poles", "20", "--for", "5m", "--speed", "max", "--json", "--dir", folder]
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120)
    assert done.stdout.count("\n") == 1, f"{done.stdout}\n{done.stderr[-3000:]}"
    told = json.loads(done.stdout)
    assert done.returncode == 0, f"{told}\n{done.stderr[-3000:]}"
    assert told["connected"] == told["nodes"] == 20
    assert told["readings"] == told["stored"] + sum(told["missing"].values()) > 2000
    assert told["lost"] == told["wrong"] == told["false"] == told["moved"] == 0
    assert told["verified"] is True
    assert all(told["cpu_us_per_reading"][part] > 0 for part in ("emulator", "broker", "ingest"))
    assert told["memory_per_node"] > 0
    assert len(told["truth_sha256"]) == 64
    assert children(folder, " fleet run ") == []


def test_ctrl_c_hands_over_judges_and_ends_everything(tmp_path):
    folder = tmp_path / "run"
    arguments = ["--poles", "20", "--every", "10s", "--tls", "--dir", folder]
    running = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip
    told = []
    for text in running.stdout:
        told.append(text)
        if text.startswith("first readings in the store"):
            break
    assert running.poll() is None, "".join(told)
    assert len(children(folder, " fleet run ")) == 3
    running.send_signal(signal.SIGINT)
    text, _ = running.communicate(timeout=90)
    assert running.returncode == 0, "".join(told) + text
    assert "20 of 20 nodes had a session of their own" in text
    assert "every reading is explained" in text
    assert children(folder, " fleet run ") == []
