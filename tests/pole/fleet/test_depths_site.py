"""The wires of a run: site files that pass their checks, devices that answer, fall silent and come back."""

import asyncio
import json

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from device_profiles import loader, site
from pole.broker import free_port
from pole.fleet.depth_devices import Acts
from pole.fleet.depth_gateway import BAUD
from pole.fleet.depth_plan import users
from pole.fleet.depth_site import WireSite
from pole.fleet.depth_world import WireStep
from simulators.world.kits import KITS

SEED = 1


def wire_site(folder, acts=None, source_of=lambda device: lambda point, time_ms: None, **more):
    order = {"seed": SEED, "poles": 200, "wires": 2, "agents": 2, "speed": 1,
             "broker": {"host": "127.0.0.1", "port": free_port()}} | more  # fmt: skip
    passwords = {user: f"{user}-secret" for user in users(order)}
    acts = acts or Acts(path=folder / "acts.jsonl", act=lambda *told: 0)
    return WireSite(order=order, folder=folder, passwords=passwords, acts=acts, source_of=source_of)


def test_site_files_pass_their_checks_and_hold_every_device(tmp_path):
    async def scenario():
        async with wire_site(tmp_path) as wires:
            return dict(wires.devices), {
                name: why for each in wires.wires.values() for name, why in each.left_out.items()
            }

    devices, left_out = asyncio.run(scenario())
    loaded = [site.load(path) for path in tmp_path.glob("site-*.yaml")]
    assert {each.area for each in loaded} == {path.stem.removeprefix("site-") for path in tmp_path.glob("site-*.yaml")}
    found = {device.id: device.profile for each in loaded for device in each.devices}
    assert found == {name: device.profile.profile for name, device in devices.items()}
    assert sum(len(each.poles) for each in loaded) == 4
    kits = kit_devices(4)
    assert kits.items() <= (found | {name: kits[name] for name in left_out}).items()
    assert left_out.keys().isdisjoint(found)
    for each in loaded:
        for node in each.gateways:
            spoken = {loader.profile(device.profile).protocol for device in each.devices_of(node)}
            assert len(spoken) == 9  # modbus and the eight others
    assert sum(len(each.controllers) for each in loaded) == 2


def kit_devices(poles):
    from simulators.world.city_map import city_map

    city = city_map(seed=SEED, poles=200)
    return {
        f"{city.names[index]}/{name}": profile
        for index in range(poles)
        for name, profile in KITS[city.kit[index]].devices
    }


async def voltage(port, unit, wait=20):
    client = AsyncModbusSerialClient(str(port), baudrate=BAUD, retries=0, timeout=wait)
    await client.connect()
    try:
        return (await client.read_input_registers(0, count=1, device_id=unit)).registers[0] / 10
    except ModbusIOException:
        return None
    finally:
        client.close()


async def dim(host, port, unit, raw):
    client = AsyncModbusTcpClient(host, port=port, retries=0, timeout=20)
    await client.connect()
    answer = await client.write_register(256, raw, device_id=unit)
    client.close()
    return answer.isError()


def test_devices_show_the_source_fall_silent_without_mains_and_tell_what_was_done_to_them(tmp_path):
    felt = []
    acts = Acts(path=tmp_path / "acts.jsonl", act=lambda *told: felt.append(told) or 7)

    async def scenario():
        async with wire_site(tmp_path, acts=acts, wires=2, agents=1) as wires:
            pole = "P00002"
            gateway = wires.wires[f"{pole}-gw"]
            meter, lamp = wires.devices[f"{pole}/meter-1"], wires.devices[f"{pole}/lamp-1"]
            meter.hold("voltage", 231.5)
            buses = gateway.buses()
            port = buses[f"{pole}-gw-rs485-1"]["port"]
            assert await voltage(port, meter.unit) == 231.5
            await gateway.feel(WireStep(number=1, dark=frozenset({pole})))
            assert await voltage(port, meter.unit, wait=0.4) is None
            await gateway.feel(WireStep(number=2, mute={meter.name: frozenset({"current"})}))
            assert await voltage(port, meter.unit) == 231.5
            await gateway.feel(WireStep(number=2, mute={meter.name: frozenset({"voltage"})}))
            assert await voltage(port, meter.unit, wait=0.4) is None
            await gateway.feel(WireStep(number=3))
            assert await voltage(port, meter.unit) == 231.5
            lamps = buses[f"{pole}-gw-lamps"]
            assert not await dim(lamps["host"], lamps["port"], lamp.unit, 127)
            assert lamp.value("level") == 50

    asyncio.run(scenario())
    acts.close()
    told = [json.loads(line) for line in (tmp_path / "acts.jsonl").read_text().splitlines()]
    assert {"device": "P00002/meter-1", "point": "voltage", "value": 231.5}.items() <= told[-2].items()
    dimmed = {"device": "P00002/lamp-1", "point": "level", "value": 50, "act": "lamp_level", "step": 7}
    assert dimmed.items() <= told[-1].items()
    assert felt[-1] == ("P00002", "lamp_level", 50)


def test_a_cut_breaks_what_is_connected_and_the_port_stays(tmp_path, broker):
    async def scenario():
        where = {"host": "127.0.0.1", "port": broker.port}
        async with wire_site(tmp_path, wires=1, agents=0, broker=where) as wires:
            (proxy,) = wires.proxies.values()
            reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
            writer.write(bytes.fromhex("101000044d5154540402000a0004676f6e65"))  # MQTT CONNECT that the broker refuses
            assert (await asyncio.wait_for(reader.read(4), 20))[:1] == b"\x20"
            other, _ = await asyncio.open_connection(proxy.host, proxy.port)
            await proxy.vanish()
            assert await asyncio.wait_for(broken(other), 20)
            refused = await asyncio.gather(asyncio.open_connection(proxy.host, proxy.port), return_exceptions=True)
            assert isinstance(refused[0], ConnectionRefusedError)
            await proxy.restore()
            _, again = await asyncio.open_connection(proxy.host, proxy.port)
            again.close()

    asyncio.run(scenario())


async def broken(reader):
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True
