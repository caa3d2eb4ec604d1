"""What is wrong before anything is written: each has its message, says what to do, and ends non-zero."""

import os
import subprocess
import sys

import pytest

from pole.flash import run
from tests.pole.flash import images
from tests.pole.flash.rig import Board, Rig

HOLDER = """
import sys, time, serial
port = serial.Serial(sys.argv[1], exclusive=True)
print("held", flush=True)
time.sleep(60)
"""


def test_a_port_where_nobody_answers_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "FIRST_S", 0.5)
    ours, port = os.openpty()
    rig = Rig(folder=tmp_path)
    code, document, _ = rig.flash(os.ttyname(port))
    os.close(ours)
    os.close(port)
    assert code == 1
    assert "no MicroPython prompt came" in document["reason"]
    assert "--firmware" in document["remedy"]


def test_a_port_that_another_program_has_is_told_with_its_name(tmp_path):
    rig = Rig(folder=tmp_path)
    with Board(folder=tmp_path) as board:
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, board.port], stdout=subprocess.PIPE)
        with holder:
            holder.stdout.readline()
            code, document, _ = rig.flash(board.port)
            holder.kill()
    assert code == 1
    assert f"--port {board.port} is in use by another program" in document["reason"]
    assert f", process {holder.pid}" in document["reason"]


def test_a_port_that_is_not_there_and_a_file_that_is_none_are_told(tmp_path):
    rig = Rig(folder=tmp_path)
    code, document, _ = rig.flash(tmp_path / "ttyNone")
    assert code == 1
    assert "there is no such port" in document["reason"]
    code, document, _ = rig.flash(rig.site)
    assert code == 1
    assert "is no serial port" in document["reason"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--board", "rp2"], "the site file says that ctl-17 is esp32"),
        (["--pole", "P0019"], "--pole P0019 has no controller"),
        (["--pole", "P0018", "--node", "ctl-17"], "ctl-17 stands on P0017"),
        (["--node", "ctl-71"], "--node ctl-71 is no controller"),
        (["--firmware", "pico.uf2"], "it is a UF2 file, and an ESP32 takes a .bin"),
        (["--firmware", "s3.bin"], "it is for the ESP32-S3"),
        (["--release-key", "s3.bin"], ""),
    ],
)
def test_a_wrong_word_is_told_before_the_port_is_touched(tmp_path, words, reason):
    rig = Rig(folder=tmp_path, board="esp32")
    (tmp_path / "pico.uf2").write_bytes(images.pico())
    (tmp_path / "s3.bin").write_bytes(images.combined(chip=9))
    named = [tmp_path / word if "." in word else word for word in words]
    code, document, _ = rig.flash(tmp_path / "ttyNone", *named, board="esp32")
    assert code == 1
    assert reason in document["reason"]
    assert ("there is no such port" in document["reason"]) == (not reason)


def test_a_file_that_is_no_release_key_is_told_wherever_it_was_found(tmp_path):
    rig = Rig(folder=tmp_path)
    (tmp_path / "release.key").write_text("none")
    code, document, _ = rig.flash(tmp_path / "ttyNone")
    assert code == 1
    assert "release.key is no release key" in document["reason"]


def test_a_controller_of_another_kind_is_refused(tmp_path):
    rig = Rig(folder=tmp_path, board="esp32")
    with Board(folder=tmp_path) as board:
        code, document, _ = rig.flash(board.port, board="esp32")
    assert code == 1
    assert "--board esp32: the controller at" in document["reason"]
    assert "is linux" in document["reason"]


def test_wrong_usage_ends_with_2(tmp_path):
    rig = Rig(folder=tmp_path)
    for words in (["--board", "arduino"], ["--board", "simulated", "--firmware", "x.bin"]):
        code, _, said = rig.flash("/dev/null", *words)
        assert code == 2
        assert words[0] in said or words[2] in said
