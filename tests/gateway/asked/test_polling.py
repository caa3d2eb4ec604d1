import asyncio

import pytest

from device_profiles.registers import NoValue
from gateway.asked import polling
from gateway.asked.polling import Polling
from protocols import errors
from tests.gateway.probe import LABELS, Watch, device, point, profile, running

POINTS = {
    "power": point("a", item={"scale": 0.1}, range=[0, 100]),
    "alive": point("b", item={"type": "bool"}, event=True),
    "name": point("c", item={"type": "text"}, poll="slow"),
}
POLLS = {"fast": {"every": "50ms", "silence": "1h"}, "slow": {"every": "200ms", "silence": "1h"}}
SET = {
    "labels": LABELS, "args": {"power": {"labels": LABELS, "range": [0, 100]}}, "item": {"name": "a", "scale": 0.1},
    "read_back": "power",
}  # fmt: skip


class Devices:
    """Answers of some devices: what they hold, or what they raise."""

    one_by_one = False

    def __init__(self, **holds):
        self.holds = holds
        self.asked = []
        self.closed = False

    async def ask(self, address, names):
        self.asked.append((address, tuple(names)))
        held = self.holds[address]
        if isinstance(held, Exception):
            raise held
        if held == "hangs":
            await asyncio.Event().wait()
        return {name: held[name] for name in names if name in held}

    async def tell(self, address, name, raw, *, before):
        held = self.holds[address]
        if isinstance(held, Exception):
            raise held
        before()
        held[name] = raw

    async def close(self):
        self.closed = True


def good():
    return {"a": 123, "b": True, "c": "one"}


def start(devices, *, model=None):
    model = model or profile(POINTS, polls=POLLS, commands={"set": SET})
    known = [device(f"d-{address}", address) for address in devices.holds]
    watch = Watch({"probe": model}, known)
    return watch, Polling(asker=devices, **watch.options), known


def test_values_of_each_group_arrive_and_events_are_marked():
    async def scene():
        devices = Devices(x=good())
        watch, driver, _ = start(devices)
        async with running(driver):
            await watch.until(lambda: watch.of("P1/d-x", "name"))
            devices.holds["x"]["b"] = False
            await watch.until(lambda: len(watch.of("P1/d-x", "alive")) == 2)
        assert watch.of("P1/d-x", "power") == [(12.3, None)]
        assert watch.of("P1/d-x", "name") == [("one", None)]
        assert [(each[3], each[5]) for each in watch.told if each[1] == "alive"] == [(True, True), (False, True)]
        assert {names for _, names in devices.asked} == {("a", "b"), ("c",)}
        assert devices.closed

    asyncio.run(scene())


def test_what_cannot_be_read_has_a_quality_and_no_value():
    async def scene():
        devices = Devices(x={"a": 5000, "b": errors.Refused(7, "no"), "c": b"\xff"})
        watch, driver, _ = start(devices)
        async with running(driver):
            await watch.until(lambda: watch.of("P1/d-x", "name"))
            del devices.holds["x"]["a"]
            await watch.until(lambda: len(watch.of("P1/d-x", "power")) == 2)
        assert watch.of("P1/d-x", "power") == [(None, "range"), (None, "disabled")]
        assert watch.of("P1/d-x", "alive") == [(None, "exception-7")]
        assert watch.of("P1/d-x", "name") == [(None, "range")]

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("error", "quality"),
    [
        (errors.Timeout("no answer"), "timeout"),
        (errors.BadAnswer("crc", "wrong"), "crc"),
        (errors.LineDown("gone"), "timeout"),
        (errors.Refused(2, "no"), "exception-2"),
        (KeyError("what a parser trips over"), "crc"),
        (RecursionError("deep"), "crc"),
    ],
)
def test_a_device_that_fails_is_told_once_named_in_the_log_and_asked_rarely(error, quality, monkeypatch):
    monkeypatch.setattr(polling, "PROBE_FIRST_S", 0.3)
    monkeypatch.setattr(polling, "PROBE_MOST_S", 0.3)

    async def scene():
        devices = Devices(x=error, y=good())
        watch, driver, _ = start(devices)
        async with running(driver):
            await watch.until(lambda: watch.logged("no answer"))
            devices.asked.clear()
            began = asyncio.get_running_loop().time()
            await watch.until(lambda: len([at for at, _ in devices.asked if at == "y"]) >= 20)
            probes = 1 + (asyncio.get_running_loop().time() - began) / 0.15  # a wait is at least half of 0.3 s
            assert len([at for at, _ in devices.asked if at == "x"]) <= probes
            devices.holds["x"] = good()
            await watch.until(lambda: watch.logged("answers again"))
            await watch.until(lambda: len(watch.of("P1/d-x", "power")) == 2)
        assert watch.of("P1/d-x", "power") == [(None, quality), (12.3, None)]
        assert watch.of("P1/d-y", "power") == [(12.3, None)]
        (said,) = watch.logged("no answer")
        assert {key: said[key] for key in ("pole", "bus", "address", "profile")} == {
            "pole": "P1", "bus": "bus-1", "address": "x", "profile": "probe"
        }  # fmt: skip
        assert str(error.args[0]) in said["error"]
        assert driver.counters.timeouts + driver.counters.errors >= 3

    asyncio.run(scene())


def test_a_device_that_hangs_keeps_no_other_waiting_and_is_given_up(monkeypatch):
    monkeypatch.setattr(polling, "ASK_S", 2.0)

    async def scene():
        devices = Devices(x="hangs", y=good())
        watch, driver, _ = start(devices)
        async with running(driver):
            await watch.until(lambda: watch.of("P1/d-y", "power"))
            assert not watch.of("P1/d-x", "power")
            await watch.until(lambda: watch.of("P1/d-x", "power"))
        assert watch.of("P1/d-x", "power") == [(None, "timeout")]
        assert driver.counters.timeouts >= 1

    asyncio.run(scene())


def test_a_slow_device_misses_rounds_and_no_queue_grows():
    class Slow(Devices):
        async def ask(self, address, names):
            await asyncio.sleep(0.2)
            return await super().ask(address, names)

    async def scene():
        devices = Slow(x=good())
        _, driver, _ = start(devices)
        async with running(driver):
            await asyncio.sleep(1.0)
        assert len(devices.asked) <= 6
        assert driver.missed >= 4

    asyncio.run(scene())


def test_items_that_are_exchanges_of_their_own_each_get_their_time_and_a_dead_device_is_not_asked_for_all():
    class OneByOne(Devices):
        one_by_one = True

        async def ask(self, address, names):
            await asyncio.sleep(0.05)
            return await super().ask(address, names)

    many = {f"p{number}": point(f"i{number}") for number in range(6)}

    async def scene():
        devices = OneByOne(
            x={f"i{number}": number for number in range(6) if number != 2}, y=errors.Timeout("no answer")
        )
        devices.holds["x"]["i2"] = errors.Timeout("no answer")
        watch, driver, _ = start(devices, model=profile(many, polls={"fast": {"every": "10s"}}))
        async with running(driver):
            await watch.until(lambda: len(watch.told) == 12)
        return watch, devices

    watch, devices = asyncio.run(scene())
    times = [each[2] for each in watch.told if each[0] == "P1/d-x"]
    assert times[-1] - times[0] >= 200
    assert [each[4] for each in watch.told if each[0] == "P1/d-x"] == [None, None, "timeout", None, None, None]
    assert [each[4] for each in watch.told if each[0] == "P1/d-y"] == ["timeout"] * 6
    assert [names for address, names in devices.asked if address == "y"] == [("i0",), ("i1",)]


def test_a_command_is_told_and_read_back():
    async def scene():
        devices = Devices(x=good())
        _, driver, (known,) = start(devices)
        command = profile(POINTS, polls=POLLS, commands={"set": SET}).commands["set"]
        calls = []
        await driver.write(known, command, 25.0, lambda: calls.append(1))
        assert calls == [1]
        assert devices.holds["x"]["a"] == 250
        assert await driver.read(known, "power") == 25.0
        devices.holds["x"]["a"] = 9999
        with pytest.raises(NoValue):
            await driver.read(known, "power")
        del devices.holds["x"]["a"]
        with pytest.raises(errors.BadAnswer, match="does not hold a"):
            await driver.read(known, "power")

    asyncio.run(scene())


def test_what_in_time_raises_keeps_the_command_from_the_device():
    async def scene():
        devices = Devices(x=good())
        _, driver, (known,) = start(devices)
        command = profile(POINTS, polls=POLLS, commands={"set": SET}).commands["set"]

        def too_late():
            raise TimeoutError("expired")

        with pytest.raises(TimeoutError):
            await driver.write(known, command, 25.0, too_late)
        assert devices.holds["x"] == good()

    asyncio.run(scene())


def test_a_device_whose_item_says_that_it_is_silent_is_false_and_asked_rarely(monkeypatch):
    monkeypatch.setattr(polling, "PROBE_FIRST_S", 0.3)
    monkeypatch.setattr(polling, "PROBE_MOST_S", 0.3)
    points = {
        "reachable": point("reachable", item={"type": "bool"}, event=True),
        "power": point("a", range=[0, 100]),
        "name": point("c", item={"type": "text"}, poll="slow"),
    }

    async def scene():
        devices = Devices(x={"reachable": True, "a": 7, "c": "one"})
        watch, driver, _ = start(devices, model=profile(points, polls=POLLS))
        async with running(driver):
            await watch.until(lambda: watch.of("P1/d-x", "name"))
            devices.holds["x"] = {
                "reachable": False,
                "a": errors.Timeout("no answer"),
                "c": errors.Timeout("no answer"),
            }
            await watch.until(lambda: (None, "timeout") in watch.of("P1/d-x", "name"))
            await asyncio.sleep(0.5)
            before = len(devices.asked)
            await asyncio.sleep(0.6)
            assert len(devices.asked) - before <= 6  # of 15 rounds
            devices.holds["x"] = {"reachable": True, "a": 8, "c": "two"}
            await watch.until(lambda: ("two", None) in watch.of("P1/d-x", "name"))
        assert watch.of("P1/d-x", "reachable") == [(True, None), (False, None), (True, None)]
        assert watch.of("P1/d-x", "power") == [(7, None), (None, "timeout"), (8, None)]
        assert driver.counters.timeouts >= 3
        assert [entry["event"] for entry in watch.logs.entries] == ["no answer", "answers again"]

    asyncio.run(scene())


def test_a_group_that_is_never_answered_takes_no_other_with_it(monkeypatch):
    monkeypatch.setattr(polling, "PROBE_FIRST_S", 0.2)
    monkeypatch.setattr(polling, "PROBE_MOST_S", 5.0)

    class HalfDead(Devices):
        async def ask(self, address, names):
            self.asked.append((address, tuple(names)))
            if "c" not in names and not self.holds[address]["b"]:
                raise errors.Timeout("no answer")
            self.holds[address]["c"] += "."
            return self.holds[address]

    async def scene():
        devices = HalfDead(x=good() | {"b": False})
        watch, driver, _ = start(devices)
        async with running(driver):
            await asyncio.sleep(3.0)
            told = [value for value, _ in watch.of("P1/d-x", "name")]
            assert len(told) >= 10, "every 200 ms another text"
            assert None not in told
            assert watch.of("P1/d-x", "power") == [(None, "timeout")]
            assert sum(names == ("a", "b") for _, names in devices.asked) < 15, "it is asked rarely"
            assert [entry["group"] for entry in watch.logged("group without an answer")] == ["fast"]
            devices.holds["x"]["b"] = True
            await watch.until(lambda: watch.of("P1/d-x", "power")[-1:] == [(12.3, None)])
            assert [entry["group"] for entry in watch.logged("group answers again")] == ["fast"]
        assert len(watch.logged("no answer")) <= 1

    asyncio.run(scene())
