"""The lamp through a day, without a network, and when things fail."""

from edge.lamp import Lamp

DAY = 20_778 * 86_400_000  # 2026-11-21
NIGHT_PLAN = [[2, -10, 100], [0, 22 * 60 + 30, 60], [0, 30, 30], [0, 5 * 60, 70], [1, 10, 0]]


class Board:
    def __init__(self):
        self.at = 5
        self.set = []

    def ms(self):
        return self.at

    def output(self, name):
        return lambda value: self.set.append((name, value))

    def pwm(self, name):
        return lambda value: self.set.append((name, value))


class Clock:
    at = None

    def now(self):
        return self.at


class Collector:
    def __init__(self):
        self.got = []

    def add(self, *reading, read=True):
        assert not read, "what it was set to proves no release"
        self.got.append(reading)


def made(output=("relay", "lamp"), write=None, schedule=NIGHT_PLAN):
    board, clock, collector = Board(), Clock(), Collector()
    lamp = {"device": "P1/lamp-1", "schedule": schedule, "hold": 7200, "fail": 100, "output": list(output)}
    config = {"lamp": lamp, "position": [30_640_000, 104_040_000], "utc_offset": 480}
    return Lamp(board, clock, collector, config, write), board, clock, collector


def at(clock, hour, minute=0):
    clock.at = DAY + ((hour - 8) * 60 + minute) * 60_000


def test_it_is_lit_from_the_first_moment_until_the_time_is_known(args):
    it, board, clock, _ = made()
    assert board.set == [("lamp", 1)]
    assert it.wanted() == 100
    at(clock, 12)
    assert it.wanted() == 0


def test_a_day_by_its_schedule(args):
    it, _, clock, _ = made()
    shown = []
    for hour in (0, 1, 4, 6, 12, 17, 20, 23):
        at(clock, hour, 15)
        shown.append(it.wanted())
    assert shown == [60, 30, 30, 70, 0, 0, 100, 60]


def test_dusk_moves_with_the_year(args):
    it, _, clock, _ = made()
    at(clock, 18, 5)  # sunset 18:04 in November, less ten minutes
    assert it.wanted() == 100
    clock.at -= 150 * 86_400_000  # in June it sets after eight
    assert it.wanted() == 0


async def test_a_relay_and_what_is_told(args):
    it, board, clock, collector = made()
    at(clock, 12)
    await it.show(it.wanted())
    await it.show(it.wanted())
    assert board.set[-1] == ("lamp", 0)
    assert collector.got == [("P1/lamp-1", "level", '"v":0'), ("P1/lamp-1", "on", '"vb":false')]
    board.at += 300_000
    await it.show(it.wanted())
    assert len(collector.got) == 4, "told again after five minutes"


async def test_a_level_that_it_starts_with_is_told(args):
    it, board, clock, collector = made()
    at(clock, 20)
    await it.show(it.wanted())
    await it.show(it.wanted())
    assert collector.got == [("P1/lamp-1", "level", '"v":100'), ("P1/lamp-1", "on", '"vb":true')]


async def test_a_dimmer_with_a_supply(args):
    it, board, _, _ = made(("pwm", "dim", "supply"))
    await it.show(60)
    await it.show(0)
    assert board.set == [("dim", 1000), ("supply", 1), ("dim", 600), ("supply", 1), ("dim", 0), ("supply", 0)]


def test_an_override_ends(args):
    it, board, clock, _ = made()
    at(clock, 12)
    it.override(40)
    assert it.wanted() == 40
    board.at += 7_200_000 - 1
    assert it.wanted() == 40
    board.at += 1
    assert it.wanted() == 0
    it.override(80, 60)
    assert it.wanted() == 80
    it.override(-1)
    assert it.wanted() == 0


def test_an_override_needs_no_clock(args):
    it, _, _, _ = made()
    it.override(0)
    assert it.wanted() == 0


async def test_what_cannot_be_computed_is_lit(args):
    import asyncio

    it, board, clock, _ = made(schedule=[[7, 0, 0]])
    at(clock, 12)
    board.set.clear()
    it.level = 0
    task = asyncio.create_task(it.run(lambda: None))
    await asyncio.sleep(0.05)
    task.cancel()
    assert board.set == [("lamp", 1)]


async def test_a_lamp_on_the_bus_is_written_until_it_takes_it(args):
    written = []

    async def write(level):
        written.append(level)
        if len(written) < 3:
            raise OSError(110)

    it, board, clock, collector = made(("modbus", ["rs485-1", 4, 6]), write)
    at(clock, 20)
    for _ in range(5):
        await it.show(it.wanted())
    assert written == [100, 100, 100]
    assert board.set == collector.got == []
