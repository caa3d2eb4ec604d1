"""Emulated stations -> listener -> readings that equal the truth, with the shipped profiles."""

import asyncio
import time

import pytest

from device_profiles import loader
from device_profiles.site_buses import Hj212Bus
from device_profiles.site_model import Device
from gateway import drivers
from pole.broker import free_port
from protocols.errors import LineDown, Refused
from simulators.device import EmulatedDevice
from simulators.hj212_station import Hj212Station
from tests.gateway.probe import Watch

PROFILES = {
    "air-1": "hj212-air", "noise-1": "hj212-noise", "dust-1": "hj212-dust", "dust-2": "hj212-dust-mg",
}  # fmt: skip
EVERY = {"2011": 0.5, "2051": 0.5}


def mn(name):
    return f"010000A8900016F000{name.upper().replace('-', '_')}"


def running(scene, *, bus, tmp_path=None):
    profiles = loader.profiles()
    devices = [
        Device(pole="P1", device=name, profile=profile, bus="stations", address=mn(name))
        for name, profile in PROFILES.items()
    ]
    emulated = {
        name: EmulatedDevice(profile=profiles[profile], pole="P1", name=name, address=mn(name), tick_ms=1000)
        for name, profile in PROFILES.items()
    }

    async def whole():
        watch = Watch(profiles, devices)
        driver = drivers.driver(bus=bus, **watch.hearing)
        task = asyncio.create_task(driver.run())
        try:
            await scene(watch, emulated, driver, {device.device: device for device in devices})
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await driver.close()

    asyncio.run(whole())


def everything(watch, names):
    points = {(f"P1/{name}", point) for name in names for point in loader.profiles()[PROFILES[name]].points}
    return points <= {(at, point) for at, point, _, value, *_ in watch.told if value is not None}


def check(watch, emulated):
    """Every value was held in the second that its DataTime names."""
    for at, point, time_ms, value, quality, _ in watch.told:
        if value is not None:
            assert time_ms % 1000 == 0
            assert quality is None
            assert value in emulated[at.partition("/")[2]].held(point, time_ms, 999), (at, point, value)


def test_every_point_of_four_stations_on_one_port_equals_what_they_held():
    port = free_port()

    async def scene(watch, emulated, driver, devices):
        one = Hj212Station(devices=[emulated["air-1"]], port=port, every=EVERY)
        others = Hj212Station(devices=[emulated[name] for name in list(PROFILES)[1:]], port=port, every=EVERY)
        async with one, others:
            await watch.until(lambda: everything(watch, PROFILES), seconds=20)
            await watch.until(lambda: one.waiting == others.waiting == 0)
        check(watch, emulated)
        assert {at for at, *_ in watch.told} == {f"P1/{name}" for name in PROFILES}

    running(scene, bus=Hj212Bus(protocol="hj212", listen=f"127.0.0.1:{port}"))


def test_a_station_on_a_serial_port(tmp_path):
    async def scene(watch, emulated, driver, devices):
        station = Hj212Station(devices=[emulated["dust-1"]], path=tmp_path / "station", every=EVERY, over_time=1.0)
        async with station as own:
            await watch.until(lambda: everything(watch, ["dust-1"]), seconds=20)
            await watch.until(lambda: own.waiting == 0)
        check(watch, emulated)

    running(scene, bus=Hj212Bus(protocol="hj212", port=str(tmp_path / "station")))


def test_a_command_and_what_becomes_of_it_without_a_station():
    port = free_port()

    async def scene(watch, emulated, driver, devices):
        command = loader.profiles()["hj212-air"].commands["set_interval"]
        with pytest.raises(LineDown):
            await driver.write(devices["air-1"], command, 60, lambda: None)
        async with Hj212Station(devices=[emulated["air-1"]], port=port, every=EVERY) as own:
            await watch.until(lambda: watch.told)
            await driver.write(devices["air-1"], command, 60, lambda: None)
            assert own.every["2011"] == 60
            own.faults.refuses = 2
            with pytest.raises(Refused, match="refuses"):
                await driver.write(devices["air-1"], command, 90, lambda: None)
        assert own.every["2011"] == 60

    running(scene, bus=Hj212Bus(protocol="hj212", listen=f"127.0.0.1:{port}"))


def test_an_outage_is_made_up_for_with_the_times_at_which_it_was_measured():
    port = free_port()

    async def scene(watch, emulated, driver, devices):
        own = Hj212Station(devices=[emulated["dust-1"]], port=free_port(), every={"2011": 0.5})
        async with own:
            await asyncio.sleep(2.5)
            assert not watch.told
            mended_ms = time.time_ns() // 1_000_000
            own._target = "127.0.0.1", port
            await watch.until(lambda: own.waiting == 0 and watch.told, seconds=30)
        check(watch, emulated)
        assert min(time_ms for _, _, time_ms, *_ in watch.told) < mended_ms - 2000

    running(scene, bus=Hj212Bus(protocol="hj212", listen=f"127.0.0.1:{port}"))


def test_flags_and_strangers():
    port = free_port()

    async def scene(watch, emulated, driver, devices):
        stranger = EmulatedDevice(
            profile=loader.profiles()["hj212-dust"], pole="P9", name="x", address="MN_OF_NOBODY", tick_ms=1000
        )
        own = Hj212Station(devices=[emulated["dust-1"], stranger], port=port, every=EVERY)
        own.faults.flag = "D"
        async with own:
            await watch.until(lambda: any(quality == "exception-4" for *_, quality, _ in watch.told))
            await watch.until(lambda: "MN_OF_NOBODY" in str(watch.logs.entries))
        assert {at for at, *_ in watch.told} == {"P1/dust-1"}
        assert all(value is None for _, _, _, value, *_ in watch.told)
        assert "MN_OF_NOBODY" in str(watch.logs.entries)

    running(scene, bus=Hj212Bus(protocol="hj212", listen=f"127.0.0.1:{port}"))
