"""The controller's poller on a real pty, against emulated devices with the timing of the wire, and beside a gateway."""

import asyncio

import pytest
import structlog

from device_profiles import bus_time, compact_commands
from gateway.modbus.bus import Bus
from gateway.modbus.learned import Learned
from gateway.modbus.poller import Poller as GatewayPoller
from gateway.modbus.serial_line import SerialLine
from tests.edge.pole_bus import BUS, PoleBus


@pytest.fixture
def patient(monkeypatch):
    """Nobody's answer is too late, on a loaded machine either."""
    monkeypatch.setattr(bus_time, "ANSWER_S", 2.0)


@pytest.mark.usefixtures("patient")
def test_it_tells_what_the_devices_hold(interpreter, tmp_path):
    """Each value that is told is one that the device held then, and every point is told."""
    bus = PoleBus(tmp_path)
    asyncio.run(bus.run(interpreter, lambda bus: bus.until(lambda: bus.last().keys() == bus.points)))
    held = {each.name: each for each in bus.emulated}
    for time_ms, device, point, value, _ in bus.told():
        assert value in held[device].held(point, time_ms, 5000), (device, point, value)
    assert len(bus.points) >= 60


NOON_MS = 1_795_262_400_000
TROUBLE = {"P0001/wp8028adam-3": "timeout", "P0001/rgu-100a-4": "exception-4", "P0001/qdy30a-5": "crc"}
PINNED = (("P0001/sdm120-1", "voltage", 800.0), ("P0001/weather-8in1-2", "humidity", 500.0))  # outside of their ranges


def frozen(folder):
    """A pole whose values stand still; some of its devices are in trouble."""
    bus = PoleBus(folder, clock=lambda: NOON_MS)
    for device, point, value in PINNED:
        next(each for each in bus.emulated if each.name == device).hold(point, value)
    bus.port.unit(3).faults.silent = True
    bus.port.unit(4).faults.exception = 4
    bus.port.unit(5).faults.corrupt = True
    return bus


def is_told(bus, told):
    """Every point, and all of who is to be in trouble, and nobody else: an answer may come too late once."""
    found = {(device, value[1]) for (device, _), value in told.items() if isinstance(value, tuple)}
    return told.keys() == bus.points and {each for each in found if each[1] != "range"} == set(TROUBLE.items())


async def told_by_a_gateway(bus):
    """(device, point) -> what a gateway's poller told last, when it has told every point."""
    told = {}
    on = Bus(name=BUS, line=SerialLine(port=str(bus.path), baud=bus.line.baud))
    poller = GatewayPoller(
        bus=on, devices=bus.devices, profiles=bus.profiles, dead_share=0.05, learned=Learned(),
        on_readings=lambda readings, event: told.update({each[:2]: shown(*each[3:5]) for each in readings}),
        now_ms=lambda: NOON_MS, log=structlog.wrap_logger(None, processors=[structlog.testing.LogCapture()]),
    )  # fmt: skip
    async with bus.port:
        task = asyncio.create_task(poller.run())
        async with asyncio.timeout(90):
            while not is_told(bus, told):
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])
        await on.close()
    return told


def shown(value, quality):
    return ("no value", quality) if quality else value


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    return asyncio.run(told_by_a_gateway(frozen(tmp_path_factory.mktemp("gateway"))))


def test_a_gateway_and_a_controller_tell_the_same(interpreter, tmp_path, theirs):
    bus = frozen(tmp_path)
    asyncio.run(bus.run(interpreter, lambda bus: bus.until(lambda: is_told(bus, bus.last()))))
    assert bus.last() == theirs
    kinds = {type(value) for value in theirs.values()}
    assert kinds >= {bool, float, tuple}
    assert {value[1] for value in theirs.values() if isinstance(value, tuple)} == {
        "timeout", "exception-4", "crc", "range",
    }  # fmt: skip


@pytest.mark.usefixtures("patient")
def test_commands_go_between_the_polls(interpreter, tmp_path):
    """Levels and bits are written and read back, on a line that hears itself."""
    bus = PoleBus(tmp_path, ("arlight-dali", "heidelberg-energy-control", "phoenix-ac1m"), baud=115200)
    lamp, charger, coil = bus.emulated
    for device, point, value in ((lamp, "level", 0.0), (charger, "enabled", False), (coil, "enabled", False)):
        device.hold(point, value)
    bus.port.faults.echo = True
    lines = {(line[0], line[1]): line for line in compact_commands.commands(bus.devices, bus.profiles)}
    asks = [("read", "P0001/arlight-dali-1", "level")]
    for device, action, point, words in (
        ("P0001/arlight-dali-1", "set_level", "level", [127]),
        ("P0001/heidelberg-energy-control-2", "enable", "enabled", [1]),
        ("P0001/phoenix-ac1m-3", "enable", "enabled", [0xFF00]),
        ("P0001/phoenix-ac1m-3", "set_current", "max_current", [79]),
    ):
        _, unit, function, address, _, _, _, _, _, mask, wait, _ = lines[device, action][3]
        asks += [("write", unit, function, address, words, mask, wait), ("read", device, point)]
    asks += [("write", 9, 6, 0, [1], 0, 50), ("write", 1, 16, 60000, [1, 2])]

    output = asyncio.run(bus.run(interpreter, lambda bus: bus.until((tmp_path / "asked").exists), asks))
    told = [line[6:] for line in output.splitlines() if line.startswith("asked")]
    assert told == [
        '"v":0', "", '"v":50', "", '"vb":true', "", '"vb":true', "", '"v":79', "timeout", "exception-2",
    ]  # fmt: skip
    assert (lamp.value("level"), charger.value("enabled"), coil.value("enabled")) == (50.0, True, True)
