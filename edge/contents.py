"""The blob of a release IN, a whole slot on trial OUT. A guest, like the update that calls it.

A blob is a line with path and size, then that file, and so on. It is hashed from flash before any of it is taken apart,
and each file is compared with it from flash.
"""

import asyncio
import hashlib
import os

from edge import disk

_PIECE = 128
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_."


async def install(guard, digest: bytes, version: str, units: int) -> str:
    """Empty: the other slot is whole and on trial, from the next start. "again": its blob was not what was signed.

    Any other word: why the release is refused. Raises OSError.
    """
    slot = guard.slot(True)
    if not guard.version(slot):
        try:
            good = await _unpack(slot, digest)
        except ValueError:
            return "content"
        if not good:
            os.remove(slot + "/blob")
            return "again"
        if not guard.write(slot[-1] + "/version", version.encode()):
            return "space"
    os.remove(slot + "/blob")
    return "" if guard.save(0, ord(slot[-1]), units, 3, 0) else "space"


async def _unpack(slot: str, digest: bytes) -> bool:
    # False when the blob is not what was signed, or the flash does not hold what is written; ValueError when what was
    # signed is not a line and a file after the other, or one of them is to lie elsewhere
    buffer = memoryview(bytearray(_PIECE))
    with open(slot + "/blob", "rb") as blob:  # noqa: ASYNC230
        found = hashlib.sha256()
        await _each(blob, 1 << 30, buffer, found.update)
        if found.digest() != digest:
            return False
        del found
        blob.seek(0)
        while True:
            line = blob.readline(100)
            if not line:
                return True
            path, _, size = str(line, "utf-8").partition(" ")
            at = blob.tell()
            path = _place(slot, path)
            with open(path, "wb") as file:  # noqa: ASYNC230
                await _each(blob, int(size), buffer, file.write)
                disk.sync(file)
            blob.seek(at)
            with open(path, "rb") as file:  # noqa: ASYNC230
                if not await _each(blob, int(size), buffer, lambda piece: piece == file.read(len(piece))):
                    return False


async def _each(file, size: int, buffer: memoryview, take) -> bool:
    # the next `size` bytes, or all, piece by piece; whether there were so many, and take was content with each
    good = True
    while size > 0:
        length = file.readinto(buffer[: min(size, len(buffer))])
        if not length:
            return False
        good = take(buffer[:length]) and good
        size -= length
        await asyncio.sleep(0)
    return good


def _place(slot: str, path: str) -> str:
    # where a file of a release goes; its folders are made
    parts = path.split("/")
    for part in parts:
        if not part or part[0] == "." or part.strip(_LETTERS):
            raise ValueError("path")
    for part in parts[:-1]:
        slot += "/" + part
        try:
            os.mkdir(slot)
        except OSError:
            pass
    return slot + "/" + parts[-1]
