"""The master on a line that is scripted: each request is answered by the chunks that the script gives.

Whoever sleeps moves the line's clock.
"""

import asyncio

from edge.modbus import Master, crc16

READ = b"\x01\x03\x00\x00\x00\x02"  # two holding registers
GOOD = b"\x01\x03\x04\x00\x01\x00\x02"
COIL_ON = b"\x01\x05\x00\x07\xff\x00"
TIMEOUT = 256
CRC = 257


def sealed(frame):
    crc = crc16(frame)
    return frame + bytes((crc & 255, crc >> 8))


class Line:
    """Board and UART. script: for each request the (ms after it, bytes) that come."""

    def __init__(self, *script):
        self.script = list(script)
        self.sent = []
        self.due = []
        self.now = 1_000_000.0
        asyncio.sleep = self.sleep

    async def sleep(self, seconds):
        self.now += 1000 * seconds

    def ms(self):
        return int(self.now)

    def write(self, data):
        self.sent.append((self.ms(), bytes(data)))
        chunks = self.script.pop(0) if self.script else ()
        self.due += [(self.ms() + after, chunk) for after, chunk in chunks]

    def read_into(self, buffer):
        """What is due, as much as there is room for."""
        if not self.due or self.due[0][0] > self.ms() or not len(buffer):
            return 0
        at, data = self.due.pop(0)
        if len(data) > len(buffer):
            self.due.insert(0, (at, data[len(buffer) :]))
            data = data[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


def master(line, silence=2):
    return Master(line, line, 87, silence)


async def ask(line, request=READ, wait=60):
    """(code, data) of one request on a fresh master."""
    each = master(line)
    code = await each.ask(request, wait)
    return code, bytes(each.buffer[each.at : each.at + 4]) if not code else b""


def test_checksum(args):
    # Modbus over Serial Line V1.02, 6.2.2, and the exchanges of two meters
    assert crc16(b"\x02\x07") == 0x1241
    assert crc16(b"\x01\x04\x00\x00\x00\x02") == 0xCB71
    assert crc16(b"\x01\x04\x00\x00\x00\x02\x71\xcb") == 0
    crc = 0
    for byte in bytes(range(256)):
        slow = byte
        for _ in range(8):
            slow = slow >> 1 ^ 0xA001 if slow & 1 else slow >> 1
        crc = crc16(bytes((byte ^ 0xFF,)))
        assert crc == slow ^ 0xFF, byte


async def test_an_answer(args):
    line = Line([(1, sealed(GOOD))])
    assert await ask(line) == (0, b"\x00\x01\x00\x02")
    assert line.sent[0][1] == b"\x01\x03\x00\x00\x00\x02\xc4\x0b"


async def test_an_answer_in_pieces(args):
    whole = sealed(GOOD)
    line = Line([(4 * i, whole[i : i + 1]) for i in range(len(whole))])
    assert (await ask(line))[0] == 0


async def test_an_exception(args):
    for code in (1, 2, 6, 11, 255):
        assert (await ask(Line([(1, sealed(b"\x01\x83" + bytes((code,))))])))[0] == code
    assert (await ask(Line([(1, sealed(b"\x01\x83\x00"))])))[0] == CRC, "0 is no exception"


async def test_silence(args):
    line = Line()
    began = line.ms()
    assert (await ask(line))[0] == TIMEOUT
    assert 60 <= line.ms() - began < 90


async def test_what_is_no_answer(args):
    whole = sealed(GOOD)
    for wrong in (
        whole[:5],
        whole[:-1] + b"\x00",
        b"\x00" * 9,
        sealed(b"\x02" + GOOD[1:]),  # another unit
        sealed(b"\x01\x04" + GOOD[2:]),  # another function
        sealed(b"\x01\x03\x02\x00\x01"),  # another length
        sealed(b"\x01\x84\x02"),
        b"\x01\x03\x04" * 40,
        b"\xff" * 500,
    ):
        assert (await ask(Line([(1, wrong)]))) == (CRC, b""), wrong


async def test_every_half_of_an_answer(args):
    whole = sealed(GOOD)
    for length in range(len(whole)):
        code, _ = await ask(Line([(0, whole[:length])] if length else []), wait=12)
        assert code == (CRC if length else TIMEOUT), length


async def test_noise_before_and_after_an_answer(args):
    for before in (b"\x00", b"\x01", b"\x01\x03\x04", b"\xff\x00\xa5" * 9, sealed(READ), sealed(b"\x07" + GOOD[1:])):
        assert await ask(Line([(1, before + sealed(GOOD) + b"\xff\xff")])) == (0, b"\x00\x01\x00\x02"), before
        assert (await ask(Line([(1, before + sealed(b"\x01\x83\x02"))])))[0] == 2, before


async def test_a_line_that_echoes(args):
    read = [(0, sealed(READ)), (8, sealed(GOOD))]
    each = master(
        line := Line(read, [(0, sealed(COIL_ON)), (8, sealed(COIL_ON))], [(0, sealed(COIL_ON))], [(0, sealed(READ))])
    )
    assert await each.ask(READ, 60) == 0
    assert await each.ask(COIL_ON, 60) == 0, "the echo, and the answer"
    assert await each.ask(COIL_ON, 60) == TIMEOUT, "the echo alone"
    each.late.clear()
    assert await each.ask(READ, 60) == TIMEOUT
    assert len(line.sent) == 4


async def test_a_write_on_a_line_without_echo(args):
    each = master(Line([(0, sealed(GOOD))], [(1, sealed(COIL_ON))], [(1, sealed(b"\x01\x10\x00\x07\x00\x02"))]))
    assert await each.ask(READ, 60) == 0
    assert await each.ask(COIL_ON, 60) == 0
    assert await each.ask(b"\x01\x10\x00\x07\x00\x02\x04\x00\x01\x00\x02", 60) == 0


async def test_bits(args):
    line = Line([(1, sealed(b"\x01\x02\x02\xcd\x01"))])
    each = master(line)
    assert await each.ask(b"\x01\x02\x00\x00\x00\x09", 60) == 0
    assert bytes(each.buffer[each.at : each.at + 2]) == b"\xcd\x01"


async def test_a_late_answer_is_not_the_next_one_s(args):
    other = b"\x01\x03\x00\x10\x00\x02"
    line = Line([(200, sealed(b"\x01\x03\x04\x00\x09\x00\x09"))], [(1, sealed(GOOD))])
    each = master(line)
    began = line.ms()
    assert await each.ask(READ, 30) == TIMEOUT
    assert await each.ask(other, 30) == TIMEOUT, "the unit may still be speaking: it is asked nothing"
    assert len(line.sent) == 1
    while each.late[1] > line.ms():
        await asyncio.sleep(0.01)
    assert line.ms() - began >= 2000
    assert await each.ask(other, 30) == 0
    assert bytes(each.buffer[each.at : each.at + 4]) == b"\x00\x01\x00\x02"


async def test_others_are_asked_meanwhile(args):
    each = master(Line([], [(1, sealed(b"\x02" + GOOD[1:]))]))
    assert await each.ask(READ, 30) == TIMEOUT
    assert await each.ask(b"\x02" + READ[1:], 30) == 0


async def test_silence_between_frames(args):
    line = Line([(1, sealed(GOOD)), (15, b"\x55"), (30, b"\x55")], [(1, sealed(GOOD))])
    each = master(line, silence=20)
    assert await each.ask(READ, 60) == 0
    heard = line.ms()
    assert await each.ask(READ, 60) == 0
    assert line.sent[1][0] - heard > 20
    assert line.sent[1][0] - line.sent[0][0] > 50, "from the last character, whosever it is"


async def test_a_line_that_is_never_quiet(args):
    line = Line([(1, sealed(GOOD))])
    each = master(line)
    line.read_into = lambda buffer: 1
    began = line.ms()
    assert await each.ask(READ, 60) == CRC
    assert 1000 <= line.ms() - began < 1100
    assert line.sent == []


async def test_one_at_a_time(args):
    line = Line([(20, sealed(GOOD))], [(20, sealed(b"\x02" + GOOD[1:]))], [(20, sealed(GOOD))])
    each = master(line)
    codes = await asyncio.gather(each.ask(READ, 60), each.ask(b"\x02" + READ[1:], 60), each.ask(READ, 60))
    assert list(codes) == [0, 0, 0]
    assert [frame[0] for _, frame in line.sent] == [1, 2, 1]


async def test_no_port(args):
    line = Line()

    def write(data):
        raise OSError(5)

    line.write, sane = write, line.write
    each = master(line)
    assert await each.ask(READ, 60) == TIMEOUT
    line.write = sane
    each.late.clear()
    line.script = [[(1, sealed(GOOD))]]
    assert await each.ask(READ, 60) == 0, "nobody holds the line any more"
