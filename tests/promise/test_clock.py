"""The promise without a clock: real gateways under libfaketime (its file says what their wall clock shows)."""

import asyncio
import contextlib
import itertools
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import aiomqtt
import pytest

from tests.parts.servers import missing
from tests.promise.conftest import AREA, Process
from tests.promise.test_kills import (
    LATE_MS,
    READ_MS,
    assert_few_are_late,
    assert_nothing_lost,
    assert_values_are_true,
    everybody_sends,
    settle,
)
from wire import topics

DAY_S, HOUR_S = 86_400, 3600


def library():
    found = sorted(Path("/usr/lib").glob(f"{platform.machine()}-*/faketime/libfaketimeMT.so.1"))
    if not found:
        missing("libfaketime is not installed: apt-get install faketime")
    return str(found[0])


class FakedProcess(Process):
    """A gateway whose wall clock is what wall() said last; its monotonic clocks are the machine's."""

    def wall(self, off_s, speed=""):
        # Whole at once: the library reads it at every look at the clock.
        new = self.log.with_suffix(".wall.new")
        new.write_text(f"{off_s:+.3f}{speed}\n")
        new.rename(self._wall)

    @property
    def _wall(self):
        return self.log.with_suffix(".wall")

    def start(self):
        faked = {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._wall),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        command = [sys.executable, "-m", "pole", *self.arguments]
        with self.log.open("a") as out:
            self._process = subprocess.Popen(command, env=os.environ | faked, stdout=out, stderr=out)

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def kill(self):
        assert self.running, self.log.read_text()[-3000:]
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self):
        if self.running:
            self._process.terminate()
            assert self._process.wait(60) == 0, self.log.read_text()[-3000:]


@pytest.fixture
def city(chain):
    """One pole whose gateway's wall clock is a file's."""
    made = chain(1)
    made.gateways = {node: FakedProcess(made.folder, node, each.arguments) for node, each in made.gateways.items()}
    return made


def unclocked(city):
    with contextlib.closing(sqlite3.connect(city.folder / "gw-1.db")) as db:
        return db.execute("SELECT coalesce(sum(readings), 0) FROM unclocked").fetchone()[0]


async def status(city, **wanted):
    """The gateway's status, once it says so."""
    async with (
        asyncio.timeout(60),
        aiomqtt.Client(
            "127.0.0.1", city.broker.port, username="operator", password=city.passwords["operator"],
            protocol=aiomqtt.ProtocolVersion.V5,
        ) as client,
    ):  # fmt: skip
        await client.subscribe(topics.up(AREA, "gw-1", "status"), qos=1)
        async for message in client.messages:
            said = json.loads(message.payload)
            if wanted.items() <= said.items():
                return said
    raise AssertionError("not reached")


def test_killed_twice_without_a_clock_nothing_is_lost_and_every_time_is_right(city):
    gateway = city.gateways["gw-1"]

    async def scenario():
        async with city:
            started_ms = time.time_ns() // 1_000_000
            waited = []
            for began in ("1970-01-02", "2024-06-01"):
                gateway.wall(time.mktime(time.strptime(began, "%Y-%m-%d")) - time.time())
                gateway.start()
                if not waited:
                    city.ingest.start()
                said = await status(city, online=True, clock="unset")
                assert said["head"] == 0
                await asyncio.sleep(2)
                await asyncio.to_thread(gateway.kill)
                waited.append(unclocked(city))
                assert city.spool("gw-1")["head"] == 0
            assert 0 < waited[0] < waited[1]
            gateway.start()
            await status(city, clock="unset", online=True)
            set_ms = time.time_ns() // 1_000_000
            gateway.wall(0)
            await status(city, clock="ok", unclocked=0)
            await everybody_sends(city)
            await city.drained()
            await asyncio.to_thread(city.ingest.stop)
            assert_nothing_lost(city)
            assert_values_are_true(city)
            count, oldest_ms = city.rows("SELECT count(*), min(time) FROM readings WHERE time < ?", set_ms)[0]
            assert count >= waited[1]
            assert started_ms <= oldest_ms
            assert_in_order(city)

    asyncio.run(scenario())


def assert_in_order(city):
    """A device's packs have their numbers in the order of its readings: the newest of each pack is newer."""
    newest = [time_ms for (time_ms,) in city.rows("SELECT time FROM packs ORDER BY number")]
    backward = [before - after for before, after in itertools.pairwise(newest) if after < before]
    assert all(by_ms < 2000 for by_ms in backward), backward  # an event overtakes the telemetry of its second


def test_a_clock_that_drifts_and_is_set_while_the_gateway_runs_costs_no_reading(city):
    gateway = city.gateways["gw-1"]
    steps = [DAY_S - 30, -HOUR_S]

    async def scenario():
        gateway.wall(0, " x1.01")
        async with city:
            city.start()
            await settle(city)
            await asyncio.sleep(2)
            said = await status(city, clock="ok", online=True)
            assert said["clock_steps"] == 0
            for count, off_s in enumerate(steps, 1):
                gateway.wall(off_s)
                await status(city, clock_steps=count, clock="ok", online=True)
                await stored_near(city, off_s)
            gateway.wall(0)
            await everybody_sends(city)
            await city.drained()
            await asyncio.to_thread(city.ingest.stop)
            assert_nothing_lost(city)
            assert_values_are_true_at(city, [0, *steps])

    asyncio.run(scenario())


async def stored_near(city, off_s, seconds=60.0):
    """Until a reading is in the database that was stamped by so wrong a clock; what is in memory moves on."""
    deadline = time.monotonic() + seconds
    near = "SELECT 1 FROM readings WHERE abs(time - ?) < 120000 LIMIT 1"
    while not city.rows(near, time.time_ns() // 1_000_000 + off_s * 1000):
        await asyncio.sleep(0.2)
        assert time.monotonic() < deadline, city.gateways["gw-1"].log.read_text()[-2000:]


def assert_values_are_true_at(city, steps):
    """As assert_values_are_true, by one of the clocks that the gateway had."""
    checked, late = 0, []
    for time_ms, pole, device, point, value in city.rows("SELECT time, pole, device, point, value FROM readings"):
        emulated = city.devices.get(f"{pole}/{device}")
        if emulated is None or value is None:
            continue
        times = [time_ms - step * 1000 for step in steps]
        held = [each for at in times for each in emulated.held(point, at, READ_MS)]
        before = [each for at in times for each in emulated.held(point, at - LATE_MS // 2, LATE_MS // 2)]
        if not any(abs(value - each) <= abs(value) * 1e-3 + 1 for each in held):
            late.append((device, point, time_ms, value, held))
            assert any(abs(value - each) <= abs(value) * 1e-3 + 1 for each in before), late[-1]
        checked += 1
    assert_few_are_late(late, checked)
