"""Firmware into a chip. No chip is here: the real esptool takes the command, a stand-in plays what it says then."""

import os
import sys
import threading
import time

import pytest

from pole.flash import FlashError, writer
from pole.flash.firmware import Firmware
from tests.pole.flash import images

INFO = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: {}\r\n"
# It says what it was asked, then moves as esptool does when nobody looks at a terminal
STAND_IN = """
import sys, time
print("esptool v5.6.0", *sys.argv[1:], flush=True)
for part in range(0, 101, 20):
    print(f"Writing at 0x00001000 [====>    ] {part:5.1f}% {part}/100 bytes...", flush=True)
    time.sleep(0.01)
    if "fails" in sys.argv and part == 40:
        print("A fatal error occurred: The chip stopped responding.", flush=True)
        sys.exit(2)
"""


@pytest.fixture
def chip(tmp_path):
    path = tmp_path / "RPI_PICO_W-20250415-v1.25.0.uf2"
    path.write_bytes(images.pico())
    return Firmware(path, "1.25.0", "RP2040", "00")


def drive(folder, board="RPI-RP2"):
    folder.mkdir()
    (folder / "new").write_text(INFO.format(board))
    (folder / "new").rename(folder / "INFO_UF2.TXT")  # whole at once: somebody may be waiting for it
    return folder


def test_esptool_takes_the_command_and_misses_the_port(tmp_path):
    words = writer.esptool_words(str(tmp_path / "ttyNone"), tmp_path / "firmware.bin", erase=True)
    assert words[-3:] == ["--erase-all", "0x1000", str(tmp_path / "firmware.bin")]
    (tmp_path / "firmware.bin").write_bytes(images.combined())
    with pytest.raises(FlashError) as caught:
        writer.write_esp32(words, lambda percent: None)
    assert "Could not open" in caught.value.reason
    assert "ttyNone" in caught.value.reason
    assert "Hold BOOT" in caught.value.remedy


def test_progress_and_failure_of_a_write_are_told(tmp_path, monkeypatch):
    script = tmp_path / "esptool.py"
    script.write_text(STAND_IN)
    monkeypatch.setattr(writer, "ESPTOOL", (sys.executable, str(script)))
    seen = []
    words = writer.esptool_words("/dev/ttyUSB0", tmp_path / "f.bin", erase=False)
    writer.write_esp32(words, seen.append)
    assert seen[-1] == 100
    assert seen == sorted(seen)
    with pytest.raises(FlashError, match="The chip stopped responding") as caught:
        writer.write_esp32([*words, "fails"], seen.append)
    assert "--baud 115200" in caught.value.remedy


def test_an_esptool_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(writer, "WRITE_S", 0.5)
    with pytest.raises(FlashError):
        writer.write_esp32([sys.executable, "-c", "import time; time.sleep(60)"], lambda percent: None)


def test_a_uf2_file_reaches_the_drive_whole(tmp_path, chip):
    folder = drive(tmp_path / "RPI-RP2")
    seen = []
    found = writer.wait_for_drive(folder)
    assert found == (folder, "RP2040")
    writer.copy_uf2(chip, *found, seen.append)
    assert (folder / "firmware.uf2").read_bytes() == chip.path.read_bytes()
    assert seen[-1] == 100


def test_a_drive_that_comes_late_is_waited_for(tmp_path):
    folder = tmp_path / "late"
    timer = threading.Timer(0.3, drive, (folder,))
    timer.start()
    assert writer.wait_for_drive(folder, 20) == (folder, "RP2040")
    timer.join()


def test_another_chip_behind_the_drive_is_refused(tmp_path, chip):
    folder = drive(tmp_path / "RP2350", "RP2350")
    with pytest.raises(FlashError, match=r"is for the RP2040, and the board at .* has a RP2350"):
        writer.copy_uf2(chip, *writer.wait_for_drive(folder), lambda percent: None)
    assert not (folder / "firmware.uf2").exists()


def test_no_drive_and_several_are_told(tmp_path, monkeypatch):
    with pytest.raises(FlashError, match=r"holds no INFO_UF2.TXT") as caught:
        writer.wait_for_drive(tmp_path, 0)
    assert "hold BOOTSEL" in caught.value.remedy
    folders = [drive(tmp_path / "one"), drive(tmp_path / "two"), tmp_path]
    monkeypatch.setattr(writer, "_mounted", lambda: folders)
    with pytest.raises(FlashError, match="Several boards") as caught:
        writer.wait_for_drive(None, 0)
    assert "--drive" in caught.value.remedy


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a file that is always full")
def test_a_copy_that_fails_is_told_and_one_that_ends_with_the_drive_is_not(tmp_path, chip):
    folder = drive(tmp_path / "RPI-RP2")
    (folder / "firmware.uf2").symlink_to("/dev/full")
    with pytest.raises(FlashError, match="could not be copied"):
        writer.copy_uf2(chip, folder, "RP2040", lambda percent: None)
    (folder / "INFO_UF2.TXT").unlink()  # the board restarted with the last block: its drive is gone
    began = time.monotonic()
    writer.copy_uf2(chip, folder, "RP2040", lambda percent: None)
    assert time.monotonic() - began < 20
