"""Devices that refuse registers, on a real pty: the reason is learned, once, and nothing that can be had is lost."""

import asyncio
import itertools

import pytest

from gateway.modbus.learned import Learned
from tests.gateway.modbus.watching import LABELS, Watch, asked, point, polling, port, profile, serial

# LATE_MOST_S short: these devices are never late, and a test cannot wait.
QUICK = ("gateway.modbus.unanswered.LATE_MOST_S", 0.1)
FOUR = {name: point(at, around=at + 1.0) for name, at in {"a": 0, "b": 1, "c": 10, "d": 11}.items()}
ALL = {"a": 1.0, "b": 2.0, "c": 11.0, "d": 12.0}


def first(watch, device="P1/d1"):
    """What was told first of each point."""
    found = {}
    for at, key, _, value, quality, _ in watch.told:
        if at == device:
            found.setdefault(key, value if quality is None else quality)
    return found


def latest(watch, device="P1/d1"):
    return {key: value if quality is None else quality for at, key, _, value, quality, _ in watch.told if at == device}


def test_a_refused_hole_is_learned_within_a_cycle_without_a_lost_point_and_over_a_restart(tmp_path):
    async def scene():
        model = profile(points=FOUR)
        path = tmp_path / "learned.json"
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.refused = frozenset({("holding", 5)})
            learned = Learned(path)
            watch = Watch(serial(tmp_path / "bus"), model, [1], learned=learned)
            async with polling(watch):
                await watch.until(lambda: watch.logged("learned what a unit refuses"))
                assert len(asked(emulated)) == 4  # all, its halves, and once more all
                await watch.until(lambda: watch.bus.counters.requests >= 10)
            assert first(watch) == latest(watch) == ALL
            assert watch.bus.counters.refused == 2
            assert set(asked(emulated)[4:]) == {(1, 3, 0, 2), (1, 3, 10, 2)}
            learned.save()
            again = Watch(serial(tmp_path / "bus"), model, [1], learned=Learned(path))
            async with polling(again):
                await again.until(lambda: latest(again) == ALL)
            assert again.bus.counters.refused == 0

    asyncio.run(scene())


def test_a_refused_value_costs_itself_alone_and_stays_learned(tmp_path):
    async def scene():
        model = profile(points=FOUR)
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.refused = frozenset({("holding", 1)})
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                await watch.until(lambda: watch.logged("learned what a unit refuses"))
                before = len(asked(emulated))
                await watch.until(lambda: watch.bus.counters.requests >= before + 20)
            cycles = asked(emulated)[before:]
            assert set(cycles) == {(1, 3, 0, 1), (1, 3, 1, 1), (1, 3, 10, 2)}
            assert first(watch) == latest(watch) == {**ALL, "b": "exception-2"}
            assert len(watch.logged("learned what a unit refuses")) == 1
            assert len(watch.logged("block refused")) == 1

    asyncio.run(scene())


def test_a_value_that_is_given_again_is_read_with_the_others_again(tmp_path):
    async def scene():
        model = profile(points=FOUR)
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.refused = frozenset({("holding", 1)})
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                await watch.until(lambda: watch.logged("learned what a unit refuses"))
                emulated.unit(1).faults.refused = frozenset()
                await watch.until(lambda: latest(watch) == ALL)
                await watch.until(lambda: asked(emulated)[-1][2:] == (0, 12))
            assert watch.poller.units[1].memory.refused == set()
            assert len(watch.logged("block answers again")) == 1

    asyncio.run(scene())


def test_a_value_that_comes_and_goes_is_explored_rarely(tmp_path):
    async def scene():
        model = profile(points=FOUR)
        async with port(tmp_path / "bus", model, [1]) as emulated:
            faults = emulated.unit(1).faults
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                for _ in range(6):
                    faults.refused = frozenset({("holding", 1)})
                    await watch.until(lambda: latest(watch).get("b") == "exception-2")
                    faults.refused = frozenset()
                    await watch.until(lambda: latest(watch) == ALL)
            assert len(watch.logged("learned what a unit refuses")) <= 2

    asyncio.run(scene())


def test_fewer_registers_at_once_than_the_profile_says(tmp_path):
    async def scene():
        points = {f"p{at}": point(at, around=at + 1.0) for at in range(12)}
        async with port(tmp_path / "bus", profile(points=points, block=5), [1]) as emulated:
            watch = Watch(serial(tmp_path / "bus"), profile(points=points), [1])
            async with polling(watch):
                await watch.until(lambda: watch.logged("learned what a unit refuses"))
                before = len(asked(emulated))
                await watch.until(lambda: watch.bus.counters.requests >= before + 12)
            assert first(watch) == latest(watch) == {f"p{at}": at + 1.0 for at in range(12)}
            assert max(count for *_, count in asked(emulated)[before:]) == watch.poller.units[1].memory.block == 3

    asyncio.run(scene())


def test_a_device_that_refuses_everything_teaches_nothing_and_leaves_the_others_alone(tmp_path):
    async def scene():
        model = profile(points=FOUR)
        async with port(tmp_path / "bus", model, [1, 2]) as emulated:
            emulated.unit(1).faults.exception = 2
            watch = Watch(serial(tmp_path / "bus"), model, [1, 2])
            async with polling(watch):
                await watch.until(lambda: latest(watch) == dict.fromkeys(ALL, "exception-2"))
                await watch.until(lambda: latest(watch, "P1/d2") == ALL)
                before = len(asked(emulated, 1))
                await watch.until(lambda: watch.bus.counters.requests >= 30)
                assert before <= 8
                assert set(asked(emulated, 1)[before:]) == {(1, 3, 0, 12)}, "it is not explored again at once"
                emulated.unit(1).heal()
                await watch.until(lambda: latest(watch) == ALL)
            assert watch.poller.units[1].memory.refused == set()
            assert watch.logged("learned what a unit refuses") == []

    asyncio.run(scene())


def mute(emulated, *places):
    emulated.unit(1).faults.mute = frozenset(("holding", place) for place in places)


@pytest.mark.parametrize("units", [[1], [1, 2]])
def test_a_hole_that_silences_the_device_is_found_though_it_seems_dead(tmp_path, monkeypatch, units):
    monkeypatch.setattr(*QUICK)
    monkeypatch.setattr("gateway.modbus.health.PROBE_FIRST_S", 0.05)
    monkeypatch.setattr("gateway.modbus.health.DEAD_BUS_SHARE", 0.9)

    async def scene():
        model = profile(points=FOUR)
        async with port(tmp_path / "bus", model, units) as emulated:
            mute(emulated, 5)
            watch = Watch(serial(tmp_path / "bus"), model, units, dead_share=0.9)
            async with polling(watch):
                await watch.until(lambda: watch.logged("learned what a unit refuses"), 20)
                timeouts = watch.bus.counters.timeouts
                await watch.until(lambda: latest(watch) == ALL)
                before = watch.bus.counters.requests
                await watch.until(lambda: watch.bus.counters.requests >= before + 10)
                assert watch.bus.counters.timeouts == timeouts
            (hole,) = watch.poller.units[1].memory.refused
            assert (hole.address, hole.count) == (2, 8)

    asyncio.run(scene())


def test_a_dead_device_that_comes_back_while_it_is_explored_teaches_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(*QUICK)
    monkeypatch.setattr("gateway.modbus.health.PROBE_FIRST_S", 0.05)
    monkeypatch.setattr("gateway.modbus.health.DEAD_BUS_SHARE", 0.9)

    async def scene():
        model = profile(points=FOUR)
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.silent = True
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                await watch.until(lambda: (1, 3, 0, 2) in asked(emulated), 20)  # a half: it is being explored
                emulated.unit(1).faults.silent = False
                await watch.until(lambda: latest(watch) == ALL, 20)
                await watch.until(lambda: asked(emulated)[-1][2:] == (0, 12))
            assert watch.poller.units[1].memory.refused == set()

    asyncio.run(scene())


def test_an_exploration_that_is_disturbed_is_begun_again(tmp_path):
    async def scene():
        model = profile(points=FOUR)
        async with port(tmp_path / "bus", model, [1]) as emulated:
            faults = emulated.unit(1).faults
            faults.refused, faults.corrupt_every = frozenset({("holding", 5)}), 2  # each second answer is damaged
            watch = Watch(serial(tmp_path / "bus"), model, [1], dead_share=0.9)
            async with polling(watch):
                await watch.until(lambda: (1, 3, 0, 2) in asked(emulated))
                await watch.until(lambda: watch.bus.counters.crc >= 2)
                faults.corrupt_every = 0
                await watch.until(lambda: watch.logged("learned what a unit refuses"))
                await watch.until(lambda: latest(watch) == ALL)
            (hole,) = watch.poller.units[1].memory.refused
            assert (hole.address, hole.count) == (2, 8)

    asyncio.run(scene())


def test_busy_is_no_refusal(tmp_path):
    async def scene():
        model = profile(points=FOUR)
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.busy = 3
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                await watch.until(lambda: latest(watch) == ALL)
            assert first(watch) == dict.fromkeys(ALL, "exception-6")
            assert (watch.bus.counters.busy, watch.bus.counters.refused) == (3, 0)
            assert set(asked(emulated)) == {(1, 3, 0, 12)}
            assert watch.logged("no answer") == []

    asyncio.run(scene())


@pytest.mark.parametrize(("code", "is_answer"), [(1, True), (4, True), (10, False), (11, False)])
def test_exceptions_that_speak_of_the_device_or_of_a_gateway(tmp_path, monkeypatch, code, is_answer):
    monkeypatch.setattr("gateway.modbus.health.DEAD_BUS_SHARE", 0.9)

    async def scene():
        model = profile(points=FOUR)
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.exception = code
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                await watch.until(lambda: latest(watch) == dict.fromkeys(ALL, f"exception-{code}"))
                await watch.until(lambda: watch.bus.counters.requests >= 4)
                emulated.unit(1).heal()
                await watch.until(lambda: latest(watch) == ALL)
            assert bool(watch.logged("no answer")) == (not is_answer)
            assert bool(watch.poller.lost_s) == (not is_answer)
            assert set(asked(emulated)) == {(1, 3, 0, 12)}

    asyncio.run(scene())


def test_inputs_with_events_go_between_the_steps_of_an_exploration(tmp_path):
    async def scene():
        cover = {"labels": LABELS, "poll": "fast", "event": True, "at": {"table": "discrete", "address": 3}}
        urgent = profile(
            points={"cover": {**cover, "emulate": {"around": 0}}}, polls={"fast": {"every": "1ms", "silence": "1h"}}
        )
        model = profile(points={f"p{at}": point(2 * at, around=at + 1.0) for at in range(16)})
        async with port(tmp_path / "bus", model, [1], others={2: urgent}) as emulated:
            emulated.unit(1).faults.refused = frozenset(("holding", 4 * at + 1) for at in range(7))
            watch = Watch(serial(tmp_path / "bus"), model, [1], others={2: urgent})
            async with polling(watch):
                await watch.until(lambda: watch.logged("learned what a unit refuses"))
            order = [unit for unit, *_ in asked(emulated)]
            assert order.count(1) > 15
            assert all(2 in pair for pair in itertools.pairwise(order))

    asyncio.run(scene())
