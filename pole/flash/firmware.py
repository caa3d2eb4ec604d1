"""MicroPython's official files: how they are called, where they are, and whether a file is the right one.

Names and versions as on micropython.org/download; the text in an image is sys.version ("MicroPython v1.25.0 on …") and
sys.implementation._machine ("… with RP2040"), which both stand in it as they are.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pole.flash import FlashError, esp32_image, uf2

OLDEST = (1, 25, 0)
PAGES = "micropython.org/download"
OFFICIAL = {
    "esp32": ("ESP32_GENERIC-20250415-v1.25.0.bin",),
    "rp2": ("RPI_PICO_W-20250415-v1.25.0.uf2", "RPI_PICO2_W-20250415-v1.25.0.uf2", "RPI_PICO-20250415-v1.25.0.uf2"),
}
VERSION = re.compile(rb"MicroPython v(\d+)\.(\d+)\.(\d+)([\w.-]*) on \d{4}-\d\d-\d\d")
LARGEST = 16 * 1_048_576


@dataclass(frozen=True)
class Firmware:
    """A file that was found to be right for a board."""

    path: Path
    version: str
    chip: str
    sha256: str


def advice(board: str) -> str:
    """Where to get the firmware of a board."""
    names = " or ".join(OFFICIAL[board])
    pages = ", ".join(f"{PAGES}/{name.split('-')[0]}" for name in OFFICIAL[board])
    return f"Get {names} (or newer, not a preview) from {pages}, and name the file with --firmware."


def read(path: Path, board: str) -> Firmware:
    """Raises FlashError when the file is not for this board, damaged, too old or none at all."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise FlashError(f"--firmware: {path} cannot be read: {error.strerror}.", advice(board)) from None
    if not data:
        raise FlashError(f"--firmware: {path} has {size} bytes, which no firmware has.", advice(board))
    try:
        chip = _checked(data, board)
        version = _version(data if board == "esp32" else uf2.payload(data))
    except ValueError as error:
        raise FlashError(f"--firmware: {path.name} is not for --board {board}: {error}.", advice(board)) from None
    return Firmware(path, version, chip, hashlib.sha256(data).hexdigest())


def _checked(data: bytes, board: str) -> str:
    is_uf2 = data.startswith(b"UF2\n")
    if board == "esp32":
        if is_uf2:
            raise ValueError("it is a UF2 file, and an ESP32 takes a .bin")
        esp32_image.check(data)
        return "ESP32"
    if not is_uf2:
        kind = "an image of an Espressif chip" if data[0] == esp32_image.MAGIC else "no UF2 file"
        raise ValueError(f"it is {kind}, and an RP2040 takes a .uf2")
    return uf2.check(data)


def _version(data: bytes) -> str:
    found = VERSION.search(data)
    if found is None:
        raise ValueError('it is not MicroPython: the text "MicroPython v… on …" is not in it')
    numbers = tuple(int(each) for each in found.groups()[:3])
    text = ".".join(map(str, numbers)) + found[4].decode()
    if numbers < OLDEST:
        raise ValueError(f"it is MicroPython {text}; the agent needs {'.'.join(map(str, OLDEST))} or newer")
    return text
