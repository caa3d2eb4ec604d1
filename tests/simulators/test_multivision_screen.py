"""The emulated screens as the protocol's reference client sees them: package ledwallcontroller."""

import asyncio
import contextlib

import pytest
from ledwallcontroller import Multivision, TCPHandler

from device_profiles import loader
from simulators.device import EmulatedDevice
from simulators.multivision_screen import MultivisionScreen

PROFILE = loader.load(loader.files()["multivision-led"])


@contextlib.asynccontextmanager
async def scene():
    devices = [
        EmulatedDevice(profile=PROFILE, pole="P1", name=f"screen-{each}", address=f"10.0.0.7:4010#{each}")
        for each in (1, 2)
    ]
    async with MultivisionScreen(devices=devices) as computer:
        handler = TCPHandler(host="127.0.0.1", port=computer.port, timeout=20)
        try:
            yield computer, handler
        finally:
            await handler.disconnect()


def test_the_reference_client_reads_and_sets_each_screen():
    async def part():
        async with scene() as (computer, handler):
            clients = {each: Multivision(handler, controller_id=each) for each in (1, 2)}
            for each, client in clients.items():
                computer.screens[each].hold("brightness", 30 + each)
                await client.update()
                assert client.brightness_percent == 30 + each
            await clients[2].set_brightness_percent(75)
            await clients[2].update()
            assert clients[2].brightness_percent == 75
            assert computer.screens[2].value("brightness") == 75
            assert computer.screens[1].value("brightness") == 31

    asyncio.run(part())


def test_a_screen_that_is_not_there_and_a_value_out_of_range_say_nothing():
    async def part():
        async with scene() as (computer, handler):
            before = computer.screens[1].value("brightness")
            await handler.send_data("\x01LEDSBRIGH01=150\r\x01LEDSBRIGH01=abc\r\x01LEDSBRIGH09=5\r\x01LEDSCOLOR01=5\r")
            with pytest.raises(TimeoutError):
                await Multivision(handler, controller_id=9).update(timeout=0.3)
            assert computer.screens[1].value("brightness") == before
            assert computer.requests == 5

    asyncio.run(part())


def test_it_goes_and_comes_back_at_the_same_port():
    async def part():
        async with scene() as (computer, _):
            port = computer.port
            await computer.vanish()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await computer.restore()
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()

    asyncio.run(part())
