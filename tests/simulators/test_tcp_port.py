"""The foreign master is pymodbus' client, and a bare socket where bytes matter."""

import asyncio

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException

from simulators.device import EmulatedDevice
from simulators.tcp_port import TcpPort


def lamps(lamp, *channels: int) -> list[EmulatedDevice]:
    return [
        EmulatedDevice(profile=lamp, pole=f"P{number}", name="lamp-1", channel=number, tick_ms=3_600_000)
        for number in channels
    ]


async def master(port: TcpPort, patience: float = 20.0) -> AsyncModbusTcpClient:
    client = AsyncModbusTcpClient(port.host, port=port.port, timeout=patience, retries=0, reconnect_delay=0)
    assert await client.connect()
    return client


def test_channels_of_one_unit_are_lamps_of_their_own(lamp):
    async def scenario() -> None:
        devices = lamps(lamp, 0, 1, 3)
        async with TcpPort(devices=devices) as port:
            client = await master(port)
            others = [device.value("level") for device in devices[:2]]
            assert not (await client.write_register(256 + 3, 127, device_id=1)).isError()
            assert devices[2].value("level") == pytest.approx(50)
            assert [device.value("level") for device in devices[:2]] == others
            assert (await client.read_holding_registers(2563, count=1, device_id=1)).registers == [127]
            assert (await client.write_register(256 + 3, 255, device_id=1)).exception_code == 3
            client.close()

    asyncio.run(scenario())


def test_two_devices_in_one_place_are_refused(lamp):
    with pytest.raises(ValueError, match="P1/lamp-1 and P1/lamp-1 share unit 1"):
        TcpPort(devices=lamps(lamp, 1, 1))


def test_a_unit_that_is_not_there_is_the_gateways_exception(lamp):
    async def scenario() -> None:
        async with TcpPort(devices=lamps(lamp, 0)) as port:
            client = await master(port)
            assert (await client.read_holding_registers(2560, count=1, device_id=9)).exception_code == 11
            client.close()

    asyncio.run(scenario())


def test_faults_come_and_go(lamp):
    async def scenario() -> None:
        async with TcpPort(devices=lamps(lamp, 0)) as port:
            unit = port.unit(1)
            for name, value in {"silent": True, "corrupt": True, "slow": 0.5}.items():
                client = await master(port, patience=0.2)
                setattr(unit.faults, name, value)
                with pytest.raises(ModbusIOException):
                    await client.read_holding_registers(2560, count=1, device_id=1)
                unit.heal()
                client.close()
                client = await master(port)
                assert not (await client.read_holding_registers(2560, count=1, device_id=1)).isError()
                client.close()

    asyncio.run(scenario())


def test_garbage_is_no_frame(lamp):
    async def scenario() -> bytes:
        async with TcpPort(devices=lamps(lamp, 0)) as port:
            port.unit(1).faults.garbage = True
            reader, writer = await asyncio.open_connection(port.host, port.port)
            writer.write(bytes.fromhex("000100000006 01 03 0a00 0001"))
            answer = await reader.read(100)
            writer.close()
            return answer

    answer = asyncio.run(scenario())
    assert answer
    assert answer[2:4] != b"\0\0"


def test_a_request_without_a_frame_ends_the_connection(lamp):
    async def scenario() -> bytes:
        async with TcpPort(devices=lamps(lamp, 0)) as port:
            reader, writer = await asyncio.open_connection(port.host, port.port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            try:
                return await asyncio.wait_for(reader.read(), 20)
            except ConnectionError:
                return b""
            finally:
                writer.close()

    assert asyncio.run(scenario()) == b""


def test_a_device_that_vanishes_comes_back_on_its_port(lamp):
    async def scenario() -> None:
        async with TcpPort(devices=lamps(lamp, 0)) as port:
            client = await master(port, patience=0.5)
            number = port.port
            await port.vanish()
            with pytest.raises((ModbusIOException, ConnectionException)):
                await client.read_holding_registers(2560, count=1, device_id=1)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(port.host, number)
            await port.restore()
            assert port.port == number
            client.close()
            client = await master(port)
            assert not (await client.read_holding_registers(2560, count=1, device_id=1)).isError()
            client.close()

    asyncio.run(scenario())
