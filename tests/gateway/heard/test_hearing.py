import asyncio
import time

import pytest

from gateway.clock import AHEAD_MS, BEHIND_MS
from gateway.heard import hearing
from gateway.heard.hearing import Hearing
from protocols import errors
from tests.gateway.probe import LABELS, Watch, device, point, profile, running

POINTS = {
    "level": point("a", item={"decimals": 1}, deadband=1),
    "open": point("b", item={"type": "bool"}, event=True, poll="state"),
}
POLLS = {"fast": {"every": "200ms", "silence": "1h"}, "state": {"every": "1h", "silence": "1h"}}
START = {"labels": LABELS, "args": {}, "item": {"name": "start"}, "read_back": "open", "expect": True}


class Devices:
    """A Listener that says what a test wants it to say."""

    def __init__(self):
        self.heard = None
        self.told = []

    async def run(self, heard, durable):
        self.heard = heard
        await asyncio.Event().wait()

    async def tell(self, address, name, raw, *, before):
        before()
        if address == "gone":
            raise errors.LineDown("the device is not connected")
        self.told.append((address, name, raw))

    async def close(self):
        pass


def start(*addresses):
    model = profile(POINTS, polls=POLLS, commands={"start": START}, protocol="chirpstack")
    known = [device(f"d-{address}", address) for address in addresses]
    watch = Watch({"probe": model}, known)
    devices = Devices()
    return watch, devices, Hearing(listener=devices, **watch.hearing), known, model


def now_ms():
    return time.time_ns() // 1_000_000


def test_what_is_heard_is_told_and_a_repeated_value_is_not():
    async def scene():
        watch, devices, driver, _, _ = start("X1")
        async with running(driver):
            await watch.until(lambda: devices.heard)
            for value in (10, 10.5, 12):
                devices.heard("x1", {"a": value, "unknown": 3}, None)
            devices.heard("X1", {"b": True}, None)
        assert watch.of("P1/d-X1", "level") == [(10, None), (12, None)]
        assert [(each[1], each[3], each[5]) for each in watch.told][-1] == ("open", True, True)

    asyncio.run(scene())


def test_a_group_that_falls_silent_is_told_once_and_the_other_is_not():
    async def scene():
        watch, devices, driver, _, _ = start("x", "y")
        async with running(driver):
            await watch.until(lambda: devices.heard)
            devices.heard("x", {"a": 10, "b": True}, None)
            await watch.until(lambda: watch.of("P1/d-x", "level")[-1:] == [(None, "timeout")])
            devices.heard("x", {"a": 10}, None)
            await asyncio.sleep(0)
        assert watch.of("P1/d-x", "level") == [(10, None), (None, "timeout"), (10, None)]
        assert watch.of("P1/d-x", "open") == [(True, None)]
        assert watch.of("P1/d-y", "level") == [(None, "timeout")]
        assert watch.of("P1/d-y", "open") == []
        assert {entry["address"] for entry in watch.logged("not heard")} == {"x", "y"}

    asyncio.run(scene())


def test_an_item_that_is_an_error_gets_its_quality():
    async def scene():
        watch, devices, driver, _, _ = start("x")
        async with running(driver):
            await watch.until(lambda: devices.heard)
            devices.heard("x", {"a": errors.Refused(0, "in maintenance")}, None)
        assert watch.of("P1/d-x", "level") == [(None, "disabled")]

    asyncio.run(scene())


def test_the_device_s_own_time_is_kept_and_what_it_sends_again_is_told_whatever_was_told_since():
    async def scene():
        watch, devices, driver, _, _ = start("x")
        sent = now_ms() - 60_000
        async with running(driver):
            await watch.until(lambda: devices.heard)
            devices.heard("x", {"a": 10}, sent)
            for minute in (2, 3):
                devices.heard("x", {"a": 10}, sent - minute * 60_000)
            devices.heard("x", {"a": 10}, sent)
        assert [each[2] for each in watch.told] == [sent, sent - 120_000, sent - 180_000]

    asyncio.run(scene())


@pytest.mark.parametrize("off_ms", [AHEAD_MS + 60_000, -BEHIND_MS - 60_000, -(10**15)])
def test_a_clock_that_is_certainly_wrong_is_not_believed_and_said_once(off_ms):
    async def scene():
        watch, devices, driver, _, _ = start("x")
        async with running(driver):
            await watch.until(lambda: devices.heard)
            for value in (10, 20):
                devices.heard("x", {"a": value}, now_ms() + off_ms)
        assert all(abs(each[2] - now_ms()) < 5000 for each in watch.told)
        assert len(watch.told) == 2
        assert len(watch.logged("clock of the device is wrong: ours is taken")) == 1

    asyncio.run(scene())


def test_while_our_clock_is_unset_a_device_s_time_is_kept_to_be_judged_later_and_nonsense_is_not():
    async def scene():
        watch, devices, driver, _, _ = start("x")
        driver._now_ms = lambda: 3_600_000  # since the start of the machine
        sent = now_ms() - 60_000
        async with running(driver):
            await watch.until(lambda: devices.heard)
            for value, told_ms in ((10, sent), (20, None), (30, 1000), (40, sent - 120_000)):
                devices.heard("x", {"a": value}, told_ms)
        assert [each[2] for each in watch.told] == [sent, 3_600_000, 3_600_000, sent - 120_000]
        assert not watch.logged("clock of the device is wrong: ours is taken")

    asyncio.run(scene())


def test_a_stranger_is_logged_once_and_a_flood_of_them_takes_no_memory():
    async def scene():
        watch, devices, driver, _, _ = start("x")
        async with running(driver):
            await watch.until(lambda: devices.heard)
            for number in range(3 * hearing.STRANGERS):
                devices.heard(f"stranger-{number}", {"a": 1}, None)
                devices.heard("stranger-0", {"a": 1}, None)
        assert watch.told == []
        assert len(watch.logged("a device that the site file does not name")) == hearing.STRANGERS
        assert len(driver._strangers) == hearing.STRANGERS
        assert driver.counters.errors == 6 * hearing.STRANGERS

    asyncio.run(scene())


def test_a_command_is_read_back_from_what_is_heard_after_it():
    async def scene():
        watch, devices, driver, (known,), model = start("x")
        async with running(driver):
            await watch.until(lambda: devices.heard)
            devices.heard("x", {"b": True}, None)
            await asyncio.sleep(0.01)
            await driver.write(known, model.commands["start"], None, lambda: None)
            assert devices.told == [("x", "start", None)]
            with pytest.raises(errors.Timeout, match="has not told open since"):
                await driver.read(known, "open")
            devices.heard("x", {"b": True}, None)
            assert await driver.read(known, "open") is True

    asyncio.run(scene())


def test_a_command_to_a_device_that_is_not_connected_fails():
    async def scene():
        _, _, driver, (known,), model = start("gone")
        with pytest.raises(errors.LineDown):
            await driver.write(known, model.commands["start"], None, lambda: None)
        assert (driver.counters.requests, driver.counters.errors) == (1, 1)

    asyncio.run(scene())


def test_connections_that_end_with_the_gateway_are_no_news_of_the_devices():
    class Ending(Devices):
        async def run(self, heard, durable):
            try:
                await super().run(heard, durable)
            finally:
                heard("x", {"b": False}, None)

    async def scene():
        watch, _, _, _, _ = start("x")
        devices = Ending()
        async with running(Hearing(listener=devices, **watch.hearing)):
            await watch.until(lambda: devices.heard)
            devices.heard("x", {"b": True}, None)
        assert watch.of("P1/d-x", "open") == [(True, None)]

    asyncio.run(scene())


def test_a_clock_that_is_ahead_hides_no_silence_behind_a_value_of_the_future():
    async def scene():
        watch, devices, driver, _, _ = start("x")
        async with running(driver):
            await watch.until(lambda: devices.heard)
            devices.heard("x", {"a": 10}, now_ms() + 200_000)
            await watch.until(lambda: watch.of("P1/d-x", "level")[-1:] == [(None, "timeout")])
            await asyncio.sleep(2.2)
        assert watch.of("P1/d-x", "level") == [(10, None), (None, "timeout")]
        first, last = (each[2] for each in watch.told if each[1] == "level")
        assert first < last <= now_ms()

    asyncio.run(scene())


def test_a_clock_of_the_gateway_that_is_set_back_is_no_reason_to_tell_all_again():
    async def scene():
        watch, devices, driver, _, _ = start("x")
        async with running(driver):
            await watch.until(lambda: devices.heard)
            devices.heard("x", {"a": 10}, None)
            driver._now_ms = lambda: now_ms() - 3_600_000
            for _ in range(5):
                devices.heard("x", {"a": 10}, None)
            await watch.until(lambda: watch.of("P1/d-x", "level")[-1:] == [(None, "timeout")])
            await asyncio.sleep(2.2)
        assert watch.of("P1/d-x", "level") == [(10, None), (None, "timeout")]

    asyncio.run(scene())


def test_a_command_that_expired_while_it_waited_does_not_leave():
    class Expired(Exception):
        pass

    def too_late():
        raise Expired

    async def scene():
        _, devices, driver, (known,), model = start("x")
        with pytest.raises(Expired):
            await driver.write(known, model.commands["start"], None, too_late)
        assert devices.told == []

    asyncio.run(scene())
