"""Emulated intercom -> SIP -> polling -> readings: what is told is what the intercom was then."""

import asyncio

import pytest

from device_profiles import loader
from device_profiles.schema import PollGroup
from gateway.asked.polling import Polling
from gateway.asked.sip_asker import SipAsker
from simulators.device import EmulatedDevice
from simulators.sip_intercom import SipIntercom
from tests.gateway.probe import Watch, device, running


def hurried():
    profile = loader.profile("sip-intercom")
    quick = PollGroup.model_validate({"every": "100ms", "silence": "100ms"})
    return profile.model_copy(update={"polls": dict.fromkeys(profile.polls, quick)})


def run(play):
    async def scene():
        profile = hurried()
        truth = EmulatedDevice(profile=profile, pole="P1", name="sos-1")
        async with SipIntercom(device=truth) as intercom:
            watch = Watch({profile.profile: profile}, [device("sos-1", intercom.address, profile=profile.profile)])
            async with running(Polling(asker=SipAsker(wait=0.3), **watch.options)):
                await play(watch, intercom, truth)

    asyncio.run(scene())


def told(watch, point):
    return watch.of("P1/sos-1", point)


def test_an_intercom_that_answers():
    async def play(watch, intercom, truth):
        await watch.until(lambda: len(told(watch, "round_trip")) > 2)
        assert set(told(watch, "alive")) == {(True, None)}
        assert set(told(watch, "status_code")) == {(200, None)}
        assert all(0 <= value < 300 for value, _ in told(watch, "round_trip"))
        truth.hold("status_code", 486)
        await watch.until(lambda: (486, None) in told(watch, "status_code"))
        assert set(told(watch, "alive")) == {(True, None)}

    run(play)


@pytest.mark.parametrize("way", ["off the network", "its stack hangs"])
def test_an_intercom_that_falls_silent_is_not_alive_and_that_is_an_event(way):
    async def play(watch, intercom, truth):
        await watch.until(lambda: told(watch, "alive"))
        if way == "off the network":
            await intercom.vanish()
        else:
            truth.hold("alive", False)
        await watch.until(lambda: (False, None) in told(watch, "alive"))
        await watch.until(lambda: (None, "timeout") in told(watch, "round_trip"))
        assert (None, "timeout") in told(watch, "status_code")
        first = next(each for each in watch.told if each[1] == "alive" and each[3] is False)
        assert first[5] is True  # it must not wait behind telemetry
        await intercom.restore()
        truth.hold("alive", True)
        await watch.until(lambda: told(watch, "alive")[-1] == (True, None))

    run(play)


@pytest.mark.parametrize(("fault", "quality"), [("silent", "timeout"), ("garbage", "crc"), ("trying", "timeout")])
def test_each_fault_has_its_quality(fault, quality):
    async def play(watch, intercom, truth):
        await watch.until(lambda: told(watch, "status_code"))
        setattr(intercom.faults, fault, True)
        await watch.until(lambda: (None, quality) in told(watch, "status_code"))
        assert told(watch, "alive")[-1] == (False, None)

    run(play)
