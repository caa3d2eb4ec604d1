"""A guest of the poller: its plan from the disk, a fresh value of one point, registers of a device to be written."""

import asyncio
import struct

from edge import plan as plans

_VERSION = 1


def load(path, bus):
    """The section of one bus of plan.bin. Raises OSError; ValueError where there is none, or of another version."""
    with open(path, "rb") as file:
        version, count = file.read(2)
        while version == _VERSION and count:
            count -= 1
            size, length = struct.unpack("<HB", file.read(3))
            if str(file.read(length), "ascii") == bus:
                return file.read(size)
            file.seek(size, 1)
    raise ValueError("plan.bin has no bus " + bus)


async def read(poller, device, point):
    """A fresh value: '"v":62.5', '"vb":true' or '"q":"timeout"'. Raises ValueError without such a point."""
    plan = poller.plan
    for block in range(6, 6 + plan[3] * 22, 22):
        wait, first, _, parts = struct.unpack_from("<HHHB", plan, block + 6)
        for part in range(first, first + parts * 6, 6):
            at, of, start, bit = struct.unpack_from("<HHBB", plan, part)
            if plans.name(plan, of + 4) == point and plans.name(plan, at) == device:
                code = await _ask(poller, poller.request(block, part), wait)
                number = 0
                if not code:
                    at = poller.base(block, part) + start
                    number = plans.raw(poller.buffer, at, plan[of], plan[of + 1] & 15, bit)
                    code = 0 if plans.is_valid(plan, of, number) else 258
                return plans.field(plan, of, code, number)
    raise ValueError(device + "/" + point)


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
    return plans.field(b"\0", 0, code)[5:-1] if code else ""
