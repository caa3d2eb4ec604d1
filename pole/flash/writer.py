"""Firmware into a chip: Espressif's esptool over the serial port, or a copy to the drive of an RP2040's boot loader.

esptool is a program of its own (GPL), called and not imported.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pole.flash import FlashError, esp32_image, uf2
from pole.flash.firmware import Firmware

ESPTOOL = (sys.executable, "-m", "esptool")
BAUD = 460_800  # what MicroPython's own instructions take; cables that fail at it are told
WRITE_S = 600.0
DRIVE_S = 30.0  # from reset to the drive of a boot loader: the machine has to mount it
PERCENT = re.compile(rb"(\d{1,3}(?:\.\d+)?) ?%")
INFO = "INFO_UF2.TXT"


def esptool_words(port: str, file: Path, *, erase: bool, baud: int = BAUD) -> list[str]:
    """The command that writes MicroPython's combined file."""
    erased = ["--erase-all"] if erase else []
    return [
        *ESPTOOL, "--chip", "esp32", "--port", port, "--baud", str(baud),
        "write-flash", *erased, hex(esp32_image.WRITTEN_AT), str(file),
    ]  # fmt: skip


def write_esp32(words: Sequence[str], shown: Callable[[float], None]) -> None:
    """shown hears how many percent are written. Raises FlashError with esptool's last words."""
    heard = bytearray()
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        patience = threading.Timer(WRITE_S, process.kill)
        patience.start()
        while piece := os.read(process.stdout.fileno(), 4096):
            heard += piece
            if found := PERCENT.findall(piece):
                shown(min(100.0, float(found[-1])))
        patience.cancel()
    if process.returncode:
        text = heard.decode(errors="replace").replace("\r", "\n")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        blamed = next((line for line in lines if "fatal error" in line), " ".join(lines[-2:]))
        raise FlashError(
            f"esptool could not write the firmware: {blamed or 'it said nothing and was ended'}",
            "Hold BOOT (IO0), press and release RESET, let BOOT go, and run again. If it breaks off in the middle, try "
            "a shorter cable, a port without a hub, and --baud 115200.",
        )


def drives(places: Sequence[Path] | None = None) -> list[tuple[Path, str]]:
    """(folder, chip) of every boot loader's drive that is mounted."""
    found = []
    for folder in places if places is not None else _mounted():
        try:
            chip = uf2.drive_chip((folder / INFO).read_text(encoding="ascii", errors="replace"))
        except OSError:
            continue
        if chip:
            found.append((folder, chip))
    return found


def wait_for_drive(given: Path | None, patience: float = DRIVE_S) -> tuple[Path, str]:
    """Raises FlashError when there is none, or when there are several and none was named."""
    deadline = time.monotonic() + patience
    while True:
        found = drives([given] if given else None)
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(folder) for folder, _ in found)
            raise FlashError(f"Several boards are in their boot loader: {names}.", "Name one of them with --drive.")
        if time.monotonic() > deadline:
            where = f"{given} holds no {INFO}." if given else "No drive of a board in its boot loader is mounted."
            raise FlashError(
                where,
                "Unplug the board, hold BOOTSEL while you plug it in, and wait until the drive RPI-RP2 is there. Where "
                "it is not mounted by itself, mount it and name its folder with --drive.",
            )
        time.sleep(0.2)


def copy_uf2(firmware: Firmware, folder: Path, chip: str, shown: Callable[[float], None]) -> None:
    """Raises FlashError. The board restarts by itself with the last block, which takes the drive away."""
    if chip != firmware.chip:
        raise FlashError(
            f"{firmware.path.name} is for the {firmware.chip}, and the board at {folder} has a {chip}.",
            "Name the firmware of this board, or plug in the other one.",
        )
    data = firmware.path.read_bytes()
    try:
        with (folder / "firmware.uf2").open("wb", buffering=0) as file:
            for at in range(0, len(data), 65_536):
                file.write(data[at : at + 65_536])
                shown(100.0 * min(len(data), at + 65_536) / len(data))
            os.fsync(file.fileno())
    except OSError as error:
        if (folder / INFO).exists():
            raise FlashError(
                f"{firmware.path.name} could not be copied to {folder}: {error.strerror}.",
                "Unplug the board, hold BOOTSEL while you plug it in, and run again.",
            ) from None


def _mounted() -> list[Path]:
    """Folders where drives are mounted: /proc/mounts, on macOS /Volumes."""
    try:
        rows = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return sorted(Path("/Volumes").glob("*"))
    folders = [row.split()[1] for row in rows if " vfat " in row]
    return [Path(folder.replace("\\040", " ")) for folder in folders]
