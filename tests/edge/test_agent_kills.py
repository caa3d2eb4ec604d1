"""The whole agent while the power, the broker and ingest are cut: nothing is lost, and nobody is reset for it."""

import asyncio
import random

import pytest

from bench.edge_pole import NODE
from device_profiles import loader
from tests.edge.agent_city import play

pytestmark = pytest.mark.parametrize("broker", [(NODE, "ingest", "operator")], indirect=True)


def test_power_broker_and_ingest_are_killed_and_nothing_is_lost(tmp_path, broker, interpreter):
    async def scenario(city):
        source = random.Random(11)
        city.ingest.start()
        city.switch_on()
        await city.until(lambda: city.packs() >= 1, "the first pack")
        for part in ("agent", "broker", "agent", "ingest", "agent", "broker", "agent"):
            for device in ("cover-1", "sos-1"):  # something to tell, at any time
                (point,) = loader.profiles()[city.pole.devices[device].profile.profile].points
                city.pole.devices[device].hold(point, source.random() < 0.5)
            await asyncio.sleep(source.uniform(0.3, 1.2))
            if part == "agent":
                city.cut()
            elif part == "broker":
                await asyncio.to_thread(broker.kill)
            else:
                city.ingest.kill()
            await asyncio.sleep(source.uniform(0, 0.8))
            if part == "agent":
                city.switch_on()
            elif part == "broker":
                await asyncio.to_thread(broker.start)
            else:
                city.ingest.start()
        before = city.packs()
        await city.until(lambda: city.packs() > before + 2, "packs after the last kill", 120)
        city.cut()
        await asyncio.sleep(1)
        await asyncio.to_thread(city.ingest.stop)
        city.assert_nothing_lost()

    play(scenario, tmp_path, broker, interpreter)


def test_a_lost_broker_neither_resets_the_controller_nor_darkens_its_lamp(tmp_path, broker, interpreter):
    async def scenario(city):
        city.switch_on()
        await city.until(lambda: "birth" in city.heard, "the birth")
        first = city.agent
        await asyncio.to_thread(broker.kill)
        city.pole.devices["sos-1"].hold("sos_pressed", True)
        await asyncio.sleep(10)  # longer than the watchdog's patience
        assert first.poll() is None
        assert city.agent is first
        assert (city.pole.root / "pins" / "relay").exists()
        city.ingest.start()
        await asyncio.to_thread(broker.start)
        await city.until(
            lambda: city.rows("SELECT 1 FROM readings WHERE point = 'sos_pressed' AND value = 1"), "the old event", 90
        )
        assert city.agent is first
        assert city.births[-1]["reset"] == "power"

    play(scenario, tmp_path, broker, interpreter)
