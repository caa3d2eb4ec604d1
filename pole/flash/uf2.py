"""UF2: blocks of 512 bytes, which a board in its boot loader takes from a drive. Source: microsoft/uf2, README.md."""

import struct
from collections.abc import Iterator

BLOCK = 512
MAGICS = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
NOT_MAIN_FLASH = 0x1
HAS_FAMILY = 0x2000
FAMILIES = {0xE48BFF56: "RP2040", 0xE48BFF59: "RP2350"}  # uf2families.json
ABSOLUTE = 0xE48BFF57  # one block before an RP2350's file: a workaround for its erratum E10 (RP2350 datasheet)
BOARD_IDS = {"RPI-RP2": "RP2040", "RP2350": "RP2350"}  # INFO_UF2.TXT of the two chips' boot loaders


def check(data: bytes) -> str:
    """The chip that a file is for. Raises ValueError with what is wrong with it."""
    blocks = [block for block in _blocks(data) if block[0] != ABSOLUTE]
    families = {family for family, _, _ in blocks}
    if len(families) != 1:
        raise ValueError(f"it is for {len(families)} kinds of chip; one is needed")
    family = families.pop()
    if family not in FAMILIES:
        raise ValueError(f"it is for the family 0x{family:08x}, neither RP2040 nor RP2350")
    count = blocks[0][2]
    if sorted(number for _, number, _ in blocks) != list(range(count)) or any(each[2] != count for each in blocks):
        raise ValueError(f"it holds {len(blocks)} of {count} blocks: it is cut short or damaged")
    return FAMILIES[family]


def payload(data: bytes) -> bytes:
    """What the blocks carry, in their order."""
    return b"".join(data[at + 32 : at + 32 + _size(data, at)] for at in range(0, len(data), BLOCK))


def drive_chip(info: str) -> str | None:
    """The chip behind a drive, from the text of its INFO_UF2.TXT."""
    for line in info.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "Board-ID":
            return BOARD_IDS.get(value.strip())
    return None


def _size(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at + 16)[0])


def _blocks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(family, number, how many there are) of each block."""
    if not data or len(data) % BLOCK:
        raise ValueError(f"it has {len(data)} bytes, and a UF2 file has a multiple of 512: it is cut short, or none")
    for at in range(0, len(data), BLOCK):
        first, second, flags, _, size, number, count, family = struct.unpack_from("<8I", data, at)
        last = struct.unpack_from("<I", data, at + BLOCK - 4)[0]
        if (first, second, last) != MAGICS or size > 476:
            raise ValueError(f"it is no UF2 file, or damaged, at byte {at}")
        if flags & HAS_FAMILY and not flags & NOT_MAIN_FLASH:
            yield family, number, count
