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

LOOK_MS = 200
ADC_READS = 16  # averaged: a controller's converter is noisy


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
            await asyncio.sleep(LOOK_MS / 1000)

    async def _measure(self, sensor: list) -> None:
        how = sensor[2]
        try:
            data = await self._read(sensor[1], how)
        except OSError:
            data = None
        for field in sensor[5]:
            value = "timeout" if data is None else _value(field, how, data)
            told, told_at = field[10:]
            now = self._board.ms()
            numbers = type(value) is int and type(told) is int
            changed = value != told and (not numbers or abs(value - told) >= field[9])
            if not changed and now - told_at < sensor[4] * 1000:
                continue
            field[10:] = value, now
            shown = '"q":"%s"' % value if isinstance(value, str) else '"v":' + text(value, field[6])
            self._collector.add(sensor[0], field[0], shown)

    async def _read(self, source, how):
        if not how:
            total = 0
            for _ in range(ADC_READS):
                total += source()
            return total // ADC_READS
        if how[1]:
            source.writeto(how[0], unhexlify(how[1]))
        await asyncio.sleep(how[2] / 1000)
        data = bytearray(how[3])
        source.readfrom_into(how[0], data)
        return data


def _value(field: list, how, data):
    """The value as an integer, or the quality of a reading without one."""
    if how:
        start = field[1]
        end = start + struct.calcsize(field[2])
        if how[4] and crc8(data[start : end + 1], how[4], how[5]):
            return "crc"
        data = struct.unpack_from(field[2], data, start)[0]
    value = data * field[3]
    value = (2 * abs(value) + field[4]) // (2 * field[4]) * (-1 if value < 0 else 1) + field[5]
    return value if field[7] <= value <= field[8] else "range"


def crc8(data: bytes, polynomial: int, crc: int) -> int:
    """crc is where it starts. 0 over bytes with their checksum behind them, if nothing was damaged."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc & 128 else crc << 1) & 255
    return crc
