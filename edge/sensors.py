"""Sensors at the board's own pins IN, ADC and I2C alike; their readings go OUT as decimal text.

config["sensors"]: [[device, source, how, every, silence, fields], …], all of it compiled from profiles on the host.
    device   "pole/device"
    source   a name in config["adcs"] or config["i2cs"]
    how      null for an ADC, which gives microvolts; for I2C [address, command, wait, length, polynomial, start]:
             command   what is written first, as hexadecimal digits; "" for nothing
             wait      milliseconds from there until `length` bytes are read
             polynomial, start   CRC-8 (highest bit first) of each field's bytes, in the byte behind them; 0, 0 for none
    every, silence   seconds: how often it is measured, and after how long an unchanged value is told again
    fields   [[point, offset, format, multiply, divide, add, decimals, low, high, deadband], …]
             offset, format   where the number begins, and how it is held (struct: ">H", "<h", …); 0, "" for an ADC
             value = raw * multiply / divide (half away from zero) + add, counted in 10^-decimals
             low, high, deadband   counted like the value. Outside of low to high its quality is `range`; a smaller
                                   change than the deadband is not told

A sensor that does not answer has the quality `timeout`, one whose bytes were damaged on the way `crc`.
"""

import asyncio
import struct
from binascii import unhexlify

from edge.decimal import text


class Sensors:
    def __init__(self, config: dict, board, collector) -> None:
        self._board = board
        self._collector = collector
        self._sensors = config["sensors"]
        for sensor in self._sensors:
            sensor[1] = (board.i2c if sensor[2] else board.adc)(sensor[1])
            sensor.append(0)  # due at
            for field in sensor[5]:
                field.extend((None, 0))  # told: value or quality, and when

    async def run(self, beat) -> None:
        """beat is called several times a second."""
        while True:
            for sensor in self._sensors:
                now = self._board.ms()
                if now >= sensor[6]:
                    sensor[6] = now + sensor[3] * 1000
                    await self._measure(sensor)
            beat()
            await asyncio.sleep(0.2)

    async def _measure(self, sensor):
        device, source, how, _, silence, fields, _ = sensor
        total = 0
        data: object = None
        try:
            if how:
                address, command, wait, length, _, _ = how
                if command:
                    source.writeto(address, unhexlify(command))
                await asyncio.sleep(wait / 1000)
                data = bytearray(length)
                source.readfrom_into(address, data)
            else:
                for _ in range(16):  # a controller's converter is noisy
                    total += source()
                data = total >> 4
        except OSError:
            data = None
        for field in fields:
            value = "timeout" if data is None else _value(field, how, data)
            told, told_at = field[10:]
            now = self._board.ms()
            numbers = type(value) is int and type(told) is int
            if value != told and (not numbers or abs(value - told) >= field[9]) or now - told_at >= silence * 1000:
                field[10:] = value, now
                self._collector.add(
                    device, field[0], '"v":' + text(value, field[6]) if type(value) is int else '"q":"%s"' % value
                )


def _value(field: list, how, data):
    """The value as an integer, or the quality of a reading without one."""
    _, start, form, multiply, divide, add, _, low, high = field[:9]
    if how:
        if how[4] and crc8(data[start : start + struct.calcsize(form) + 1], how[4], how[5]):
            return "crc"
        data = struct.unpack_from(form, data, start)[0]
    value = (2 * abs(data * multiply) + divide) // (2 * divide)
    value = (-value if data * multiply < 0 else value) + add
    return value if low <= value <= high else "range"


def crc8(data: bytes, polynomial: int, crc: int) -> int:
    """crc is where it starts. 0 over bytes with their checksum behind them, if nothing was damaged."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc & 128 else crc << 1) & 255
    return crc
