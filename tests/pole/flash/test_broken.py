"""What breaks off in the middle says what to do, leaves nothing that starts half-written, and a new run mends it."""

import os
import signal

import pytest

from pole.flash import FlashError, checks
from pole.flash.repl import Repl
from tests.pole.flash.rig import Board, Rig, bus, failed


@pytest.fixture
def at_tenth_file(monkeypatch):
    """Gives a function that is called in the middle of the copying: with half of the tenth file's commands sent."""
    written, happens = [], []

    def run(repl, code, **more):
        answer = original(repl, code, **more)
        if "f = open(" in code:
            written.append(code)
            if len(written) == 10:
                happens[0]()
        return answer

    original = Repl.run
    monkeypatch.setattr(Repl, "run", run)
    return happens.append


@pytest.mark.parametrize("broker", [("ctl-18",)], indirect=True)
def test_a_cable_that_is_pulled_in_the_middle_leaves_nothing_that_starts_and_is_mended(tmp_path, broker, at_tenth_file):
    rig = Rig(folder=tmp_path, port=broker.port)
    rig.site.write_text(rig.site.read_text().replace("pole: P0018, broker", "pole: P0018, password_file: p18, broker"))
    (tmp_path / "p18").write_text(broker.passwords["ctl-18"])
    board = Board(folder=tmp_path)
    at_tenth_file(board.unplug)
    with board:
        code, document, _ = rig.flash(board.port, pole="P0018")
        assert code == 1
        assert "the connection broke" in document["reason"] or "stopped answering" in document["reason"]
        assert "run again" in document["remedy"]
    with board:
        repl = Repl(port=board.port)
        repl.open()
        names = repl.files("")
        repl.close()
        assert names & {"main.py", "slot", "a/version"} == set()
        assert len(names) >= 9, "what arrived is kept"
        code, document, shown = rig.flash(board.port, pole="P0018")
        assert (code, failed(document)) == (0, []), shown
        kept = next(step["said"] for step in document["steps"] if step["name"] == "files")
        assert " 0 right already" not in kept


def test_ctrl_c_ends_it_at_once_and_says_what_then(tmp_path, at_tenth_file):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    at_tenth_file(lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        with Board(folder=tmp_path) as board:
            code, _, said = Rig(folder=tmp_path).flash(board.port)
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 130
    assert "nothing starts yet: run again" in said


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
