"""A guest of the poller: its plan from the disk, a fresh value of one point, registers of a device to be written."""

import asyncio
import struct

from edge import plan as plans
from edge.poller import request

_VERSION = 1


def find(path, bus):
    """plan.bin at the section of a bus -> (the open file, where). Raises OSError; ValueError where there is none."""
    file = open(path, "rb")
    version, count = file.read(2)
    while version == _VERSION and count:
        count -= 1
        size, length = struct.unpack("<HB", file.read(3))
        if str(file.read(length), "ascii") == bus:
            return file, file.tell()
        file.seek(size, 1)
    file.close()
    raise ValueError("plan.bin has no bus " + bus)


async def read(poller, device, point):
    """A fresh value: '"v":62.5', '"vb":true' or '"q":"timeout"'. Raises ValueError without such a point."""
    for place in range(0, len(poller.places) - 6, 6):
        start, _, _, end = struct.unpack_from("<HHHH", poller.places, place + 2)
        poller.file.seek(poller.start + start)
        block = poller.file.read(end - start)
        at = 17
        while at < len(block):
            if names(block, at) == (device, point):
                return await _read(poller, block, at)
            at += block[at]
    raise ValueError(device + "/" + point)


def names(block, at):
    return plans.name(block, at, 8, block[at + 5]), plans.name(block, at, block[at + 5], block[at + 6])


async def _read(poller, block, at):
    code = await _ask(poller, request(block, at), block[6] | block[7] << 8)
    number = 0
    if not code:
        start = poller.base(block, at) + block[at + 3]
        number = plans.raw(poller.buffer, start, block[at + 1], block[at + 2] & 15, block[at + 4])
        code = 0 if plans.is_valid(block, at, number) else 258
    return plans.field(block, at, code, number)


async def write(poller, unit, function, address, words, mask=0, wait=1000):
    """Function 5 (0xFF00 is on), 6 or 16. mask: the bits of one register that are written. -> quality, "" for done."""
    if mask:
        code = await _ask(poller, struct.pack(">BBHH", unit, 3, address, 1), wait)
        if code:
            return _quality(code)
        at = poller.at
        words = (words[0] & mask | (poller.buffer[at] << 8 | poller.buffer[at + 1]) & ~mask,)
    count = len(words)
    request = struct.pack(">BBH%dH" % count, unit, function, address, *words)
    if function == 16:
        request = request[:4] + bytes((0, count, 2 * count)) + request[4:]
    return _quality(await _ask(poller, request, wait))


async def _ask(poller, request, wait):
    while poller.late.get(request[0], 0) > poller.ms():  # an answer to what was asked before may still come
        await asyncio.sleep(0.02)
    return await poller.ask(request, wait)


def _quality(code):
    return plans.field(b"", 0, code)[5:-1] if code else ""
