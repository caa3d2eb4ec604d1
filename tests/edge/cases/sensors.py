"""Declared sensors: bytes of data sheets, scales in integers, what goes wrong."""

from edge.sensors import Sensors, crc8

# Sensirion, Datasheet SHT3x-DIS, version 5 (May 2018): address 0x44, single shot 0x2400, 15.5 ms at most (table 4),
# CRC-8 0x31 from 0xFF (table 20), T = -45 + 175 S / 65535, RH = 100 S / 65535 (4.13)
SHT3X = [
    "P0001/air-1", "main", [0x44, "2400", 16, 6, 0x31, 0xFF], 10, 300,
    [
        ["temperature", 0, ">H", 17500, 65535, -4500, 2, -4000, 12500, 10],
        ["humidity", 3, ">H", 10000, 65535, 0, 2, 0, 10000, 50],
    ],
]  # fmt: skip
# ROHM, BH1750FVI Technical Note 2009.04 Rev.B: address 0x23, one-time H-resolution mode 0x20, 180 ms at most,
# lx = count / 1.2
BH1750 = ["P0001/light-1", "main", [0x23, "20", 180, 2, 0, 0], 10, 300, [["light", 0, ">H", 10, 12, 0, 0, 0, 54612, 5]]]
# a probe for 0 to 5 m at 4 to 20 mA over 165 ohm: 0.66 to 3.3 V; NAMUR NE 43: below 3.6 and above 21 mA it is broken
LEVEL = ["P0001/water-1", "level", None, 5, 60, [["level", 0, "", 5000, 2640000, -1250, 3, -125, 5313, 10]]]


class Stopped(Exception):
    pass


def stop():
    raise Stopped


class Bench:
    def __init__(self, *sensors):
        self.now, self.told, self.sent, self.answer, self.microvolts = 0, [], [], {}, 0
        copies = [s[:2] + [s[2] and list(s[2])] + s[3:5] + [[list(f) for f in s[5]]] for s in sensors]
        for sensor in copies:
            if sensor[2]:
                sensor[2][2] = 0  # nobody has to wait here
        self.sensors = Sensors({"sensors": copies}, self, self)

    def ms(self):
        return self.now

    def i2c(self, name):
        return self

    def adc(self, name):
        return lambda: self.microvolts

    def writeto(self, address, data):
        self.sent.append((address, bytes(data)))
        if address not in self.answer:
            raise OSError(19)

    def readfrom_into(self, address, buffer):
        buffer[:] = self.answer[address]

    def add(self, device, point, field, event=False):
        assert not event
        self.told.append(device.split("/")[1] + "." + point + " " + field)

    async def measure(self, seconds=10):
        """What is told of what is due so many seconds later."""
        self.told = []
        self.now += seconds * 1000
        try:
            await self.sensors.run(stop)
        except Stopped:
            return self.told


def test_checksum_of_the_data_sheet(args):
    assert crc8(b"\xbe\xef", 0x31, 0xFF) == 0x92  # SHT3x-DIS, table 20
    assert crc8(b"\xbe\xef\x92", 0x31, 0xFF) == 0
    assert crc8(b"123456789", 0x07, 0x00) == 0xF4  # CRC-8/SMBUS, the catalogue's check value


def test_sht3x(args):
    return sht3x()


async def sht3x():
    bench = Bench(SHT3X)
    bench.answer[0x44] = b"\xbe\xef\x92\xbe\xef\x92"
    # 0xBEEF = 48879: -45 + 175 * 48879 / 65535 = 85.523, 100 * 48879 / 65535 = 74.585
    assert await bench.measure() == ['air-1.temperature "v":85.52', 'air-1.humidity "v":74.58']
    assert bench.sent == [(0x44, b"\x24\x00")]
    assert await bench.measure() == []
    bench.answer[0x44] = b"\xbe\xef\x92\xbe\xef\x93"
    assert await bench.measure() == ['air-1.humidity "q":"crc"'], "the other one is whole"
    bench.answer[0x44] = b"\x00\x00\x81\x00\x00\x81"
    assert await bench.measure() == ['air-1.temperature "q":"range"', 'air-1.humidity "v":0']


def test_bh1750(args):
    return bh1750()


async def bh1750():
    bench = Bench(BH1750)
    bench.answer[0x23] = b"\x83\x90"  # the Technical Note's example, page 10: 28067 lx
    assert await bench.measure() == ['light-1.light "v":28067']
    assert bench.sent == [(0x23, b"\x20")]


def test_level_probe(args):
    return level_probe()


async def level_probe():
    bench = Bench(LEVEL)
    told = []
    for microamperes in (4000, 12000, 20000, 3840, 3500, 22000):
        bench.microvolts = microamperes * 165
        told += await bench.measure()
    assert told == [
        'water-1.level "v":0', 'water-1.level "v":2.5', 'water-1.level "v":5', 'water-1.level "v":-0.05',
        'water-1.level "q":"range"',
    ], told  # fmt: skip


def test_deadband_and_silence(args):
    return deadband_and_silence()


async def deadband_and_silence():
    bench = Bench(LEVEL)
    bench.microvolts = 660_000 + 528 * 1000  # 1.000 m
    assert await bench.measure() == ['water-1.level "v":1']
    bench.microvolts += 528 * 9
    assert await bench.measure() == []
    bench.microvolts += 528  # all in all 10 mm, the deadband
    assert await bench.measure() == ['water-1.level "v":1.01']
    assert await bench.measure(seconds=55) == []
    assert await bench.measure(seconds=5) == ['water-1.level "v":1.01']


def test_nobody_answers(args):
    return nobody_answers()


async def nobody_answers():
    bench = Bench(BH1750)
    assert await bench.measure() == ['light-1.light "q":"timeout"']
    assert await bench.measure() == []
    assert await bench.measure(seconds=290) == ['light-1.light "q":"timeout"']
    bench.answer[0x23] = b"\x00\x00"
    assert await bench.measure() == ['light-1.light "v":0']
    del bench.answer[0x23]
    assert await bench.measure() == ['light-1.light "q":"timeout"']


def test_numbers_below_zero_are_rounded_like_those_above(args):
    return below_zero()


async def below_zero():
    field = ["t", 0, "<h", 10, 4, 0, 1, -100_000, 100_000, 0]
    bench = Bench(["P0001/x", "main", [0x10, "", 0, 2, 0, 0], 1, 60, [field]])
    told = []
    for raw in (b"\x01\x00", b"\xff\xff", b"\x03\x00", b"\xfd\xff", b"\x00\x80"):
        bench.answer[0x10] = raw
        told += await bench.measure()
    assert [text.split(":")[1] for text in told] == ["0.3", "-0.3", "0.8", "-0.8", "-8192"]
    assert bench.sent == [], "nothing is written where there is no command"


def test_large_numbers_stay_exact(args):
    return large_numbers()


async def large_numbers():
    field = ["n", 0, ">I", 1000, 1, 1, 3, 0, 1 << 60, 0]
    bench = Bench(["P0001/x", "main", [0x10, "", 0, 4, 0, 0], 1, 60, [field]])
    bench.answer[0x10] = b"\xff\xff\xff\xff"
    assert await bench.measure() == ['x.n "v":4294967295.001']


def test_each_in_its_time(args):
    return each_in_its_time()


async def each_in_its_time():
    import asyncio

    bench = Bench(BH1750, LEVEL)
    bench.answer[0x23] = b"\x83\x90"
    looks = []

    def beat():
        bench.now += 1000
        looks.append(len(bench.sent))
        if len(looks) == 22:
            raise Stopped

    async def at_once(seconds):
        pass

    real, asyncio.sleep = asyncio.sleep, at_once
    try:
        await bench.sensors.run(beat)
    except Stopped:
        pass
    finally:
        asyncio.sleep = real
    assert looks == [1] * 10 + [2] * 10 + [3] * 2, looks
