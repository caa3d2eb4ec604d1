"""MicroPython's combined file for the ESP32: bootloader, partition table and application, to be written at 0x1000.

Layout of an image: ESP-IDF, "App Image Format", and esp_app_format.h. Partition table: ESP-IDF, "Partition Tables".
That the three are joined like this: MicroPython, ports/esp32/makeimg.py.
"""

import hashlib
import struct

WRITTEN_AT = 0x1000  # where the ESP32's own boot code looks for a bootloader
PARTITIONS_AT = 0x8000
MAGIC = 0xE9
PARTITION = b"\xaa\x50"
HEADER = 24
APPLICATION = 0  # type of a partition
# esp_chip_id_t
CHIPS = {0: "ESP32", 2: "ESP32-S2", 5: "ESP32-C3", 9: "ESP32-S3", 12: "ESP32-C2", 13: "ESP32-C6", 16: "ESP32-H2"}
MEGABYTES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 16}  # of the flash chip that the image was made for: high half of byte 3


def check(data: bytes) -> None:
    """Raises ValueError with what is wrong with a combined file."""
    chip = _chip(data)
    if chip != "ESP32":
        raise ValueError(f"it is for the {chip}")
    flash = MEGABYTES.get(data[3] >> 4, 0) * 1_048_576
    if len(data) + WRITTEN_AT > flash:
        raise ValueError(f"it has {len(data)} bytes, more than the flash of {flash} bytes that it is made for")
    _check_image(data, "the bootloader")
    application = _partitions(data).get(APPLICATION)
    if application is None:
        raise ValueError("its partition table names no application")
    start, room = application
    end = _check_image(data[start - WRITTEN_AT :], "the application")
    if end > room:
        raise ValueError(f"its application has {end} bytes, its partition {room}")


def _chip(data: bytes) -> str:
    if len(data) < HEADER or data[0] != MAGIC:
        raise ValueError("it does not begin as an image of an Espressif chip does (byte 0xE9)")
    if data[PARTITIONS_AT - WRITTEN_AT :][:2] != PARTITION:
        raise ValueError("it has no partition table at 0x7000: an application alone, cut short, or for another chip")
    number = struct.unpack_from("<H", data, 12)[0]
    return CHIPS.get(number, f"chip {number}")


def _partitions(data: bytes) -> dict[int, tuple[int, int]]:
    """Type -> (place in the flash, size) of the first of each type."""
    found: dict[int, tuple[int, int]] = {}
    at = PARTITIONS_AT - WRITTEN_AT
    while data[at : at + 2] == PARTITION:
        kind, _, place, size = struct.unpack_from("<BBII", data, at + 2)
        found.setdefault(kind, (place, size))
        at += 32
    return found


def _check_image(data: bytes, what: str) -> int:
    """Its length. Checksum: 0xEF and every byte of the segments by XOR; then SHA-256 of all that, where it has one."""
    if len(data) < HEADER or data[0] != MAGIC:
        raise ValueError(f"{what} is missing")
    at, check = HEADER, 0xEF
    for _ in range(data[1]):
        if at + 8 > len(data):
            raise ValueError(f"{what} is cut short")
        size = struct.unpack_from("<4xI", data, at)[0]
        for word in data[at + 8 : at + 8 + size]:
            check ^= word
        at += 8 + size
    end = (at | 15) + 1  # the checksum is the last byte of the 16 that it fills up
    if end > len(data):
        raise ValueError(f"{what} is cut short")
    if data[end - 1] != check:
        raise ValueError(f"{what} is damaged: its checksum is wrong")
    if not data[23]:
        return end
    if hashlib.sha256(data[:end]).digest() != data[end : end + 32]:
        raise ValueError(f"{what} is damaged: its SHA-256 is wrong")
    return end + 32
