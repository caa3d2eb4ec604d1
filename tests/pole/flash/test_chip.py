"""Firmware, then the prompt: the chip is played (esptool by a stand-in, the boot loader's drive by a folder), the board
that answers afterwards is the real MicroPython 1.25.0."""

import sys

import pytest

from pole.flash import FlashError, firmware, run, writer
from pole.flash.repl import Repl
from pole.flash.run import Order
from pole.flash.steps import Steps
from tests.pole.flash import images
from tests.pole.flash.rig import Board

# It keeps the command, and says what esptool says
STAND_IN = """
import pathlib, sys
with open(pathlib.Path(__file__).with_name("calls"), "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
print("Writing at 0x00001000 [====] 100.0% 9/9 bytes...")
"""


@pytest.fixture
def board(tmp_path):
    with Board(folder=tmp_path) as plugged:
        yield plugged


def order(board, kind, **more):
    return Order(port=board.port, board=kind, site=None, pole="P0017", **more)


def written(order, chip):
    """What the step said."""
    repl = Repl(port=order.port)
    with Steps() as steps:
        try:
            return run.write_firmware(order, steps, repl, chip)
        finally:
            repl.close()


def test_an_esp32_is_written_once(tmp_path, board, monkeypatch):
    (tmp_path / "esptool.py").write_text(STAND_IN)
    monkeypatch.setattr(writer, "ESPTOOL", (sys.executable, str(tmp_path / "esptool.py")))
    path = tmp_path / "ESP32_GENERIC-20250415-v1.25.0.bin"
    path.write_bytes(images.combined())
    chip = firmware.read(path, "esp32")
    assert written(order(board, "esp32"), chip) == f"wrote {path.name}"
    assert written(order(board, "esp32"), chip) == "MicroPython 1.25.0 is there already"
    assert written(order(board, "esp32", force=True, erase=True, baud=115200), chip) == f"wrote {path.name}"
    common = f"--chip esp32 --port {board.port} --baud"
    assert (tmp_path / "calls").read_text().splitlines() == [
        f"{common} 460800 write-flash 0x1000 {path}",
        f"{common} 115200 write-flash --erase-all 0x1000 {path}",
    ]


def test_an_rp2_becomes_a_drive_and_is_written_once(tmp_path, board):
    drive = tmp_path / "RPI-RP2"
    drive.mkdir()
    (drive / "INFO_UF2.TXT").write_text("UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n")
    path = tmp_path / "RPI_PICO_W-20250415-v1.25.0.uf2"
    path.write_bytes(images.pico())
    chip = firmware.read(path, "rp2")
    assert written(order(board, "rp2", drive=drive), chip) == f"wrote {path.name}"
    assert (drive / "firmware.uf2").read_bytes() == path.read_bytes()
    (drive / "firmware.uf2").unlink()
    assert written(order(board, "rp2", drive=drive), chip) == "MicroPython 1.25.0 is there already"
    assert not (drive / "firmware.uf2").exists()


def test_a_board_that_runs_something_else_afterwards_is_told(tmp_path, board, monkeypatch):
    (tmp_path / "esptool.py").write_text(STAND_IN)
    monkeypatch.setattr(writer, "ESPTOOL", (sys.executable, str(tmp_path / "esptool.py")))
    path = tmp_path / "ESP32_GENERIC-20250801-v1.26.0.bin"
    path.write_bytes(images.combined(images.banner(b"1.26.0")))
    with pytest.raises(FlashError, match=r"does not run MicroPython 1.26.0 after it was written"):
        written(order(board, "esp32"), firmware.read(path, "esp32"))
