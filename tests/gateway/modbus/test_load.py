"""What `pole bus plan` says of a bus against what the poller makes of it, and how the gateway tells that both part.

In virtual time, so that hours pass in seconds and nothing but the plan is measured; the line takes the time that the
cost model says. The same on a real line is bench/ (docs/bus.md has its figures).
"""

import asyncio
import contextlib
import re
import statistics

import pytest
import structlog

from bench.mixes import MIXES, places, with_periods
from device_profiles import bus_load, loader
from device_profiles.bus_time import Line
from device_profiles.site_model import Device
from gateway.modbus.bus import Bus
from gateway.modbus.learned import Learned
from gateway.modbus.load import Load
from gateway.modbus.poller import Poller
from tests.gateway.modbus.virtual_line import VirtualLine, run

BUSES = {  # name -> (profiles by unit, baud)
    "the demo's": (MIXES["demo bus"], 9600),
    "one pole": (MIXES["demo pole"], 9600),
    "32 units that fit": (MIXES["32 units"], 9600),
    "alike events, too many": (40 * ("wp8028adam",), 9600),
    "meters, too many": (25 * ("sdm120",), 2400),
    "32 units, too slow a line": (MIXES["32 units"], 2400),
    "events and too many meters": (4 * ("wp8028adam",) + 25 * ("sdm120",), 2400),
    "too many events and meters": (20 * ("wp8028adam",) + 25 * ("sdm120",), 2400),
    "chargers, too many": (30 * ("phoenix-ac1m",), 9600),
}


class Virtual:
    """A bus in virtual time; told: (pole/device, point) -> when."""

    def __init__(self, names, baud=9600, dead_share=0.05):
        profiles = {name: with_periods(profile, 1.0) for name, profile in loader.profiles().items()}
        spots = places(names, profiles)
        self.devices = [
            Device(pole="P1", device=spot.name, profile=spot.profile.profile, bus="b", unit=spot.unit,
                   channel=spot.channel)
            for spot in spots
        ]  # fmt: skip
        times = Line(baud=baud)
        self.line = VirtualLine(times, {spot.unit: spot.profile.modbus.latency for spot in spots})
        self.bus = Bus(name="b", line=self.line)
        self.units = bus_load.polled(self.devices, profiles, times)
        self.told = {}
        self.logs = structlog.testing.LogCapture()
        log = structlog.wrap_logger(None, processors=[self.logs])
        self.poller = Poller(
            bus=self.bus, devices=self.devices, profiles=profiles, dead_share=dead_share, learned=Learned(),
            on_readings=self._take, now_ms=lambda: 0, log=log,
        )  # fmt: skip
        self.load = Load(bus=self.bus, poller=self.poller, log=log)

    def _take(self, readings, event):
        now = asyncio.get_running_loop().time()
        for device, point, *_ in readings:
            self.told.setdefault((device, point), []).append(now)

    @contextlib.asynccontextmanager
    async def running(self):
        tasks = [asyncio.create_task(self.poller.run()), asyncio.create_task(self.load.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended

    def period(self, unit, share):
        """The mean real period of a group of a unit."""
        device = unit.devices[0]
        point = next(name for name, point in unit.profile.points.items() if point.poll == share.name)
        times = self.told[f"{device.pole}/{device.device}", point]
        return (times[-1] - times[0]) / (len(times) - 1)

    def said(self):
        return [(entry["log_level"], entry["event"]) for entry in self.logs.entries if "plan" in entry["event"]]

    def because(self):
        return [entry["because"] for entry in self.logs.entries if "because" in entry]


@pytest.mark.parametrize("name", BUSES)
def test_real_periods_and_the_load_are_those_of_the_plan(name):
    names, baud = BUSES[name]
    virtual = Virtual(names, baud)
    pace = bus_load.pace(virtual.units)

    async def play():
        async with virtual.running():
            await asyncio.sleep(300)

    run(play())
    ratios = {}
    for unit in virtual.units:
        for share in unit.shares:
            if pace.period(share) <= 100:
                ratio = virtual.period(unit, share) / pace.period(share)
                ratios.setdefault((unit.profile.profile, share.name), []).append(ratio)
    means = {key: round(statistics.mean(each), 3) for key, each in ratios.items()}

    assert all(0.85 < mean < 1.15 for mean in means.values()), means
    assert virtual.load.actual == pytest.approx(min(1.0, virtual.load.planned), abs=0.05)
    assert virtual.said() == []


def play_faults(virtual, *, before=90, change=lambda: None, during=90, mend=lambda: None, after=300):
    """How the virtual bus is told in three stretches of time, in seconds."""

    async def play():
        async with virtual.running():
            await asyncio.sleep(before)
            assert virtual.said() == []
            change()
            await asyncio.sleep(during)
            mend()
            await asyncio.sleep(after)

    run(play())


PARTED = ("warning", "the bus does not keep to its plan")
TOGETHER = ("info", "the bus keeps to its plan again")


def test_a_unit_that_has_become_slow_is_named_once_and_again_when_it_is_quick():
    virtual = Virtual(10 * ("wp8028adam",))

    def slow():
        virtual.line.latencies[3] = 0.2

    def quick():
        virtual.line.latencies[3] = 0.02

    play_faults(virtual, change=slow, during=300, mend=quick)
    assert virtual.said() == [PARTED, TOGETHER]
    (reason,) = virtual.because()
    slow_ms = int(re.fullmatch(r"unit 3 \(wp8028adam\) answers after (\d+) ms, its profile says 20 ms", reason)[1])
    assert 20 < slow_ms <= 200, "the mean of that minute"


def test_units_that_answer_later_than_their_profiles_say_are_not_named_one_by_one():
    virtual = Virtual(12 * ("wp8028adam",))

    def slow():
        virtual.line.latencies |= dict.fromkeys(range(1, 13), 0.04)

    play_faults(virtual, change=slow, during=200)
    assert virtual.said() == [PARTED]
    (reason,) = virtual.because()
    assert reason.startswith("all units answer")


def test_requests_without_an_answer_are_the_reason_where_they_are():
    virtual = Virtual(10 * ("wp8028adam",), dead_share=0.5)
    play_faults(
        virtual, change=lambda: virtual.line.flaky.update((5, 6, 7)), during=240, mend=virtual.line.flaky.clear
    )  # fmt: skip
    assert virtual.said() == [PARTED, TOGETHER]
    (reasons,) = virtual.because()
    for unit in (5, 6, 7):
        assert f"unit {unit} (wp8028adam) did not answer" in reasons


def test_a_silent_unit_on_a_bus_with_room_is_counted_and_no_reason_for_a_word():
    virtual = Virtual(10 * ("wp8028adam",))
    figures = []

    def fail():
        virtual.line.silent |= {5}

    def look():
        figures.append(virtual.load.figures())
        virtual.line.silent.clear()

    play_faults(virtual, change=fail, during=90, mend=look)  # later a minute may have no request to it
    assert figures[0]["silent"] == 1
    assert 0 < figures[0]["lost_share"] <= 6
    assert figures[0]["load"] <= figures[0]["planned_load"] + 6
    assert virtual.load.figures()["silent"] == 0
    assert virtual.said() == []


def test_commands_that_fill_a_bus_are_named():
    virtual = Virtual(10 * ("wp8028adam",))

    async def command():
        while True:
            with contextlib.suppress(Exception):
                await virtual.bus.transact(1, b"\x02\x00\x00\x00\x08", 0.3, urgent=True)
            await asyncio.sleep(0.02)

    tasks = []
    play_faults(
        virtual,
        change=lambda: tasks.append(asyncio.create_task(command())),
        during=120,
        mend=lambda: tasks[0].cancel(),
    )
    assert virtual.said() == [PARTED, TOGETHER]
    assert virtual.because()[0].startswith("commands and single reads take")


def test_a_machine_that_comes_too_late_is_told_from_a_bus_that_is_full(monkeypatch):
    virtual = Virtual(10 * ("wp8028adam",))
    take = virtual.bus.transact
    late = [False]

    async def transact(*what, **how):
        await asyncio.sleep(0.15 if late[0] else 0)
        return await take(*what, **how)

    monkeypatch.setattr(virtual.bus, "transact", transact)
    play_faults(virtual, change=lambda: late.__setitem__(0, True), during=150)
    assert virtual.said() == [PARTED]
    assert "this machine has too much to do" in virtual.because()[0]


def test_a_line_that_is_down_is_a_figure():
    virtual = Virtual(2 * ("wp8028adam",))
    play_faults(virtual, change=lambda: setattr(virtual.line, "down", True), during=30, after=0)
    assert virtual.load.figures()["line_down"] == 1


def test_what_units_teach_changes_the_plan_and_what_is_compared_with_it():
    virtual = Virtual(12 * ("sdm120",), 2400)
    planned = []

    def teach():
        planned.append(virtual.load.planned)
        for unit in virtual.poller.units.values():
            unit.memory.block = 4
            unit.learn()

    play_faults(virtual, change=teach, during=200, after=0)
    assert virtual.load.planned > planned[0] * 1.2
    (said,) = virtual.said()
    assert said == ("info", "the plan has changed: units taught how they are to be read")
    assert virtual.load.actual == pytest.approx(min(1.0, virtual.load.planned), abs=0.05)
