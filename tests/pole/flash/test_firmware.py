"""Firmware files: the right one is taken, every wrong one is refused with its reason, esptool agrees about images."""

import subprocess
import sys

import pytest

from pole.flash import FlashError, esp32_image, firmware
from tests.pole.flash import images


@pytest.fixture
def file(tmp_path):
    def write(data, name="firmware.bin"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def refusal(path, board):
    with pytest.raises(FlashError) as caught:
        firmware.read(path, board)
    assert path.name in caught.value.reason
    assert firmware.OFFICIAL[board][0] in caught.value.remedy
    assert "micropython.org/download/" in caught.value.remedy
    return caught.value.reason


def test_the_right_files_are_taken(file):
    found = firmware.read(file(images.combined()), "esp32")
    assert (found.version, found.chip) == ("1.25.0", "ESP32")
    found = firmware.read(file(images.pico(b"1.26.1")), "rp2")
    assert (found.version, found.chip) == ("1.26.1", "RP2040")
    assert firmware.read(file(images.pico(family=0xE48BFF59)), "rp2").chip == "RP2350"
    first = images.uf2(b"erratum", family=0xE48BFF57)
    assert firmware.read(file(first + images.pico(family=0xE48BFF59)), "rp2").chip == "RP2350"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (images.combined(chip=9), "it is for the ESP32-S3"),
        (images.pico(), "it is a UF2 file"),
        (images.application(), "an application alone"),
        (images.combined()[:0x6000], "an application alone, cut short"),
        (images.combined()[:-100], "the application is cut short"),
        (images.combined()[:0xF000], "the application is missing"),
        (images.combined(images.banner(b"1.24.1")), "it is MicroPython 1.24.1; the agent needs 1.25.0"),
        (images.combined(b"Hello"), "it is not MicroPython"),
        (images.combined(application_size=1000), "its application has"),
        (b"\x7fELF" + bytes(100), "does not begin as an image"),
        (b"", "has 0 bytes"),
    ],
)
def test_a_wrong_file_for_an_esp32_is_refused(file, data, reason):
    assert reason in refusal(file(data), "esp32")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (images.combined(), "it is an image of an Espressif chip"),
        (b"PK" + bytes(100), "it is no UF2 file"),
        (images.pico()[:-512], "it holds 6 of 7 blocks"),
        (images.pico()[:-100], "it is cut short, or none"),
        (images.pico(family=0x00FF6919), "it is for the family 0x00ff6919"),
        (images.pico() + images.pico(family=0xE48BFF59), "it is for 2 kinds of chip"),
        (images.pico(b"1.24.0"), "1.24.0; the agent needs 1.25.0"),
        (images.uf2(bytes(512)), "it is not MicroPython"),
        (images.pico()[:512] + bytes(512) + images.pico()[1024:], "damaged, at byte 512"),
    ],
)
def test_a_wrong_file_for_an_rp2_is_refused(file, data, reason):
    assert reason in refusal(file(data), "rp2")


def test_a_file_that_is_not_there_is_told(tmp_path):
    assert "No such file" in refusal(tmp_path / "nothing.bin", "esp32")


def test_a_flipped_bit_anywhere_in_an_image_is_noticed():
    whole = images.combined()
    esp32_image.check(whole)
    application = range(0xF000, len(whole))
    for at in (*range(0, len(images.bootloader()), 3), *application[::37], application[-1]):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        if at == 3 or (12 <= at < 14):
            continue  # the size of the flash, and the chip: told as such
        with pytest.raises(ValueError, match=r"damaged|cut short|missing|begin"):
            esp32_image.check(bytes(damaged))


def esptool(*words):
    run = subprocess.run(
        [sys.executable, "-m", "esptool", *map(str, words)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_esptool_reads_the_images_as_we_do(file):
    said = esptool("--chip", "esp32", "image-info", file(images.application()))
    assert "Checksum: " in said
    assert said.count("(valid)") == 2
    assert "Chip ID: 0 (ESP32)" in said
    assert "Flash size: 4MB" in said


def test_what_esptool_merges_is_taken(file, tmp_path):
    parts = (
        (0x1000, file(images.bootloader(), "a")), (0x8000, file(images.partitions(), "b")),
        (0x10000, file(images.application(), "c")),
    )  # fmt: skip
    words = [word for place, path in parts for word in (hex(place), path)]
    esptool("--chip", "esp32", "merge-bin", "--target-offset", "0x1000", "--output", tmp_path / "all.bin", *words)
    assert firmware.read(tmp_path / "all.bin", "esp32").version == "1.25.0"
