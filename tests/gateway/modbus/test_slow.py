"""Slow devices, wrong checksums, echo and noise while a bus is polled, on a real pty."""

import asyncio

import pytest

from tests.gateway.modbus.watching import Watch, asked, point, polling, port, profile, serial

# Reads of the same length, too far apart to be one.
APART = {"a": point(0, around=1.0), "b": point(500, around=2.0), "c": point(1000, around=3.0)}


def only_own(watch):
    """Whatever was told of a point is its own value or no value."""
    own = {"a": 1.0, "b": 2.0, "c": 3.0}
    return all(value in (None, own[key]) for _, key, _, value, _, _ in watch.told)


@pytest.mark.parametrize(("slow", "units"), [(0.4, [1]), (0.7, [1, 2])])
def test_a_device_slower_than_its_profile_says_is_learned_and_never_misread(tmp_path, slow, units):
    async def scene():
        model = profile(points=APART)
        async with port(tmp_path / "bus", model, units) as emulated:
            emulated.unit(1).faults.slow = slow
            watch = Watch(serial(tmp_path / "bus"), model, units, dead_share=0.9)
            async with polling(watch):
                await watch.until(lambda: {(1.0, None), (2.0, None), (3.0, None)} <= set(watch.of("P1/d1")), 30)
            assert only_own(watch)
            assert watch.bus.counters.late >= 1
            assert watch.poller.units[1].answer_time.wait > slow
            assert watch.poller.units[1].memory.slowest > 0.3

    asyncio.run(scene())


def test_each_tenth_checksum_wrong_costs_its_block_s_points_alone(tmp_path):
    async def scene():
        model = profile(points=APART, polls={"fast": {"every": "20ms", "silence": "1h"}})
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.corrupt_every = 10
            watch = Watch(serial(tmp_path / "bus"), model, [1], dead_share=0.9)
            async with polling(watch):
                await watch.until(lambda: watch.bus.counters.crc >= 6)
            assert only_own(watch)
            told = [(time_ms, key) for _, key, time_ms, _, quality, _ in watch.told if quality == "crc"]
            assert len(told) == len({time_ms for time_ms, _ in told}), "never two points at once"
            assert watch.logs.entries == []
            assert (watch.bus.counters.timeouts, watch.bus.counters.late) == (0, 0)

    asyncio.run(scene())


def test_an_echoing_adapter_and_noise_after_each_answer(tmp_path):
    async def scene():
        model = profile(points=APART)
        async with port(tmp_path / "bus", model, [1, 2]) as emulated:
            emulated.faults.echo, emulated.faults.noise = True, b"\x00\xff"
            watch = Watch(serial(tmp_path / "bus"), model, [1, 2])
            async with polling(watch):
                await watch.until(lambda: watch.bus.counters.requests > 30)
            assert only_own(watch)
            assert {quality for *_, quality, _ in watch.told} == {None}
            assert watch.bus.counters.echoes >= 30
            assert emulated.account.collisions == 0

    asyncio.run(scene())


def test_a_silent_unit_is_asked_nothing_while_it_may_still_answer_and_others_are(tmp_path):
    async def scene():
        model = profile(points=APART)
        async with port(tmp_path / "bus", model, [1, 2]) as emulated:
            journal = emulated.account.journal
            emulated.unit(1).faults.silent = True
            watch = Watch(serial(tmp_path / "bus"), model, [1, 2], dead_share=0.9)
            async with polling(watch):
                await watch.until(lambda: len(asked(emulated, 1)) == 2)
            first, second = [each for each in journal if each.unit == 1]
            assert second.start - first.end >= 2.0 - 0.001
            assert len([each for each in journal if each.unit == 2 and first.end < each.start < second.start]) >= 10

    asyncio.run(scene())
