"""What breaks off in the middle says what to do, leaves nothing that starts half-written, and a new run mends it."""

import contextlib
import signal
import subprocess
import sys
import time

import pytest

from pole.flash import FlashError, checks
from pole.flash.repl import Repl
from tests.pole.flash.rig import Board, Rig, bus, failed


@contextlib.contextmanager
def begun(rig, port, words):
    """`pole flash` as it copies files."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pole", *rig.flash_words(port, *words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background would ignore Ctrl-C
    )  # fmt: skip
    with process:
        for line in process.stderr:
            if line.startswith("ok     controller"):
                break
        time.sleep(0.7)
        yield process


@pytest.mark.parametrize("broker", [("ctl-18",)], indirect=True)
def test_a_cable_that_is_pulled_in_the_middle_leaves_nothing_that_starts_and_is_mended(tmp_path, broker):
    rig = Rig(folder=tmp_path, port=broker.port)
    rig.site.write_text(rig.site.read_text().replace("pole: P0018, broker", "pole: P0018, password_file: p18, broker"))
    (tmp_path / "p18").write_text(broker.passwords["ctl-18"])
    board = Board(folder=tmp_path)
    with board, begun(rig, board.port, ["--pole", "P0018"]) as process:
        board.unplug()
        said = process.stderr.read()
        assert process.wait(60) == 1
        assert "the connection broke" in said or "stopped answering" in said
        assert "run again" in said
    with board:
        repl = Repl(port=board.port)
        repl.open()
        names = repl.files("")
        repl.close()
        assert names & {"main.py", "slot", "a/version"} == set()
        assert len(names) > 3
        code, document, shown = rig.flash(board.port, pole="P0018")
        assert (code, failed(document)) == (0, []), shown
        kept = next(step["said"] for step in document["steps"] if step["name"] == "files")
        assert " 0 right already" not in kept


def test_ctrl_c_ends_it_at_once_and_says_what_then(tmp_path):
    rig = Rig(folder=tmp_path)
    with Board(folder=tmp_path) as board, begun(rig, board.port, []) as process:
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(30) == 130
        assert "Traceback" not in said
        assert "run again" in said


def test_a_file_system_that_is_too_small_is_told_before_anything_is_written(tmp_path):
    rig = Rig(folder=tmp_path)
    with Board(folder=tmp_path, kilobytes=128) as board:
        code, document, _ = rig.flash(board.port)
        assert code == 1
        assert "bytes free, and" in document["reason"]
        assert "--erase" in document["remedy"]
        repl = Repl(port=board.port)
        repl.open()
        assert repl.files("a") == set()
        with pytest.raises(FlashError, match="file system is full"):
            repl.write("large", bytes(200_000))
        assert "large" not in repl.files("")
        repl.close()


@pytest.mark.parametrize("broker", [("ctl-17",)], indirect=True)
def test_a_unit_that_is_silent_and_a_broker_that_refuses_are_on_the_sheet(tmp_path, broker, monkeypatch):
    monkeypatch.setattr(checks, "AGAIN_MS", 0)  # nobody comes back here
    emulated, path = bus(tmp_path, 1)
    with emulated, Board(folder=tmp_path) as board:
        rig = Rig(folder=tmp_path, port=broker.port, bus=path(), password="wrong")
        code, sheet, _ = rig.flash(board.port)
    assert (code, sheet["accepted"]) == (1, False)
    assert failed(sheet) == [
        ("sensors", "P0017/air-2"),
        ("bus ctl-17-rs485", "P0017/air-1 unit 5"),
        ("broker", f"127.0.0.1:{broker.port}"),
    ]
    silent, refused = (check for check in sheet["checks"] if check["state"] == "failed" and check["name"] != "sensors")
    assert "temperature: timeout" in silent["said"]
    assert "A and B" in silent["remedy"]
    assert refused["said"] == "refused 5"
    assert "refuses user or password" in refused["remedy"]
