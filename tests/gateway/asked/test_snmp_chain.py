"""Emulated access points -> SNMP -> polling -> readings: every value is one that the device held then."""

import asyncio

import pytest

from device_profiles import loader
from device_profiles.schema import PollGroup
from device_profiles.site_buses import SnmpBus
from gateway import drivers
from gateway.asked.polling import Polling
from gateway.asked.snmp_asker import SnmpAsker
from simulators.device import EmulatedDevice
from simulators.snmp_agent import SnmpAgent
from tests.gateway.probe import Watch, device, running

V3 = {"user": "gateway", "password": "authentic-secret", "privacy_password": "private-secret"}
PROFILES = [name for name, profile in loader.profiles().items() if profile.protocol == "snmp"]
SLACK_MS = 1500


def hurried(name):
    """A shipped profile whose groups are all read five times a second and told each time."""
    profile = loader.profile(name)
    quick = PollGroup.model_validate({"every": "200ms", "silence": "200ms"})
    return profile.model_copy(update={"polls": dict.fromkeys(profile.polls, quick)})


def start(profile, agent, **login):
    watch = Watch({profile.profile: profile}, [device("ap-1", agent.address, profile=profile.profile)])
    asker = SnmpAsker(version="3" if login else "2c", wait=0.4, tries=1, **login)
    return watch, Polling(asker=asker, **watch.options)


def false(watch, truth):
    """Readings that say what the device did not hold."""
    return [
        (point, value, truth.held(point, at, SLACK_MS))
        for _, point, at, value, quality, _ in watch.told
        if quality is None and value not in truth.held(point, at, SLACK_MS)
    ]


def test_there_are_profiles_of_access_points():
    assert len(PROFILES) >= 3


@pytest.mark.parametrize("name", PROFILES)
def test_every_point_of_a_profile_arrives_as_the_device_held_it(name):
    async def scene():
        profile = hurried(name)
        truth = EmulatedDevice(profile=profile, pole="P1", name="ap-1", seed=3)
        async with SnmpAgent(device=truth) as agent:
            watch, driver = start(profile, agent)
            async with running(driver):
                await watch.until(lambda: all(len(watch.of("P1/ap-1", point)) > 2 for point in profile.points))
        assert false(watch, truth) == []
        assert {quality for *_, quality, _ in watch.told} == {None}

    asyncio.run(scene())


@pytest.mark.parametrize("login", [{}, V3], ids=["2c", "3"])
def test_a_device_that_goes_and_comes_is_told_as_such(login):
    async def scene():
        profile = hurried("ap-if-mib")
        truth = EmulatedDevice(profile=profile, pole="P1", name="ap-1")
        async with SnmpAgent(device=truth, **login) as agent:
            watch, driver = start(profile, agent, **login)
            async with running(driver):
                await watch.until(lambda: watch.of("P1/ap-1", "octets_in"))
                await agent.vanish()
                await watch.until(lambda: watch.logged("no answer"), seconds=20)
                agent.first_interface = 7  # its interfaces have other numbers when it is there again
                await agent.restore()
                seen = len(watch.told)
                truth.hold("octets_in", 5)
                await watch.until(lambda: (5, None) in watch.of("P1/ap-1", "octets_in"), seconds=20)
        assert {quality for *_, quality, _ in watch.told[:seen]} == {None, "timeout"}
        assert false(watch, truth) == []
        told = watch.logged("no answer")[0]
        assert (told["pole"], told["bus"], told["address"], told["profile"]) == (
            "P1",
            "bus-1",
            agent.address,
            "ap-if-mib",
        )

    asyncio.run(scene())


@pytest.mark.parametrize("version", ["2c", "3"])
def test_the_driver_of_a_site_s_bus_takes_its_secrets_from_files(tmp_path, version):
    for name, secret in (("c", "light-pole"), ("p", V3["password"]), ("x", V3["privacy_password"])):
        (tmp_path / name).write_text(secret + "\n")
    keys = (
        {"community_file": "c"} if version == "2c" else {"user": "gateway", "password_file": "p", "privacy_file": "x"}
    )
    login = {"community": "light-pole"} if version == "2c" else V3
    bus = SnmpBus.model_validate({"protocol": "snmp", "version": version, **keys}, context={"folder": tmp_path})

    async def scene():
        profile = hurried("openwrt-ap")
        truth = EmulatedDevice(profile=profile, pole="P1", name="ap-1")
        async with SnmpAgent(device=truth, **login) as agent:
            watch = Watch({profile.profile: profile}, [device("ap-1", agent.address, profile=profile.profile)])
            async with running(drivers.driver(bus=bus, **watch.hearing)):
                await watch.until(lambda: watch.of("P1/ap-1", "clients"))
        assert false(watch, truth) == []

    asyncio.run(scene())


@pytest.mark.parametrize(("fault", "quality"), [("garbage", "crc"), ("late", "crc"), ("silent", "timeout")])
def test_each_fault_has_its_quality(fault, quality):
    async def scene():
        profile = hurried("ap-if-mib")
        truth = EmulatedDevice(profile=profile, pole="P1", name="ap-1")
        async with SnmpAgent(device=truth) as agent:
            watch, driver = start(profile, agent)
            async with running(driver):
                await watch.until(lambda: watch.of("P1/ap-1", "uptime"))
                setattr(agent.faults, fault, True)
                await watch.until(lambda: (None, quality) in watch.of("P1/ap-1", "uptime"))
        assert false(watch, truth) == []

    asyncio.run(scene())


def test_an_error_status_is_the_item_s_quality():
    async def scene():
        profile = hurried("ap-if-mib")
        truth = EmulatedDevice(profile=profile, pole="P1", name="ap-1")
        async with SnmpAgent(device=truth) as agent:
            watch, driver = start(profile, agent)
            agent.faults.error = True
            async with running(driver):
                await watch.until(lambda: watch.of("P1/ap-1", "uptime"))
        assert set(watch.of("P1/ap-1", "uptime")) == {(None, "exception-5")}

    asyncio.run(scene())
