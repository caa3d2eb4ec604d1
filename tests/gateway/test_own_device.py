"""What a gateway tells of itself and of its buses."""

import asyncio
import contextlib
import socket

import pytest

from device_profiles import loader
from gateway import collector, service
from gateway.own_device import OwnDevices
from tests.gateway.counting import NODE, POLE, PROFILE, CountingDevice, Running, site
from wire import topics

MODBUS = {"load", "planned_load", "stretch", "lost_share", "silent", "line_down", "requests", "timeouts", "errors",
          "crc_errors", "exceptions", "busy", "late", "missed"}  # fmt: skip


def quick(profile, every):
    polls = {name: group.model_copy(update={"every": every}) for name, group in profile.polls.items()}
    return profile.model_copy(update={"polls": polls})


def told_of(counts, seconds=0.3):
    """What is told while `counts` stands in turn for 0.1 s each."""
    told, now = [], [counts[0]]

    async def play():
        async def counted():
            return now[0]

        own = OwnDevices(
            profile=quick(loader.profile("bus"), 0.02), counted=counted, now_ms=lambda: 7,
            on_readings=lambda readings, event: told.extend(readings),
        )  # fmt: skip
        running = asyncio.create_task(own.run())
        for each in counts:
            now[0] = each
            await asyncio.sleep(0.1)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    asyncio.run(play())
    return [(device, point, value) for device, point, time_ms, value, quality in told]


def test_only_what_is_counted_is_told_and_only_when_it_has_changed_by_enough():
    told = told_of([{"P1/b": {"load": 20.0}}, {"P1/b": {"load": 24.0}}, {"P1/b": {"load": 26.0}}])
    assert told == [("P1/b", "load", 20.0), ("P1/b", "load", 26.0)]


def test_a_bus_that_went_and_came_back_is_told_anew():
    assert told_of([{"P1/b": {"silent": 0}}, {}, {"P1/b": {"silent": 0}}]) == 2 * [("P1/b", "silent", 0)]


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setitem(loader.profiles(), "counting", PROFILE)
    monkeypatch.setitem(loader.profiles(), "bus", quick(loader.profile("bus"), 0.2))
    monkeypatch.setattr(collector, "FLUSH_S", 0.1)
    monkeypatch.setattr(service, "QUIET_S", 0.02)


@pytest.fixture
def dead():
    """A port at which nobody listens, and nobody else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def readings(gateway, device):
    packs = [pack for channel, pack in gateway.heard if channel in topics.PACK_CHANNELS]
    return {reading[2]: reading[4] for pack in packs for reading in pack if reading[:2] == (POLE, device)}


def test_each_bus_is_announced_as_a_device_of_the_gateways_pole_and_tells_its_figures(broker, tmp_path, quickly, dead):
    async def play():
        async with CountingDevice() as device:
            gateway = Running(tmp_path, broker)
            content = site({"b": device.port, "dead": dead}, [("d", "b", 1), ("e", "dead", 1)], broker.port)
            content["buses"]["calls"] = {"protocol": "sip"}
            content["devices"].append(
                {"pole": POLE, "device": "call", "profile": "sip-intercom", "bus": "calls", "address": "127.0.0.1:9"}
            )
            gateway.write(content)
            async with gateway.running():
                birth = gateway.of("birth")[-1]
                own = {each["device"]: each["profile"] for each in birth["devices"] if each["pole"] == POLE}
                assert {name: own[name] for name in ("gateway", "bus-b", "bus-dead", "bus-calls")} == {
                    "gateway": "gateway", "bus-b": "bus", "bus-dead": "bus", "bus-calls": "bus",
                }  # fmt: skip
                assert set(birth["profiles"]["bus"]["points"]) == MODBUS
                await gateway.until(lambda: readings(gateway, "bus-dead").get("line_down") == 1)
                await gateway.until(lambda: readings(gateway, "bus-b") and readings(gateway, "bus-calls"))
            assert set(readings(gateway, "bus-b")) >= MODBUS - {"load", "lost_share", "stretch"}, "known after 10 s"
            assert set(readings(gateway, "bus-calls")) == {"requests", "timeouts", "errors", "missed", "silent"}
            assert NODE not in own

    asyncio.run(play())
