"""A bus that has more to do than it can: who goes next, who waits, and what falls due together."""

import asyncio
import itertools

import pytest

from device_profiles import bus_time
from gateway.modbus import poller as polls
from protocols import modbus
from tests.gateway.modbus.watching import LABELS, Watch, asked, point, polling, port, profile, serial

EAGER = {"every": "1ms", "silence": "1h"}
APART = {"a": point(0, around=1.0), "b": point(500, around=2.0), "c": point(1000, around=3.0)}
COVER = {
    "labels": LABELS, "poll": "urgent", "event": True, "at": {"table": "discrete", "address": 3},
    "emulate": {"around": 0},
}  # fmt: skip
SOS = 2  # the function code of its reads


def test_a_command_waits_for_the_transaction_under_way_and_no_other(tmp_path):
    async def scene():
        model = profile(points=APART, polls={"fast": EAGER})
        units = list(range(1, 9))
        async with port(tmp_path / "bus", model, units) as emulated:
            watch = Watch(serial(tmp_path / "bus"), model, units)
            request = modbus.read("holding", 500, 1)
            async with polling(watch):
                await watch.until(lambda: watch.of("P1/d8"))
                for _ in range(40):
                    before = watch.bus.counters.requests
                    await watch.bus.transact(5, request, 0.5, urgent=True)
                    # a second one may have begun when this was written on the line: the first of the count is ours
                    assert watch.bus.counters.requests - before <= 2
                    await asyncio.sleep(0.003)
            assert len(asked(emulated)) > 40
            assert watch.bus.counters.timeouts == 0

    asyncio.run(scene())


def test_an_input_with_events_has_each_second_read_of_a_full_bus_and_no_more(tmp_path):
    async def scene():
        model = profile(points=APART, polls={"fast": EAGER})
        urgent = profile(points={"cover": COVER}, polls={"urgent": EAGER})
        units = list(range(1, 5))
        async with port(tmp_path / "bus", model, units, others={9: urgent}) as emulated:
            watch = Watch(serial(tmp_path / "bus"), model, units, others={9: urgent})
            async with polling(watch):
                await watch.until(lambda: watch.bus.counters.requests > 100)
            order = [unit == 9 for unit, *_ in asked(emulated)][10:]
            assert all(one != other for one, other in itertools.pairwise(order))

    asyncio.run(scene())


def test_an_input_with_events_does_not_wait_for_what_another_unit_reads_besides_its_own(tmp_path):
    """Unit 1 has its cover and five other reads in one turn: after the cover it is a unit like all others."""

    async def scene():
        many = {f"p{at}": point(500 * at, around=1.0) for at in range(5)}
        slow = {"every": "1h", "silence": "2h"}
        both = profile(points={"cover": COVER, **many}, polls={"fast": slow, "urgent": slow})
        alone = profile(points={"cover": COVER}, polls={"urgent": slow})
        async with port(tmp_path / "bus", both, [1], others={2: alone, 3: alone}) as emulated:
            watch = Watch(serial(tmp_path / "bus"), both, [1], others={2: alone, 3: alone})
            async with polling(watch):
                await watch.until(lambda: len(watch.told) == 8)
                await asyncio.sleep(0.2)
            order = [(unit, function == SOS) for unit, function, *_ in asked(emulated)]
            assert order[:5] == [(1, True), (1, False), (2, True), (1, False), (3, True)]
            assert len(order) == 8, "everything was read, once"

    asyncio.run(scene())


def test_groups_that_fall_due_together_are_read_together(tmp_path, monkeypatch):
    monkeypatch.setattr(bus_time, "ANSWER_S", 1.0)  # nobody is to be late, on a loaded machine either

    async def scene():
        points = {"a": point(0), "b": point(1, poll="slow")}
        model = profile(points=points, polls={"fast": {"every": "300ms"}, "slow": {"every": "600ms"}})
        async with port(tmp_path / "bus", model, [1]) as emulated:
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                await watch.until(lambda: asked(emulated).count((1, 3, 0, 2)) >= 5)
            reads = asked(emulated)
            assert reads[0] == (1, 3, 0, 2)
            assert (1, 3, 1, 1) not in reads
            assert reads.count((1, 3, 0, 1)) >= 3

    asyncio.run(scene())


def test_a_long_period_that_failed_is_taken_again_soon_and_is_no_measure_of_the_bus(tmp_path, monkeypatch):
    monkeypatch.setattr(polls, "RETRY_S", 0.1)
    monkeypatch.setattr("gateway.modbus.unanswered.LATE_MOST_S", 0.1)

    async def scene():
        model = profile(points={"a": point(0)}, polls={"fast": {"every": "1h", "silence": "1h"}})
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.silent = True
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                await watch.until(lambda: watch.bus.counters.timeouts == 2)
                emulated.unit(1).faults.silent = False
                await watch.until(lambda: watch.of("P1/d1")[-1] == (10.0, None))
                asked_then = watch.bus.counters.requests
                await asyncio.sleep(0.5)
                assert watch.bus.counters.requests == asked_then
            assert (watch.poller.missed, watch.poller.wanted_s, watch.poller.actual_s) == (0, 0.0, 0.0)

    asyncio.run(scene())


def test_a_dead_block_of_a_long_period_comes_back_within_its_backoff(tmp_path, monkeypatch):
    monkeypatch.setattr(bus_time, "ANSWER_S", 1.0)  # nobody else is to be late, on a loaded machine either
    monkeypatch.setattr(polls, "RETRY_S", 0.1)
    monkeypatch.setattr("gateway.modbus.unanswered.LATE_MOST_S", 0.1)

    async def scene():
        model = profile(points=APART, polls={"fast": {"every": "1h", "silence": "1h"}})
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.mute = frozenset({("holding", 500)})
            watch = Watch(serial(tmp_path / "bus"), model, [1], dead_share=0.9)
            async with polling(watch):
                await watch.until(lambda: watch.logged("block without an answer"))
                emulated.unit(1).faults.mute = frozenset()
                await watch.until(lambda: watch.of("P1/d1", "b")[-1] == (2.0, None))
            assert watch.of("P1/d1", "a") == [(1.0, None)]

    asyncio.run(scene())


@pytest.mark.parametrize("every", ["50ms", "1h"])
def test_a_dead_device_that_comes_back_is_read_completely(tmp_path, monkeypatch, every):
    monkeypatch.setattr(polls, "RETRY_S", 0.1)
    monkeypatch.setattr("gateway.modbus.unanswered.LATE_MOST_S", 0.1)

    async def scene():
        points = {**APART, "d": point(1500, poll="slow", around=4.0)}
        model = profile(
            points=points, polls={"fast": {"every": every, "silence": "1h"}, "slow": {"every": "1h", "silence": "1h"}}
        )
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.silent = True
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                await watch.until(lambda: watch.logged("no answer"))
                emulated.unit(1).faults.silent = False
                await watch.until(lambda: all((at, None) in watch.of("P1/d1") for at in (1.0, 2.0, 3.0, 4.0)), 15)
            assert watch.poller.units[1].memory.refused == set()

    asyncio.run(scene())


def test_periods_as_they_were_are_counted_where_a_bus_is_full(tmp_path):
    async def scene():
        model = profile(points=APART, polls={"fast": EAGER})
        async with port(tmp_path / "bus", model, [1, 2]):
            watch = Watch(serial(tmp_path / "bus"), model, [1, 2])
            async with polling(watch):
                await watch.until(lambda: watch.bus.counters.requests > 60)
            poller = watch.poller
            assert poller.actual_s > 3 * poller.wanted_s > 0
            assert poller.missed >= 10

    asyncio.run(scene())
