import asyncio
import time

from gateway.modbus import health
from gateway.modbus.tcp_line import TcpLine
from simulators.device import EmulatedDevice
from simulators.tcp_port import TcpPort
from tests.gateway.modbus.watching import LABELS, Watch, point, polling, port, profile, serial


def test_values_of_all_devices_arrive(tmp_path):
    async def scene():
        model = profile()
        async with port(tmp_path / "bus", model, [1, 2]) as emulated:
            watch = Watch(serial(tmp_path / "bus"), model, [1, 2])
            async with polling(watch):
                await watch.until(lambda: watch.of("P1/d1") and watch.of("P1/d2"))
                emulated.unit(2).devices[0].hold("level", 12.5)
                await watch.until(lambda: len(watch.of("P1/d2")) == 2)
        assert watch.of("P1/d1") == [(10.0, None)]
        assert watch.of("P1/d2") == [(10.0, None), (12.5, None)]
        assert all(unit.memory.slowest > 0.001 for unit in watch.poller.units.values()), "kept for the next start"

    asyncio.run(scene())


def test_a_dead_device_costs_the_others_at_most_its_share(tmp_path, monkeypatch):
    monkeypatch.setattr(health, "PROBE_FIRST_S", 0.01)  # the share alone decides, and soon
    monkeypatch.setattr("gateway.modbus.unanswered.LATE_MOST_S", 0.3)

    async def scene():
        model = profile()
        units = [1, 2, 3, 4]
        async with port(tmp_path / "bus", model, units) as emulated:
            emulated.unit(2).faults.silent = True
            emulated.unit(3).faults.silent = True
            watch = Watch(serial(tmp_path / "bus"), model, units)
            async with polling(watch):
                began = time.monotonic()
                await watch.until(lambda: len(watch.logged("no answer")) == 2)
                asked = watch.bus.counters.requests - watch.bus.counters.timeouts
                await asyncio.sleep(4)
                passed, timeouts = time.monotonic() - began, watch.bus.counters.timeouts
                asked = watch.bus.counters.requests - timeouts - asked
        each_s = watch.poller.lost_s / timeouts
        assert each_s >= 0.3
        # a backoff that begins at 0.01 s would ask each of them nine times in that time
        assert timeouts <= 0.05 * passed / 0.3 + 2 * (health.CREDIT + 1) + 1
        assert watch.poller.lost_s <= 0.05 * passed + 2 * (health.CREDIT + 2) * each_s
        assert asked >= 20  # of 80: units 1 and 4 are polled as ever
        assert watch.of("P1/d2") == [(None, "timeout")]

    asyncio.run(scene())


def test_a_dead_unit_leaves_the_same_unit_of_another_bus_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.modbus.unanswered.LATE_MOST_S", 0.3)

    async def scene():
        model = profile()
        async with port(tmp_path / "a", model, [1, 2]) as bus_a, port(tmp_path / "b", model, [1]) as bus_b:
            bus_a.unit(1).faults.silent = True
            one, other = Watch(serial(tmp_path / "a"), model, [1, 2]), Watch(serial(tmp_path / "b"), model, [1])
            async with polling(one, other):
                await one.until(lambda: one.logged("no answer"))
                asked = bus_b.unit(1).requests
                await asyncio.sleep(1)
                asked = bus_b.unit(1).requests - asked
        assert other.of("P1/d1") == [(10.0, None)]
        assert other.bus.counters.timeouts == 0
        assert other.logs.entries == []
        assert asked >= 8  # of ten

    asyncio.run(scene())


def test_a_device_that_comes_back_is_read_again_and_each_change_is_logged_once(tmp_path, monkeypatch):
    monkeypatch.setattr(health, "DEAD_BUS_SHARE", 0.9)
    monkeypatch.setattr("gateway.modbus.unanswered.LATE_MOST_S", 0.3)

    async def scene():
        model = profile()
        async with port(tmp_path / "bus", model, [5]) as emulated:
            watch = Watch(serial(tmp_path / "bus"), model, [5])
            async with polling(watch):
                await watch.until(lambda: watch.of("P1/d5"))
                emulated.unit(5).faults.silent = True
                await watch.until(lambda: watch.bus.counters.timeouts >= 4)
                emulated.unit(5).faults.silent = False
                await watch.until(lambda: len(watch.of("P1/d5")) == 3)
        assert watch.of("P1/d5") == [(10.0, None), (None, "timeout"), (10.0, None)]
        assert [entry["event"] for entry in watch.logs.entries] == ["no answer", "answers again"]
        line = watch.logs.entries[0]
        assert {key: line[key] for key in ("pole", "bus", "unit", "profile", "error")} == {
            "pole": "P1", "bus": "bus-1", "unit": 5, "profile": "probe", "error": "no answer"
        }  # fmt: skip
        assert line["since"]

    asyncio.run(scene())


def test_qualities_of_a_wrong_checksum_an_exception_garbage_and_a_value_out_of_range(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.modbus.unanswered.LATE_MOST_S", 0.3)

    async def scene():
        model = profile(points={"level": point(0, range=[0, 50])})
        async with port(tmp_path / "bus", model, [1, 2, 3, 4]) as emulated:
            emulated.unit(1).faults.corrupt = True
            emulated.unit(2).faults.exception = 2
            emulated.unit(3).faults.garbage = True
            emulated.unit(4).devices[0].hold("level", 51.0)
            watch = Watch(serial(tmp_path / "bus"), model, [1, 2, 3, 4])
            async with polling(watch):
                await watch.until(lambda: len({reading[0] for reading in watch.told}) == 4)
                await watch.until(lambda: len(watch.logged("no answer")) == 2)
                emulated.unit(2).heal()
                await watch.until(lambda: len(watch.of("P1/d2")) == 2)
        assert watch.of("P1/d1") == [(None, "crc")]
        assert watch.of("P1/d2") == [(None, "exception-2"), (10.0, None)]
        assert watch.of("P1/d3") == [(None, "crc")]
        assert watch.of("P1/d4") == [(None, "range")]
        assert [entry["unit"] for entry in watch.logged("block refused")] == [2]
        assert [entry["unit"] for entry in watch.logged("block answers again")] == [2]

    asyncio.run(scene())


def test_a_failed_block_loses_its_own_points_alone(tmp_path):
    """The second block lies where the device, made from a smaller profile, has no registers."""

    async def scene():
        whole = profile(points={"level": point(0), "far": point(500)})
        async with port(tmp_path / "bus", profile(), [1]):
            watch = Watch(serial(tmp_path / "bus"), whole, [1])
            async with polling(watch):
                await watch.until(lambda: len(watch.told) == 2)
        assert watch.of("P1/d1", "level") == [(10.0, None)]
        assert watch.of("P1/d1", "far") == [(None, "exception-2")]

    asyncio.run(scene())


def test_a_block_that_never_answers_is_asked_rarely_and_its_neighbour_as_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.modbus.unanswered.LATE_MOST_S", 0.3)

    async def scene():
        model = profile(points={"level": point(0), "far": point(500)})
        async with port(tmp_path / "bus", model, [1]) as emulated:
            emulated.unit(1).faults.mute = frozenset({("holding", 500)})
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                await watch.until(lambda: watch.logged("block without an answer"))
                timeouts, asked = watch.bus.counters.timeouts, watch.bus.counters.requests
                await asyncio.sleep(2)
                timeouts, asked = watch.bus.counters.timeouts - timeouts, watch.bus.counters.requests - asked
        assert timeouts == 0
        assert asked >= 15
        assert watch.of("P1/d1", "level") == [(10.0, None)]
        assert watch.of("P1/d1", "far") == [(None, "timeout")]
        assert watch.logged("no answer") == []

    asyncio.run(scene())


def test_a_port_that_vanishes_and_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.serial_port.REOPEN_MOST_S", 0.2)

    async def scene():
        model = profile()
        async with port(tmp_path / "bus", model, [1, 2]) as emulated:
            watch = Watch(serial(tmp_path / "bus"), model, [1, 2])
            async with polling(watch):
                await watch.until(lambda: len(watch.told) == 2)
                emulated.vanish()
                await watch.until(lambda: len(watch.told) == 4)
                await asyncio.sleep(0.5)
                emulated.restore()
                await watch.until(lambda: len(watch.told) == 6)
        assert watch.of("P1/d1") == watch.of("P1/d2") == [(10.0, None), (None, "timeout"), (10.0, None)]
        assert [entry["event"] for entry in watch.logs.entries] == ["bus down", "bus up again"]
        assert str(tmp_path / "bus") in watch.logged("bus down")[0]["error"]

    asyncio.run(scene())


def test_tcp_values_a_silent_unit_and_a_peer_that_goes_and_returns(monkeypatch):
    monkeypatch.setattr("gateway.modbus.tcp_line.RECONNECT_MOST_S", 0.2)

    async def scene():
        model = profile()
        devices = [EmulatedDevice(profile=model, pole="P1", name=f"d{unit}", unit=unit) for unit in (1, 2)]
        async with TcpPort(devices=devices) as emulated:
            emulated.unit(2).faults.silent = True
            watch = Watch(TcpLine(host="127.0.0.1", port=emulated.port), model, [1, 2, 3])
            async with polling(watch):
                await watch.until(lambda: len(watch.told) == 3)
                await emulated.vanish()
                await watch.until(lambda: watch.logged("bus down") and len(watch.of("P1/d1")) == 2)
                await emulated.restore()
                await watch.until(lambda: watch.logged("bus up again") and len(watch.of("P1/d1")) == 3)
        assert watch.of("P1/d1") == [(10.0, None), (None, "timeout"), (10.0, None)]
        assert watch.of("P1/d2") == [(None, "timeout")]
        assert watch.of("P1/d3")[0] == (None, "exception-11")  # a gateway's word for nobody there

    asyncio.run(scene())


def test_changes_of_an_event_point_do_not_wait(tmp_path):
    async def scene():
        cover = {"labels": LABELS, "poll": "fast", "event": True, "at": {"table": "discrete", "address": 3}}
        model = profile(
            points={"level": point(0), "cover": {**cover, "emulate": {"around": 0}}},
            polls={"fast": {"every": "50ms", "silence": "200ms"}},
        )
        async with port(tmp_path / "bus", model, [1]) as emulated:
            watch = Watch(serial(tmp_path / "bus"), model, [1])
            async with polling(watch):
                await watch.until(lambda: len(watch.of("P1/d1", "cover")) == 3)
                emulated.unit(1).devices[0].hold("cover", True)
                await watch.until(lambda: (True, None) in watch.of("P1/d1", "cover"))
        covers = [(value, event) for _, key, _, value, _, event in watch.told if key == "cover"]
        assert covers[:3] == [(False, True), (False, False), (False, False)]  # first, then told again in silence
        assert covers[-1] == (True, True)
        assert not any(event for _, key, *_, event in watch.told if key == "level")

    asyncio.run(scene())


def test_short_periods_do_not_starve_long_ones_on_a_bus_that_cannot_carry_both(tmp_path):
    async def scene():
        model = profile(
            points={"level": point(0), "far": point(500, poll="slow")},
            polls={"fast": {"every": "1ms", "silence": "1h"}, "slow": {"every": "300ms", "silence": "1ms"}},
        )
        async with port(tmp_path / "bus", model, [1, 2, 3]):
            watch = Watch(serial(tmp_path / "bus"), model, [1, 2, 3])
            async with polling(watch):
                await watch.until(lambda: watch.of("P1/d3", "far"))
                await asyncio.sleep(2)
        for unit in (1, 2, 3):
            assert len(watch.of(f"P1/d{unit}", "far")) >= 5
        assert watch.poller.missed > 10

    asyncio.run(scene())
