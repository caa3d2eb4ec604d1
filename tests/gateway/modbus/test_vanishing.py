"""A port that comes and goes, a line that is not there, a poller that is stopped: nothing is left behind."""

import asyncio
import contextlib
import os
import random

import pytest

from protocols import errors, modbus
from tests.gateway.modbus.watching import Watch, point, polling, port, profile, serial

APART = {"a": point(0, around=1.0), "b": point(500, around=2.0), "c": point(1000, around=3.0)}
EAGER = {"fast": {"every": "1ms", "silence": "1h"}}
READ = modbus.read("holding", 0, 1)


def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def an_eager_port(monkeypatch):
    monkeypatch.setattr("gateway.serial_port.REOPEN_FIRST_S", 0.005)
    monkeypatch.setattr("gateway.serial_port.REOPEN_MOST_S", 0.01)
    monkeypatch.setattr("gateway.modbus.unanswered.LATE_MOST_S", 0.02)
    monkeypatch.setattr("device_profiles.bus_time.ANSWER_S", 0.1)  # so long who was given up is asked nothing


def test_a_port_that_vanishes_a_hundred_times_in_the_middle_of_a_transaction(tmp_path):
    async def scene():
        model = profile(points=APART, polls=EAGER)
        async with port(tmp_path / "bus", model, [1, 2]) as emulated:
            watch = Watch(serial(tmp_path / "bus"), model, [1, 2])
            async with polling(watch):
                await watch.until(lambda: watch.of("P1/d2", "c"))
                before = open_files()
                for times in range(1, 101):
                    heard = emulated.account.transactions
                    await watch.until(lambda heard=heard: emulated.account.transactions > heard)
                    emulated.vanish()
                    await watch.until(lambda times=times: len(watch.logged("bus down")) == times)
                    emulated.restore()
                    await watch.until(lambda times=times: len(watch.logged("bus up again")) == times)
                assert open_files() <= before
                assert len(asyncio.all_tasks()) <= 2  # this one and the poller
                await watch.until(lambda: watch.of("P1/d1", "c")[-1] == (3.0, None))
            events = [entry["event"] for entry in watch.logs.entries]
            assert events == 100 * ["bus down", "bus up again"]
            assert {value for value, _ in watch.of("P1/d1", "b")} == {2.0, None}
            assert {unit.health.silent for unit in watch.poller.units.values()} == {False}

    asyncio.run(scene())


async def heartbeat(seconds=1.0):
    """How often the loop comes round meanwhile."""
    loop, beats = asyncio.get_running_loop(), 0
    until = loop.time() + seconds
    while loop.time() < until:
        await asyncio.sleep(0.001)
        beats += 1
    return beats


def test_a_line_that_is_not_there_is_said_once_and_holds_nothing_up_and_nothing_grows(tmp_path):
    async def scene():
        model = profile(points=APART, polls=EAGER)
        watch = Watch(serial(tmp_path / "none"), model, list(range(1, 21)))
        async with polling(watch):
            assert await heartbeat() > 10
            await watch.until(lambda: watch.bus.counters.down > 500)
            poller = watch.poller
            assert len(poller._schedule._others) <= 20 + 2 * 64
            assert sum(len(unit._blocks) for unit in poller.units.values()) == 60
            assert poller._reader._ward._debtors == set()
        assert [entry["event"] for entry in watch.logs.entries] == ["bus down"]
        assert len(watch.told) == 60
        assert poller.lost_s == 0

    asyncio.run(scene())


def test_a_bus_on_which_everybody_is_dead_holds_nothing_up_and_nothing_grows(tmp_path):
    async def scene():
        model = profile(points=APART, polls=EAGER)
        async with port(tmp_path / "bus", model, [99]):
            watch = Watch(serial(tmp_path / "bus"), model, list(range(1, 6)))
            async with polling(watch):
                await watch.until(lambda: len(watch.logged("no answer")) == 5, 20)
                assert await heartbeat() > 10
                poller = watch.poller
                assert len(poller._schedule._others) <= 5 + 2 * 64
                assert len(poller._reader._ward._debtors) <= 5 * 4
        assert len(watch.told) == 15
        assert len(watch.logs.entries) == 5

    asyncio.run(scene())


def test_units_that_are_passed_over_without_an_end_let_the_loop_go_on(tmp_path):
    async def scene():
        watch = Watch(serial(tmp_path / "none"), profile(points=APART, polls=EAGER), list(range(1, 201)))
        for unit in watch.poller.units.values():
            unit.health.failures, unit.health.silent, unit.health.ask_at = 3, True, float("inf")
        async with polling(watch):
            assert await heartbeat() > 10
        assert watch.bus.counters.requests == 0
        assert len(watch.told) == 600

    asyncio.run(scene())


def test_a_poller_that_is_stopped_anywhere_leaves_no_task_no_file_and_a_free_bus(tmp_path):
    async def scene():
        model = profile(points=APART, polls=EAGER)
        async with port(tmp_path / "bus", model, [1, 2, 3]) as emulated:
            emulated.unit(3).faults.answers_every = 2
            rng = random.Random(4)
            before = open_files()
            for _ in range(25):
                watch = Watch(serial(tmp_path / "bus"), model, [1, 2, 3])
                task = asyncio.create_task(watch.poller.run())
                await asyncio.sleep(rng.uniform(0, 0.03))
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                with contextlib.suppress(errors.DeviceError):  # the old request's answer may run into it
                    async with asyncio.timeout(5):
                        await watch.bus.transact(1, READ, 0.1)
                await watch.bus.close()
            await asyncio.sleep(0.05)
            assert len(asyncio.all_tasks()) == 1
            assert open_files() <= before

    asyncio.run(scene())
