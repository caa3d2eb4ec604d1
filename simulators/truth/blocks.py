"""The file of a truth: a mark, then blocks. A block is kind, length and CRC-32 of what follows, and that, by zlib.

What a killed writer leaves is whole blocks and perhaps a torn one at the end, which the CRC tells.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

FILE = "truth.bin"  # in the folder of the truth
MARK = b"multipole truth 1\n"
HEADER, STEP, HAPPENING, ACT, END = range(5)  # what a block holds
MAX_BYTES = 1 << 28  # of a block: a length above is a torn one's
_HEAD = struct.Struct("<BII")
# Runs and Huffman codes alone: planes hold little that repeats otherwise. As small as zlib's default, in half the time.
_LEVEL, _STRATEGY = 6, zlib.Z_RLE


class TruthError(Exception):
    """A truth that cannot be read at all: not there, another format, or a header that is damaged."""


def block(kind: int, content: bytes) -> bytes:
    """One block as it stands in the file."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15, 9, _STRATEGY)
    body = packer.compress(content) + packer.flush()
    return _HEAD.pack(kind, len(body), zlib.crc32(body, kind)) + body


class Blocks:
    """The blocks of a file, in order. `torn` says, after the last one, what is wrong with the rest; empty: nothing."""

    def __init__(self, *, path: Path) -> None:
        self._path = path
        self.torn = ""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """(kind, content). Raises TruthError where the file is none of this format."""
        self.torn = ""
        try:
            file = self._path.open("rb")
        except OSError as error:
            raise TruthError(f"{self._path}: {error.strerror}; a truth is written by `pole fleet run`") from error
        with file:
            if file.read(len(MARK)) != MARK:
                raise TruthError(f"{self._path} is no truth of this version: it does not begin with {MARK!r}")
            while head := file.read(_HEAD.size):
                at = file.tell() - len(head)
                kind, size, crc = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, MAX_BYTES + 1, 0)
                body = file.read(size) if size <= MAX_BYTES else b""
                if len(body) < size or zlib.crc32(body, kind) != crc:
                    self.torn = f"{self._path}: torn or damaged at byte {at} of {self._path.stat().st_size}"
                    return
                yield kind, zlib.decompress(body, wbits=-15)
