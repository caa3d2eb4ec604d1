"""A DL/T 645 line on which far too much comes, or for far too long."""

import asyncio
import contextlib
import os
import tracemalloc

import pytest

from protocols import dlt645
from protocols.errors import BadAnswer, DeviceError
from tests.gateway.asked.meter_line import METER, VOLTS, answer, play, within


def test_a_slow_drip_is_read_and_an_endless_one_given_up(tmp_path):
    whole = dlt645.WAKE + answer()

    async def scene(asker, line):
        assert await asker.ask(METER, [VOLTS]) == {VOLTS: 2314}
        with within(20.0), pytest.raises(DeviceError):
            await asker.ask(METER, [VOLTS])

    def reply(_, count):
        if count == 1:
            return [(0.05 * at, whole[at : at + 1]) for at in range(len(whole))]
        return [(0.1 * at, b"\xfe") for at in range(80)]

    play(tmp_path, reply, scene)


def test_a_flood_is_bounded_in_memory_and_time(tmp_path):
    async def flood(master):
        written = 0
        try:
            while True:  # the line's buffer is full whenever the asker looks
                with contextlib.suppress(BlockingIOError):
                    written += os.write(master, b"\x68" * 4096)
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            return written

    async def scene(asker, line):
        assert await asker.ask(METER, [VOLTS]) == {VOLTS: 2314}
        flooding = asyncio.create_task(flood(line.pty._ends[0]))
        tracemalloc.start()
        try:
            async with asyncio.timeout(20.0):
                with pytest.raises(BadAnswer) as caught:
                    await asker.ask(METER, [VOLTS])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            flooding.cancel()
        assert caught.value.fault in ("noise", "short")
        assert await flooding > 100_000
        assert peak < 500_000
        assert len(asker._port.received) <= 1024
        await asyncio.sleep(0.1)
        assert await asker.ask(METER, [VOLTS]) == {VOLTS: 2314}

    play(tmp_path, lambda *_: [(0.01, answer())], scene)


def test_a_flood_that_begins_after_the_request(tmp_path):
    async def scene(asker, line):
        with within(20.0), pytest.raises(BadAnswer):
            await asker.ask(METER, [VOLTS])
        assert len(asker._port.received) <= 1024

    def reply(_, count):
        return [(0.01 + 0.01 * at, b"\x68\x11" * 100) for at in range(500)]

    play(tmp_path, reply, scene)
