"""What the cases of the MQTT client share."""

import asyncio
import gc
import sys
import time

from edge import mqtt

MICROPYTHON = sys.implementation.name == "micropython"
if MICROPYTHON:
    gc.threshold(4000)  # what is kept would lie scattered between garbage, and nothing of 1.5 kB fit any more


class Board:
    def __init__(self, folder, utc_ms=1):
        self.folder = folder
        self._utc_ms = utc_ms

    def utc_ms(self):
        return self._utc_ms


def client(args, received=None, **changed):
    """changed: the clock, the folder and the node; the rest is of the uplink."""
    utc_ms = changed.pop("utc_ms", 1)
    folder = changed.pop("folder", args.get("folder"))
    node = changed.pop("node", args.get("node"))
    uplink = {"host": "127.0.0.1", "port": args.get("port"), "user": node, "tls": False}
    uplink.update(changed)
    config = {"area": "wuhou", "node": node, "uplink": uplink}
    return mqtt.Client(config, Board(folder, utc_ms), received or (lambda channel, payload: None))


async def until(condition, it, got=()):
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(
        "not within a minute: why %s, passed %d, got %s" % (it.why, it.passed, [each[:9] for each in got])
    )


async def refused(coroutine):
    """Why it raised OSError."""
    try:
        await coroutine
    except OSError as error:
        return error.args[0]
    raise AssertionError("it was not refused")


def seconds():
    return time.ticks_ms() // 1000 if MICROPYTHON else time.monotonic()


async def say(it, text, channel="event"):
    await it.publish(channel, len(text), (text,))


async def blocks(it):
    """A publish that is longer than all buffers on the way."""
    taken = [0]

    def pieces():
        piece = bytes(1000)
        for number in range(50_000):
            taken[0] = number
            yield piece

    await it.connect(b"will")
    try:
        await it.publish("telemetry", 50_000_000, pieces())
    finally:
        assert 0 < taken[0] < 49_000, "it is not the write that waits: %d" % taken[0]
