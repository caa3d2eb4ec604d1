import asyncio

import yaml
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

from device_profiles import loader, site
from device_profiles.schema import FUNCTIONS
from device_profiles.site_buses import SerialBus
from pole.broker import free_port
from simulators.city import CONTROLLERS, GATEWAYS, LAMP, City


def test_the_city_is_a_site_that_passes_its_checks_and_answers(tmp_path):
    async def scenario() -> None:
        async with City(folder=tmp_path / "ports", free_port=free_port) as city:
            path = tmp_path / "site.yaml"
            path.write_text(yaml.safe_dump(city.site(), allow_unicode=True))
            loaded = site.load(path)
            assert len(loaded.poles) == 12
            assert len(loaded.gateways) >= 3
            assert sum(isinstance(bus, SerialBus) for bus in loaded.buses.values()) == 4
            lamps = {f"{pole}/{LAMP}" for pole in CONTROLLERS.values()}  # a controller makes its own what it is
            assert {device.id for device in loaded.devices} - lamps == set(city.devices)
            for pole in GATEWAYS.values():
                assert functions_at(loaded, pole) >= set(FUNCTIONS[:9]) | {"energy"}
            protocols = {loader.profile(device.profile).protocol for device in loaded.devices}
            assert len(protocols) == 10
            for device in loaded.devices:
                if device.id in lamps:
                    continue
                await check_answers(loaded, city, device, tmp_path / "ports")

    asyncio.run(scenario())


def functions_at(loaded, pole):
    profiles = [loader.profile(device.profile) for device in loaded.devices if device.pole == pole]
    return {profile.function_of(point) for profile in profiles for point in profile.points}


async def check_answers(loaded, city, device, ports):
    bus = loaded.buses[device.bus]
    emulated = city.devices[device.id]
    if device.hardware:
        (pin,) = device.hardware.values()
        (folder,) = (node for node, pole in CONTROLLERS.items() if pole == device.pole)
        (point,) = emulated.points
        assert (ports / folder / "pins" / pin).read_text() == str(int(emulated.value(point)))
        return
    if device.unit is None:
        assert emulated.address == device.address
        return
    assert emulated.unit == device.unit
    assert emulated.channel == (device.channel or 0)
    if device.profile == "arlight-dali":
        client = AsyncModbusTcpClient(bus.host, port=bus.port, retries=0)
        await client.connect()
        answer = await client.read_holding_registers(2560 + device.channel, count=1, device_id=device.unit)
        assert answer.registers == [round(emulated.value("level") * 2.54)]
        client.close()
    elif device.profile == "sdm120":
        port = bus.port if isinstance(bus, SerialBus) else loaded.controllers[bus.controller].uarts[bus.uart].port
        client = AsyncModbusSerialClient(port, baudrate=bus.baud, retries=0)
        await client.connect()
        assert not (await client.read_input_registers(0, count=2, device_id=device.unit)).isError()
        client.close()
