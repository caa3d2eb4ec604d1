import asyncio

import yaml
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

from device_profiles import site
from simulators.city import City


def test_the_city_is_a_site_that_passes_its_checks_and_answers(tmp_path):
    async def scenario() -> None:
        async with City(folder=tmp_path / "ports") as city:
            path = tmp_path / "site.yaml"
            path.write_text(yaml.safe_dump(city.site("mqtt://127.0.0.1:1883"), allow_unicode=True))
            loaded = site.load(path)
            assert len(loaded.poles) == 12
            assert len(loaded.gateways) >= 3
            assert sum(hasattr(bus, "baud") for bus in loaded.buses.values()) == 4
            assert {device.id for device in loaded.devices} == set(city.devices)
            for device in loaded.devices:
                await check_answers(loaded.buses[device.bus], city, device)

    asyncio.run(scenario())


async def check_answers(bus, city, device):
    emulated = city.devices[device.id]
    assert emulated.unit == device.unit
    assert emulated.channel == (device.channel or 0)
    if device.profile == "arlight-dali":
        client = AsyncModbusTcpClient(bus.host, port=bus.port, retries=0)
        await client.connect()
        answer = await client.read_holding_registers(2560 + device.channel, count=1, device_id=device.unit)
        assert answer.registers == [round(emulated.value("level") * 2.54)]
        client.close()
    elif device.profile == "sdm120":
        client = AsyncModbusSerialClient(bus.port, baudrate=bus.baud, retries=0)
        await client.connect()
        assert not (await client.read_input_registers(0, count=2, device_id=device.unit)).isError()
        client.close()
