"""Emulated devices at the pins of the simulated board, read by the board itself."""

import asyncio

from device_profiles import loader, wired
from edge.boards.simulated import Board
from simulators.device import EmulatedDevice
from simulators.pin_files import PinFiles


def device(profile, name):
    return EmulatedDevice(profile=loader.profiles()[profile], pole="P0001", name=name)


def test_the_board_reads_what_the_devices_hold(tmp_path):
    cover, level, air = device("cover-contact", "cover-1"), device("level-4-20ma", "water-1"), device("sht31", "air-1")
    pins = {"cover": (cover, "cover_open"), "probe": (level, "level"), "one-44": (air, "temperature")}
    board = Board({"pins": {"cover": {"pin": 1}}}, str(tmp_path))
    read, adc, i2c = board.input("cover"), board.adc("probe"), board.i2c("one")
    buffer = bytearray(6)

    async def scenario():
        cover.hold("cover_open", True)
        async with PinFiles(folder=tmp_path / "pins", pins=pins):
            assert read() == 1
            cover.hold("cover_open", False)
            await asyncio.sleep(0.2)
            assert read() == 0
            level.hold("level", 1.25)
            await asyncio.sleep(0.2)
            scale = level.points["level"].adc
            assert abs(adc() / 1e6 * scale.scale + scale.offset - 1.25) < 0.001
            air.freeze()
            await asyncio.sleep(0.2)
            i2c.readfrom_into(0x44, buffer)
            assert wired.value(air.points["temperature"], bytes(buffer)) == air.value("temperature")
            assert wired.value(air.points["humidity"], bytes(buffer)) == air.value("humidity")

    asyncio.run(scenario())
