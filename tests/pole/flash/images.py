"""Firmware files as MicroPython's builds make them, small, and with the texts in them that `pole flash` looks for."""

import hashlib
import struct

BANNER = b"3.4.0; MicroPython v%s on 2025-04-15\0%s with %s\0"


def esp32_image(*segments, chip=0, flash=2, hashed=True):
    """One image: ESP-IDF, App Image Format. flash: 2 for 4 MB."""
    body = struct.pack("<BBBBI", 0xE9, len(segments), 2, flash << 4, 0x40080000)
    body += struct.pack("<B3xHBHH4xB", 0xEE, chip, 0, 0, 0xFFFF, 1 if hashed else 0)
    check = 0xEF
    for place, data in segments:
        data += bytes(-len(data) % 4)
        body += struct.pack("<II", place, len(data)) + data
        for byte in data:
            check ^= byte
    body += bytes(15 - len(body) % 16) + bytes((check,))
    return body + (hashlib.sha256(body).digest() if hashed else b"")


def banner(version=b"1.25.0", board=b"Generic ESP32 module", chip=b"ESP32"):
    return BANNER % (version, board, chip)


def bootloader(chip=0):
    return esp32_image((0x3FFF0030, bytes(range(64))), (0x40078000, bytes(200)), chip=chip)


def application(text=None, chip=0):
    return esp32_image((0x3F400020, (text or banner()) + bytes(500)), (0x400D0020, bytes(1000)), chip=chip)


def partitions(application_size=0x1F0000):
    rows = (
        (1, 2, 0x9000, 0x6000, b"nvs"),
        (0, 0, 0x10000, application_size, b"factory"),
        (1, 0x81, 0x200000, 0x200000, b"vfs"),
    )
    table = b"".join(
        b"\xaa\x50" + struct.pack("<BBII16sI", kind, sub, at, size, name, 0) for kind, sub, at, size, name in rows
    )
    return table + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()


def combined(text=None, *, chip=0, application_size=0x1F0000):
    """Bootloader, partition table and application, as ports/esp32/makeimg.py joins them."""
    data = bootloader(chip)
    data += b"\xff" * (0x7000 - len(data)) + partitions(application_size)
    return data + b"\xff" * (0xF000 - len(data)) + application(text, chip)


def uf2(data, *, family=0xE48BFF56, at=0x10000000):
    """UF2 with blocks of 256 bytes."""
    pieces = [data[start : start + 256].ljust(256, b"\0") for start in range(0, len(data), 256)]
    return b"".join(
        struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, at + 256 * number, 256, number, len(pieces), family)
        + piece.ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)
        for number, piece in enumerate(pieces)
    )  # fmt: skip


def pico(version=b"1.25.0", **more):
    """MicroPython for a Pico W."""
    return uf2(bytes(900) + banner(version, b"Raspberry Pi Pico W", b"RP2040") + bytes(700), **more)
