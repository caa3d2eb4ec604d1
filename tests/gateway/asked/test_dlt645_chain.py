"""Emulated meters -> driver -> readings that equal the truth, with the shipped profiles at 2400 baud."""

import asyncio

from device_profiles import loader
from device_profiles.site_buses import Dlt645Bus
from device_profiles.site_model import Device
from gateway import drivers
from simulators.device import EmulatedDevice
from simulators.dlt645_meter import Dlt645Port
from tests.gateway.probe import Watch

ADDRESSES = {"meter-1": ("dlt645-1p", "000000000161"), "meter-3": ("dlt645-3p", "181226034194")}
ASKED_MS = 6000  # the items of one meter are asked one after the other


def running(tmp_path, scene):
    profiles = loader.profiles()
    devices = [
        Device(pole="P1", device=name, profile=profile, bus="meters", address=address)
        for name, (profile, address) in ADDRESSES.items()
    ]
    emulated = {
        address: EmulatedDevice(profile=profiles[profile], pole="P1", name=name, address=address, tick_ms=1000)
        for name, (profile, address) in ADDRESSES.items()
    }

    async def whole():
        async with Dlt645Port(path=tmp_path / "meters", devices=list(emulated.values())) as port:
            watch = Watch(profiles, devices)
            bus = Dlt645Bus(protocol="dlt645", port=str(port.path))
            driver = drivers.driver(bus=bus, **watch.hearing)
            task = asyncio.create_task(driver.run())
            try:
                await scene(watch, port, driver, devices)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await driver.close()

    asyncio.run(whole())


def names(profile):
    return set(loader.profiles()[profile].points)


def told(watch, device):
    return {point for at, point, _, value, *_ in watch.told if at == f"P1/{device}" and value is not None}


def test_every_point_of_both_meters_equals_what_they_held(tmp_path):
    async def scene(watch, port, driver, devices):
        await watch.until(
            lambda: all(told(watch, name) == names(profile) for name, (profile, _) in ADDRESSES.items()), seconds=150
        )
        assert driver.counters.timeouts == driver.counters.errors == 0
        for at, point, time_ms, value, quality, _ in watch.told:
            device = port.meter(ADDRESSES[at.partition("/")[2]][1]).device
            assert quality is None
            assert value in device.held(point, time_ms, ASKED_MS), (at, point, value)
        assert isinstance(await driver.read(devices[0], "voltage"), float)

    running(tmp_path, scene)


def test_a_dead_meter_is_told_as_not_read_and_the_other_goes_on(tmp_path):
    async def scene(watch, port, driver, devices):
        dead = port.meter(ADDRESSES["meter-3"][1])
        dead.faults.silent = True
        port.meter(ADDRESSES["meter-1"][1]).faults.refuses = 0
        await watch.until(lambda: told(watch, "meter-1") == names("dlt645-1p"), seconds=150)
        await watch.until(
            lambda: ("P1/meter-3", "timeout") in {(at, quality) for at, _, _, _, quality, _ in watch.told}, 150
        )
        assert not told(watch, "meter-3")

    running(tmp_path, scene)
