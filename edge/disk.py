"""Small files that survive a power cut: written beside the old one, with a checksum, synced, and renamed over it.

For LittleFS2 and for the file systems of Linux. FAT can lose both files in a rename, so a board has LittleFS2.
"""

import binascii
import os


def save(path: str, data: bytes) -> None:
    """Replaces the file by data, at least a byte; durable when it returns. Raises OSError: then the old one stands."""
    new = path + ".new"
    with open(new, "wb") as file:
        file.write(data)
        file.write(binascii.crc32(data).to_bytes(4, "little"))
        sync(file)
    os.rename(new, path)
    sync_folder(path)


def load(path: str) -> bytes | None:
    """What was saved last; None where neither file is whole."""
    for name in (path, path + ".new"):  # the new one is never older
        try:
            with open(name, "rb") as file:
                data = file.read()
        except OSError:
            continue
        if len(data) > 4 and binascii.crc32(data[:-4]) == int.from_bytes(data[-4:], "little"):
            return data[:-4]
    return None


def sync(file) -> None:
    """What was written is durable. MicroPython's flush() does all of it."""
    file.flush()
    if hasattr(os, "fsync"):
        os.fsync(file.fileno())


def sync_folder(path: str) -> None:
    """The name of a file is durable; on LittleFS2 it is, with the file."""
    if hasattr(os, "fsync"):
        folder = os.open(path.rpartition("/")[0] or ".", os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
