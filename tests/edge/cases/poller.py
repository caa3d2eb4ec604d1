"""The poller on a bus in virtual time: whoever sleeps moves the clock, and units answer as the test wants.

plan.bin is compiled by test_poller.py, a bus for each kind of test. Addresses are registers of 16 bits.
"""

import asyncio

from edge.modbus import crc16
from edge.poller import Poller

TIMEOUT = '"q":"timeout"'
LOST_MS = 320  # the request, the time of the answer that does not come, and 300 ms more


class Over(Exception):
    pass


class Bus:
    """Board, UART and collector. units: number -> function(function, address, count): data, an exception or None."""

    def __init__(self, args, bus, **units):
        self.folder = args["folder"]
        self.now = 1_000_000.0
        self.units = {int(name[1:]): answer for name, answer in units.items()}
        self.asked = []  # the first (ms since the start, unit, function, address, count)
        self.counts = {}  # unit -> [requests, time of the last one, longest time between two]
        self.row = 0  # requests to the unit of the last one, one after the other
        self.told = []  # (ms since the start, point, field, event)
        self.answer = b""
        self.due = 0
        self.poller = Poller(self, bus, self)

    def uart(self, name):
        return self

    def ms(self):
        return int(self.now)

    def write(self, data):
        unit, function = data[0], data[1]
        address, count = data[2] << 8 | data[3], data[4] << 8 | data[5]
        assert crc16(data) == 0
        now = self.ms() - 1_000_000
        if len(self.asked) < 30:
            self.asked.append((now, unit, function, address, count))
        counts = self.counts.setdefault(unit, [0, now, 0])
        self.row = self.row + 1 if counts[1] == max([each[1] for each in self.counts.values()]) else 1
        counts[:] = counts[0] + 1, now, max(counts[2], now - counts[1])
        answer = self.units[unit](function, address, count) if unit in self.units else None
        self.answer = b""
        if answer is not None:
            body = bytes((unit, function | 128, answer)) if isinstance(answer, int) else None
            body = body or bytes((unit, function, len(answer))) + answer
            crc = crc16(body)
            self.answer = body + bytes((crc & 255, crc >> 8))
        self.due = self.now + len(data) + 20 + len(self.answer)  # ms; the plan's line has 9600 baud

    def read_into(self, buffer):
        if not self.answer or self.now < self.due:
            return 0
        length = len(self.answer)
        buffer[:length] = self.answer
        self.answer = b""
        return length

    def add(self, device, point, field, event=False):
        if len(self.told) > 40:  # there is no room for more
            del self.told[0]
        self.told.append((self.ms() - 1_000_000, device.split("/")[1] + "." + point, field, event))

    def run(self, seconds, beat=None):
        """Polls until so many seconds since the start."""

        async def sleep(seconds):
            self.now += 1000 * seconds

        def turn():
            self.now += 0.01
            if self.now >= 1_000_000 + 1000 * seconds:
                raise Over
            if beat:
                beat()

        real, asyncio.sleep = asyncio.sleep, sleep
        try:
            asyncio.run(self.poller.run(turn))
        except Over:
            pass
        finally:
            asyncio.sleep = real

    def times(self, unit):
        """The first ones."""
        return [each[0] for each in self.asked if each[1] == unit]

    def count(self, unit):
        return self.counts[unit][0]

    def fields(self, point):
        return [field for _, name, field, _ in self.told if name == point]


def registers(*words):
    """A unit whose registers all hold these words, again and again."""

    def answer(function, address, count):
        data = b""
        for i in range(count):
            word = words[(address + i) % len(words)]
            data += bytes((word >> 8, word & 255))
        return data

    return answer


def test_each_in_its_period(args):
    bus = Bus(args, "plain", u1=registers(7), u2=registers(7), u3=registers(7))
    bus.run(60)
    for unit in (1, 2, 3):
        assert bus.count(unit) == 60
        assert all([abs(time - 1000 * i) < 150 for i, time in enumerate(bus.times(unit))])
    assert bus.fields("d1.level") == ['"v":0.7'], "it never changed"


def test_a_bus_that_is_too_slow_leaves_nobody_out(args):
    bus = Bus(args, "crowded")
    bus.units = {unit: registers(1) for unit in range(1, 41)}
    bus.run(60)
    counts = [bus.count(unit) for unit in range(1, 41)]
    assert max(counts) - min(counts) <= 1, counts
    assert min(counts) > 15, counts


def test_who_does_not_answer_costs_little(args):
    bus = Bus(args, "plain", u1=registers(7), u3=registers(7))
    bus.run(400)
    lost = LOST_MS * bus.count(2)
    assert 0.02 < lost / 400_000 < 0.05 + 3 * LOST_MS / 400_000, lost
    for unit in (1, 3):
        assert bus.count(unit) > 392
        assert bus.counts[unit][2] < 1600, "one failure, and no more"
    assert bus.fields("d2.level")[0] == TIMEOUT
    assert set(bus.fields("d2.level")) == {TIMEOUT}


def test_many_who_do_not_answer_cost_no_more(args):
    bus = Bus(args, "crowded")
    bus.units = {unit: registers(1) for unit in range(1, 21)}
    bus.run(400)
    lost = sum([LOST_MS * bus.count(unit) for unit in range(21, 41)])
    assert lost / 400_000 < 0.05 + 3 * 20 * LOST_MS / 400_000, lost
    assert min([bus.count(unit) for unit in range(21, 41)]) > 1, "each is asked again"


def test_who_answers_now_and_then_costs_no_more(args):
    def flaky(function, address, count):
        return None if bus.count(2) % 2 else registers(7)(function, address, count)

    bus = Bus(args, "plain", u1=registers(7), u2=flaky, u3=registers(7))
    bus.run(400)
    lost = LOST_MS * bus.count(2) / 2
    assert lost / 400_000 < 0.05 + 6 * LOST_MS / 400_000, lost
    assert bus.count(1) > 392


def test_who_comes_back_is_asked_as_before(args):
    bus = Bus(args, "groups", u2=registers(7))
    bus.run(100)
    assert bus.fields("d1.fast") == [TIMEOUT]
    assert bus.fields("d1.slow") == [TIMEOUT]
    bus.units[1] = registers(3)
    bus.run(200)
    back = [time for time, point, field, _ in bus.told if point == "d1.fast" and field == '"v":3'][0]
    assert back < 100_000 + 10_000
    slow = [time for time, point, field, _ in bus.told if point == "d1.slow" and field == '"v":3'][0]
    assert slow - back < 3000, "its other blocks at once"
    before = bus.count(1)
    bus.run(260)
    assert bus.count(1) - before >= 59


def test_a_bus_where_nobody_answers_is_asked_more_often(args):
    bus = Bus(args, "plain")
    bus.run(300)
    lost = LOST_MS * sum([bus.count(unit) for unit in (1, 2, 3)])
    assert 0.1 < lost / 300_000 < 0.7, lost
    bus.units = {unit: registers(7) for unit in (1, 2, 3)}
    bus.run(340)
    assert [bus.fields("d%d.level" % unit) for unit in (1, 2, 3)] == 3 * [[TIMEOUT, '"v":0.7']]


def test_events_go_first_but_never_twice_in_a_row(args):
    bus = Bus(args, "events")
    bus.units = {unit: registers(0) for unit in range(1, 21)}
    rows = [0]

    def event(function, address, count):
        rows[0] = max(rows[0], bus.row)
        return b"\x00\x00"

    bus.units[20] = event
    bus.run(20)
    assert bus.count(20) > 20 / 0.2, bus.count(20)
    assert rows == [1], "never twice in a row"
    others = [bus.count(unit) for unit in range(1, 20)]
    assert min(others) > 5, others


def test_a_change_is_an_event(args):
    bus = Bus(args, "events", u20=registers(0))
    bus.run(2)
    bus.units[20] = registers(1)
    bus.run(4)
    told = [(field, event) for _, point, field, event in bus.told if point == "d20.sos"]
    assert told == [('"vb":false', True), ('"vb":true', True)]


def test_a_block_that_is_refused_is_read_value_by_value(args):
    def refusing(function, address, count):
        if address < 3 < address + count:  # it does not have register 3
            return 2
        return registers(0, 1, 2, 3, 4, 5, 6, 7)(function, address, count)

    bus = Bus(args, "holes", u1=refusing)
    bus.run(20)
    assert bus.asked[0][1:] == (1, 3, 0, 8)
    assert [(address, count) for _, _, _, address, count in bus.asked[1:5]] == [(0, 1), (2, 1), (4, 2), (7, 1)]
    told = {point: field for _, point, field, _ in bus.told}
    assert told == {"d1.a": '"v":0', "d1.b": '"v":2', "d1.c": '"v":%d' % (4 << 16 | 5), "d1.d": '"vb":true'}
    assert 76 <= bus.count(1) - 1 <= 82, "each once in its period"


def test_a_value_that_is_refused_costs_no_other(args):
    def refusing(function, address, count):
        return 2 if address <= 2 < address + count else registers(9)(function, address, count)

    bus = Bus(args, "holes", u1=refusing)
    bus.run(5)
    assert bus.fields("d1.b") == ['"q":"exception-2"']
    assert bus.fields("d1.a") == ['"v":9']
    assert bus.fields("d1.c") == ['"v":%d' % (9 << 16 | 9)]


def test_bits_that_are_refused_together(args):
    def refusing(function, address, count):
        return 3 if count > 1 else bytes((1 if address in (9, 18) else 0,))

    bus = Bus(args, "bits", u1=refusing)
    bus.run(20)
    told = {point: field for _, point, field, _ in bus.told}
    expected = {"d1.b%d" % at: '"vb":true' if at in (9, 18) else '"vb":false' for at in (0, 9, 10, 18)}
    assert told == expected, told


def test_bits_in_one_read(args):
    bus = Bus(args, "bits", u1=lambda function, address, count: b"\x00\x02\x04")
    bus.run(2)
    assert [each[1:] for each in bus.asked[:1]] == [(1, 2, 0, 19)]
    told = {point: field for _, point, field, _ in bus.told}
    expected = {"d1.b%d" % at: '"vb":true' if at in (9, 18) else '"vb":false' for at in (0, 9, 10, 18)}
    assert told == expected, told


def test_what_is_told(args):
    """Deadband 0.5 in steps of 0.1, silence 10 s, range 0 to 50, 65535 is no value."""
    words = [200]
    bus = Bus(args, "reports", u1=lambda function, address, count: bytes((words[0] >> 8, words[0] & 255)))
    steps = [
        (200, 1, '"v":20'), (204, 2, None), (205, 3, '"v":20.5'), (203, 4, None), (200, 5, '"v":20'),
        (65535, 6, '"q":"range"'), (501, 7, None), (200, 8, '"v":20'), (204, 17, None), (204, 20, '"v":20.4'),
        (500, 21, '"v":50'),
    ]  # fmt: skip
    for word, until, field in steps:
        words[0] = word
        before = len(bus.told)
        bus.run(until)
        assert [each[2] for each in bus.told[before:]] == ([field] if field else []), (word, until, bus.told[before:])
    assert not any([event for _, _, _, event in bus.told])


def test_why_there_is_no_value(args):
    answers = [None]
    bus = Bus(args, "reports", u1=lambda function, address, count: answers[0])
    expected = []
    for i, (answer, field) in enumerate(
        [(None, '"q":"timeout"'), (4, '"q":"exception-4"'), (6, '"q":"exception-6"'), (11, '"q":"exception-11"'),
         (255, '"q":"exception-255"'), (b"\x00\x01", '"v":0.1'), (0, '"q":"crc"')]
    ):  # fmt: skip
        answers[0] = answer
        expected.append(field)
        bus.run(10 * (i + 1) - 2)
        seen = []
        for field in bus.fields("d1.level"):
            if field not in seen[-1:]:
                seen.append(field)
        assert seen == expected, seen


def test_a_bit_that_stays_is_told_again_without_an_event(args):
    bus = Bus(args, "events", u20=registers(1))
    bus.run(25)
    told = [(field, event) for _, point, field, event in bus.told if point == "d20.sos"]
    assert told == [('"vb":true', True), ('"vb":true', False), ('"vb":true', False)]


def test_time_beyond_a_small_number(args):
    """A month and a half after power-on: a counter of milliseconds has long outgrown 31 bits."""
    bus = Bus(args, "reports", u1=registers(200))
    bus.now += 1 << 32
    bus.poller = Poller(bus, "reports", bus)
    start = (1 << 32) // 1000
    bus.run(start + 25)
    times = [time - (1 << 32) for time, *_ in bus.told]
    assert [(time - times[0]) // 1000 for time in times] in ([0, 10, 20], [0, 10, 21], [0, 11, 22]), times


def test_other_plans(args):
    refused = []
    for bus in ("nobody", "plai", "plainer"):
        try:
            Bus(args, bus)
        except ValueError as error:
            refused.append(str(error))
    assert refused == ["plan.bin has no bus " + bus for bus in ("nobody", "plai", "plainer")]
