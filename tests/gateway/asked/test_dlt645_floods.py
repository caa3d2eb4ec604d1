"""A DL/T 645 line on which far too much comes, or for far too long."""

import asyncio
import os
import threading
import time
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
    written = 0

    def flood(master, ended):
        nonlocal written
        while not ended.is_set():
            try:
                written += os.write(master, b"\x68" * 4096)
            except BlockingIOError:
                time.sleep(0.001)

    async def scene(asker, line):
        assert await asker.ask(METER, [VOLTS]) == {VOLTS: 2314}
        ended = threading.Event()
        tracemalloc.start()
        flooding = asyncio.create_task(asyncio.to_thread(flood, line.pty._ends[0], ended))
        try:
            with within(20.0), pytest.raises(BadAnswer) as caught:
                await asker.ask(METER, [VOLTS])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            ended.set()
            await flooding
        assert caught.value.fault in ("noise", "short")
        assert written > 100_000
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
