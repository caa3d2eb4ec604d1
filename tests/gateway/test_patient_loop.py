"""The clock of these tests: it leaves out the time in which the machine let nobody run, and none in which we worked."""

import asyncio
import subprocess
import time


def test_time_in_which_the_process_stood_still_does_not_pass():
    async def scene():
        loop = asyncio.get_running_loop()
        began, began_here = time.monotonic(), loop.time()
        time.sleep(0.2)  # noqa: ASYNC251
        assert loop.time() - began_here < 0.1
        stopping = "kill -STOP $PPID; sleep 0.3; kill -CONT $PPID"
        with subprocess.Popen(["/bin/sh", "-c", stopping]):  # noqa: ASYNC220
            async with asyncio.timeout(20):
                while (time.monotonic() - began) - (loop.time() - began_here) < 0.4:
                    await asyncio.sleep(0.02)
        assert loop.time() >= began_here

    asyncio.run(scene())


def test_time_in_which_the_loop_is_held_up_by_work_passes():
    async def scene():
        began, until = asyncio.get_running_loop().time(), time.thread_time() + 0.2
        while time.thread_time() < until:
            pass
        assert asyncio.get_running_loop().time() - began > 0.19

    asyncio.run(scene())


def test_a_wait_that_nothing_disturbs_takes_its_time():
    async def scene():
        began = time.monotonic()
        await asyncio.sleep(0.1)
        assert time.monotonic() - began >= 0.1 - 1e-3

    asyncio.run(scene())
