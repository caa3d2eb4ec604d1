"""What a controller writes on its bus: a command to a Modbus device, and a lamp behind a DALI gateway."""

import asyncio

import pytest
import yaml

from bench.edge_pole import NODE, POLE
from device_profiles import loader
from simulators.device import EmulatedDevice
from simulators.rtu_port import RtuPort
from tests.edge.agent_city import AgentCity

pytestmark = pytest.mark.parametrize("broker", [(NODE, "ingest", "operator")], indirect=True)


def test_a_lamp_and_a_charger_on_the_bus(tmp_path, broker, interpreter):
    city = AgentCity(tmp_path, broker, interpreter)
    pole = city.pole
    site = yaml.safe_load(pole.site.read_text())
    profiles = loader.profiles()
    lamp = EmulatedDevice(profile=profiles["ecodim-dali-gw2"], pole=POLE, name="lamp-1", unit=4)
    charger = EmulatedDevice(profile=profiles["heidelberg-energy-control"], pole=POLE, name="charger-1", unit=5)
    lamp.hold("level", 0)
    site["devices"] = [
        {"pole": POLE, "device": "lamp-1", "profile": "ecodim-dali-gw2", "bus": "rs485-1", "unit": 4, "channel": 0},
        {"pole": POLE, "device": "charger-1", "profile": "heidelberg-energy-control", "bus": "rs485-1", "unit": 5},
    ]
    del site["buses"]["pins-1"]
    site["controllers"][NODE]["lamp"]["schedule"] = [{"at": "00:00", "level": 70}]
    pole.site.write_text(yaml.safe_dump(site))
    pole.port = RtuPort(path=tmp_path / "rs485-1", devices=[lamp, charger], baud=9600)

    async def scenario():
        async with city:
            city.switch_on()
            await city.until(lambda: abs(lamp.value("level") - 70) < 1, "the level of the schedule", 90)
            await city.until(lambda: city.heard.get("status", {}).get("online"), "the status")
            await city.command("c-1", "lamp-1", "set_level", level=20)
            assert (await city.done("c-1"))["state"] == "done"
            await city.until(lambda: abs(lamp.value("level") - 20) < 1, "the commanded level", 30)
            await city.command("c-2", "charger-1", "set_current", current=10)
            reply = await city.done("c-2")
            assert reply["state"] == "done", reply
            assert list(reply["read_back"].values()) == [10]
            await city.command("c-3", "charger-1", "set_current", current=99)
            assert (await city.done("c-3"))["state"] == "rejected"

    asyncio.run(scenario())
