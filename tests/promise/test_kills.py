"""The promise under kill -9: whatever dies at whatever instant, what a gateway numbered is stored, once, and right."""

import asyncio
import json
import random
import sqlite3
import time

import pytest

from device_profiles import registers

# A reading is stamped when its answer is in; the device held the value when it answered, at most a transaction earlier.
READ_MS = 1500
LATE_MS = 5000  # a gateway that gets no processor between an answer and its stamp is as late as that at most


async def settle(chain, seconds=60.0, nodes=()):
    """Until ingest has written something for each node."""
    for _ in range(int(seconds / 0.1)):
        await asyncio.sleep(0.1)
        try:
            if len(chain.rows("SELECT DISTINCT node FROM packs")) == len(nodes or chain.nodes):
                return
        except sqlite3.OperationalError:  # the file is not there yet
            continue
    raise AssertionError("no reading stored in time:\n" + chain.ingest.log.read_text()[-2000:])


async def everybody_sends(chain, seconds=60.0):
    """Until each gateway has come back by itself: a pack of it, newer than now, is stored."""
    now_ms = time.time_ns() // 1_000_000
    deadline = time.monotonic() + seconds
    waiting = set(chain.nodes)
    while waiting:
        await asyncio.sleep(0.2)
        waiting -= {row[0] for row in chain.rows("SELECT DISTINCT node FROM packs WHERE time > ?", now_ms)}
        assert time.monotonic() < deadline, {node: chain.gateways[node].log.read_text()[-1500:] for node in waiting}


def assert_nothing_lost(chain):
    """Every number of every spool is in the ledger, each reading in the database, once."""
    produced = {node: chain.spool(node) for node in chain.nodes}
    for node, spool in produced.items():
        numbers = [row[0] for row in chain.rows("SELECT number FROM packs WHERE node = ? ORDER BY number", node)]
        assert spool["pending"] == 0
        assert json.loads(spool["dropped"]) == {}
        assert spool["stored"] == spool["head"]
        assert numbers == list(range(1, spool["head"] + 1)), f"{node}: gaps in what is stored"
        assert chain.rows("SELECT count(DISTINCT epoch) FROM packs WHERE node = ?", node) == [(1,)]
    readings = sum(spool["readings"] for spool in produced.values())
    assert chain.rows("SELECT sum(readings), sum(refused) FROM packs") == [(readings, 0)]
    stored = chain.rows("SELECT (SELECT count(*) FROM points) + (SELECT count(*) FROM quality)")[0][0]
    assert stored == readings, f"{readings} readings produced, {stored} in the database"
    return readings


def assert_few_are_late(late, checked):
    """Where a gateway stands still it stamps what it is about to read late: a block or two. More are no accident."""
    assert checked > 10
    assert len(late) <= 10 + checked // 20, late


def assert_values_are_true(chain):
    """Each stored value was held by its device at its time, within the profile's resolution."""
    checked, late = 0, []
    for time_ms, pole, device, point, value in chain.rows("SELECT time, pole, device, point, value FROM readings"):
        emulated = chain.devices.get(f"{pole}/{device}")
        if emulated is None or value is None:  # the gateway's own counters; a bad quality
            continue
        held = emulated.held(point, time_ms, READ_MS)
        before = emulated.held(point, time_ms - LATE_MS // 2, LATE_MS // 2)
        step = registers.resolution(emulated.profile.points[point].at) or abs(value) * 1e-6
        if not any(abs(value - each) <= step for each in held):
            late.append(f"{pole}/{device}/{point} at {time_ms}: {value}, not {held}")
            assert any(abs(value - each) <= step for each in before), late[-1]
        checked += 1
    assert_few_are_late(late, checked)


async def assert_the_promise_held(chain):
    """Everything runs again: what every gateway produced is stored, and is true."""
    await settle(chain)
    await everybody_sends(chain)
    await chain.drained()
    await asyncio.to_thread(chain.ingest.stop)
    readings = assert_nothing_lost(chain)
    assert_values_are_true(chain)
    return readings


async def kill_at_random(process, times, source, low, high):
    for _ in range(times):
        await asyncio.sleep(source.uniform(low, high))
        await asyncio.to_thread(process.kill)
        process.start()


def test_200_kills_of_gateways(chain):
    async def scenario():
        async with chain(5) as city:
            city.start()
            await settle(city)
            source = random.Random(200)
            await asyncio.gather(*(kill_at_random(each, 40, source, 0.2, 2.2) for each in city.gateways.values()))
            assert sum(gateway.kills for gateway in city.gateways.values()) == 200
            assert await assert_the_promise_held(city) > 100

    asyncio.run(scenario())


def test_50_kills_of_ingest(chain):
    async def scenario():
        async with chain(3) as city:
            city.start()
            await settle(city)
            await kill_at_random(city.ingest, 50, random.Random(50), 0.2, 1.4)
            await assert_the_promise_held(city)

    asyncio.run(scenario())


def test_50_kills_of_the_broker(chain):
    async def scenario():
        async with chain(3) as city:
            city.start()
            await settle(city)
            source = random.Random(51)
            for _ in range(50):
                await asyncio.sleep(source.uniform(0.2, 1.4))
                await asyncio.to_thread(city.broker.restart)
            await assert_the_promise_held(city)

    asyncio.run(scenario())


@pytest.mark.parametrize("down", [("ingest",), ("broker",), ("store",), ("store", "broker")], ids=" and ".join)
def test_down_for_the_whole_run_then_up(chain, down):
    async def scenario():
        async with chain(2) as city:
            if "broker" in down:
                await asyncio.to_thread(city.broker.kill)
            if "store" in down:
                city.store.rmdir()
            if "ingest" not in down:
                city.ingest.start()
            for gateway in city.gateways.values():
                gateway.start()
            await asyncio.sleep(8)
            if len(down) == 2:
                for gateway in city.gateways.values():
                    await asyncio.to_thread(gateway.kill)
                    gateway.start()
                await asyncio.sleep(4)
            assert not (
                (city.store / "readings.db").exists()
                and city.rows("SELECT 1 FROM sqlite_master WHERE name = 'points'")  # it may just be made
                and city.rows("SELECT 1 FROM points")
            )
            if "broker" in down:
                await asyncio.to_thread(city.broker.start)
            if "store" in down:
                city.store.mkdir()
            if "ingest" in down:
                city.ingest.start()
            await assert_the_promise_held(city)

    asyncio.run(scenario())
