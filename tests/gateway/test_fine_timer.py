"""The fine timer in a real loop: no wait is lost, whatever happens meanwhile."""

import asyncio
import os
import time

import pytest

from gateway.fine_timer import FineTimer


def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1e-10, 0.0001, 0.0035, 0.05, 0.15])
def test_it_never_wakes_too_early(seconds):
    async def scene():
        timer = FineTimer()
        began = time.monotonic()
        async with asyncio.timeout(10):
            await timer.sleep(seconds)
        passed = time.monotonic() - began
        timer.close()
        return passed

    assert asyncio.run(scene()) >= seconds - 1e-6


def test_a_wait_that_is_cancelled_leaves_the_next_one_alone():
    async def scene():
        timer = FineTimer()
        for first in (0.0001, 0.001, 0.05):
            waiting = asyncio.create_task(timer.sleep(first))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            began = time.monotonic()
            async with asyncio.timeout(10):
                await timer.sleep(0.02)
            assert time.monotonic() - began >= 0.02 - 1e-6
        timer.close()

    asyncio.run(scene())


def test_one_that_rings_when_the_next_wait_has_begun_does_not_end_it():
    async def scene():
        timer = FineTimer()
        waiting = asyncio.create_task(timer.sleep(0.0001))
        await asyncio.sleep(0)
        busy = time.monotonic() + 0.005
        while time.monotonic() < busy:  # it has rung, and the loop has not heard it yet
            pass
        await asyncio.sleep(0)  # now it has, but this goes on first
        waiting.cancel()
        began = time.monotonic()
        async with asyncio.timeout(10):
            await timer.sleep(0.03)
        assert time.monotonic() - began >= 0.03 - 1e-6
        timer.close()

    asyncio.run(scene())


def test_closing_it_wakes_who_waits():
    async def scene():
        timer = FineTimer()
        waiting = asyncio.create_task(timer.sleep(0.09))
        await asyncio.sleep(0)
        timer.close()
        async with asyncio.timeout(5):
            await waiting
        timer.close()  # twice is no harm
        await timer.sleep(0.001)  # and without it asyncio's own timer has to do

    asyncio.run(scene())


def test_two_timers_do_not_wake_each_other():
    async def scene():
        first, second = FineTimer(), FineTimer()
        began = time.monotonic()
        long = asyncio.create_task(first.sleep(0.08))
        await second.sleep(0.005)
        assert not long.done() or time.monotonic() - began >= 0.08
        async with asyncio.timeout(5):
            await long
        first.close()
        second.close()

    asyncio.run(scene())


def test_without_timerfd_asyncio_s_timers_have_to_do(monkeypatch):
    async def scene():
        timer = FineTimer()
        monkeypatch.setattr(timer, "_fd", -1)
        began = time.monotonic()
        await timer.sleep(0.01)
        assert time.monotonic() - began >= 0.009
        timer.close()

    asyncio.run(scene())


def test_a_thousand_timers_leave_no_file_open():
    async def scene():
        before = open_files()
        for step in range(1000):
            timer = FineTimer()
            if step % 3 == 0:
                waiting = asyncio.create_task(timer.sleep(0.01))
                await asyncio.sleep(0)
                waiting.cancel()
            timer.close()
        await asyncio.sleep(0.02)
        assert open_files() <= before + 1

    asyncio.run(scene())
