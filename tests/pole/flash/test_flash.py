"""`pole flash` as it is typed: against the real interpreter behind a pty, a real broker, emulated units."""

import json
import re
import subprocess
import sys
import time

import pytest

import edge
from pole.flash.repl import Repl
from tests.pole.flash.rig import CHIP, Board, Rig, bus, failed

CLIENT = re.compile(r"New client connected from .* as ctl-17 \(.*u'ctl-17'\)")


@pytest.mark.parametrize("broker", [("ctl-17",)], indirect=True)
def test_a_bare_controller_is_accepted_and_a_second_run_writes_nothing(tmp_path, broker):
    emulated, path = bus(tmp_path, 1, 5)
    with emulated, Board(folder=tmp_path) as board:
        rig = Rig(folder=tmp_path, port=broker.port, bus=path())
        _wire_chip(board)
        code, sheet, shown = rig.flash(board.port, "--engineer", "Li Wei")
        assert (code, sheet["accepted"], failed(sheet)) == (0, True, []), shown
        assert (sheet["pole"], sheet["node"], sheet["engineer"]) == ("P0017", "ctl-17", "Li Wei")
        assert [(check["name"], check["what"]) for check in sheet["checks"]] == [
            ("memory", ""), ("files", ""), ("clock", ""), ("inputs", "P0017/cover-1"), ("sensors", "P0017/air-2"),
            ("bus ctl-17-rs485", "P0017/meter-1 unit 1"), ("bus ctl-17-rs485", "P0017/air-1 unit 5"), ("network", ""),
            ("broker", f"127.0.0.1:{broker.port}"),
        ]  # fmt: skip
        said = {check["what"]: check["said"] for check in sheet["checks"]}
        assert said["P0017/air-2"] == "temperature 85.523 Cel, humidity 74.585 %RH"
        assert "voltage 2" in said["P0017/meter-1 unit 1"]
        _expect_agent(broker, 2)  # the self-test's session, then the agent's own

        code, again, shown = rig.flash(board.port)
        assert (code, failed(again)) == (0, []), shown
        files = next(step for step in again["steps"] if step["name"] == "files")
        assert (files["state"], files["said"][:19]) == ("skipped", "0 written (0 bytes)")
        assert again["site_part"] == sheet["site_part"]

        text, document = (tmp_path / name for name in sheet["files"])
        assert re.fullmatch(r"acceptance-P0017-\d{4}-\d\d-\d\d-\d{6}\.txt", text.name)
        assert "ACCEPTED" in text.read_text()
        assert json.loads(document.read_text())["checks"] == sheet["checks"]
        everything = json.dumps([sheet, again]) + shown + text.read_text()
        assert "ctl-17-secret" not in everything
        assert _held(board, "password") == b"ctl-17-secret"
        by_hand = ["mpremote", "connect", board.port, "resume", "fs", "cat", ":a/version"]
        run = subprocess.run([sys.executable, "-m", *by_hand], capture_output=True, text=True, timeout=60)
        assert run.stdout.strip() == edge.VERSION


def test_another_nodes_controller_is_left_alone_until_it_is_erased(tmp_path):
    with Board(folder=tmp_path) as board:
        rig = Rig(folder=tmp_path)
        repl = Repl(port=board.port)
        repl.open()
        repl.write("config.json", b'{"area":"wuhou","node":"ctl-16"}')
        repl.write("journal/1", b"readings")
        repl.close()
        code, document, _ = rig.flash(board.port, pole="P0018")
        assert code == 1
        assert "This controller is wuhou/ctl-16 already" in document["reason"]
        assert "--erase" in document["remedy"]
        assert _held(board, "journal/1") == b"readings"
        code, document, _ = rig.flash(board.port, "--erase", pole="P0018")
        assert failed(document) == [("broker", "127.0.0.1:1")]
        assert _held(board, "journal/1") is None


def _wire_chip(board):
    repl = Repl(port=board.port)
    repl.open()
    repl.write("pins/chips-44", CHIP.encode())
    repl.close()


def _held(board, name):
    repl = Repl(port=board.port)
    repl.open()
    data = repl.read(name)
    repl.close()
    return data


def _expect_agent(broker, sessions):
    deadline = time.monotonic() + 30
    while len(CLIENT.findall(broker.log.read_text())) < sessions:
        assert time.monotonic() < deadline, broker.log.read_text()
        time.sleep(0.1)
