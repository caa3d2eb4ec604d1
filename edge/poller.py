"""Polls the devices of one bus by its plan: their readings go OUT by exception, commands come IN between two requests.

Whoever is due longest is next, events before all others, but never twice in a row while another waits. Who does not
answer is asked rarely: all failures together take a twentieth of the bus's time, beyond a few of each.
"""

import asyncio
import struct
from array import array

from edge import plan as plans
from edge.guest import guest
from edge.modbus import Master

_RANGE = 258  # a code beside those of edge.modbus
_VALUE = 259  # of what was told: a value; 0 is nothing yet
_RETRY_MS = 5000  # who did not answer is asked again no later
_SHARE = 20  # so many times what a failure took is left to others
_SILENT_AFTER = 3  # failures in a row
_CREDIT_MS = 15_000  # so much of it to be paid back keeps nobody from being asked
_DEBT_MS = 30_000  # the most
_AGO_MS = 0x3FFFFFFF  # twelve days: a number that takes no room of its own
# A section of the plan begins with µs of a character, ms of silence, blocks, bytes of state, and of the longest block
# (16, 8, 8, 16, 16 bits); then for each block its unit, flags, where it begins, where its state does (8, 8, 16, 16),
# and the same for the end. A block: the request; ms to wait beyond the time on the wire, from one read to the next,
# until what has not changed is told again (16, 32, 32), points (8); then the points, as in edge.plan.
_HEAD = 8
_PLACE = 6
_BLOCK = 17
_EVENT = 1
_DIVIDES = 2
_STATE = 6  # of a point: when it was told, and as what; its registers follow


class Poller(Master):
    """A block of the plan is in memory while it is its turn."""

    def __init__(self, board, bus, collector):
        """Raises OSError or ValueError without a plan for this bus."""
        self.file, self.start = guest("edge.access", "find", board.folder + "/plan.bin", bus)
        character_us, silence_ms, blocks, state, longest = struct.unpack("<HBBHH", self.file.read(_HEAD))
        Master.__init__(self, board, board.uart(bus), character_us, silence_ms)
        self.places = self.file.read((blocks + 1) * _PLACE)
        self._block = bytearray(longest)
        self._add = collector.add
        self._due = array("q", [board.ms()] * blocks)
        self._failed = bytearray(blocks)  # so often in a row
        self._alone = bytearray(blocks)  # where a block is refused as a whole: 1 + the point that is read next
        self._state = bytearray(state)
        self._debt = 0  # until when failures are paid back
        self._was_event = 0

    async def run(self, beat):
        """For ever; beat is called at every turn."""
        while True:
            beat()
            turn = self._next()
            if turn < 0:
                await asyncio.sleep(0.01)
            else:
                await self._turn(turn)

    def _next(self):
        """The block to read now, or -1."""
        now = self.ms()
        best, first = -1, 0
        for i in range(len(self._due)):
            due = self._due[i] - now
            failed = self._failed[i]
            if due > 0 or self.late.get(self.places[i * _PLACE], 0) > now:
                continue
            if failed and self._debt > now + (_CREDIT_MS if failed < _SILENT_AFTER else 0):
                continue
            if self.places[i * _PLACE + 1] & _EVENT == self._was_event:
                due += _AGO_MS
            if best < 0 or due < first:
                best, first = i, due
        return best

    async def _turn(self, turn):
        block = self._block
        _, flags, start, state = struct.unpack_from("<BBHH", self.places, turn * _PLACE)
        self.file.seek(self.start + start)
        self.file.readinto(block)
        wait, every, silence, points = struct.unpack_from("<HIIB", block, 6)
        point = _BLOCK
        alone = self._alone[turn]
        for _ in range(alone - 1):
            state += _STATE + (block[point + 2] & 15)
            point += block[point]
        code = await self.ask(request(block, point) if alone else bytes(block[:6]), wait)
        now = self.ms()
        self._was_event = flags & _EVENT
        if code in (2, 3) and flags & _DIVIDES and not alone:
            self._alone[turn] = 1
            return
        if code > 255:
            every = min(every, _RETRY_MS)
        at = self.at
        if alone:
            at = self.base(block, point)
            self._alone[turn] = alone % points + 1
            every //= points
            points = 1
        self._due[turn] = max(self._due[turn] + every, now)
        self._judge(turn, code, now)
        for _ in range(points):
            state = self._tell(point, state, code, at, silence, now)
            point += block[point]

    def base(self, block, point):
        """Where the block's answer would begin in the buffer, which holds the answer to one point of it."""
        start = block[point + 3]
        if block[1] < 3:
            self.buffer[self.at] = self.buffer[self.at] << block[point + 4] & 255
            return self.at - start
        return self.at - start + start % 2

    def _judge(self, turn, code, now):
        """What became of a block, for who is asked next."""
        failed = self._failed
        if code > 255:
            failed[turn] = min(failed[turn] + 1, 255)
            # while nobody at all answers, nobody loses anything by more requests
            lost = (now - self.sent) * (1 if min(failed) else _SHARE)
            self._debt = min(max(self._debt, now) + lost, now + _DEBT_MS)
        elif failed[turn]:
            for i in range(len(failed)):
                if failed[i] and self.places[i * _PLACE] == self.places[turn * _PLACE]:
                    failed[i] = 0
                    self._due[i] = min(self._due[i], now)

    def _tell(self, point, at, code, base, silence, now):
        """One point of a block: tells what has to be told. -> where the state of the next one is."""
        plan, state = self._block, self._state
        _, kind, size, start, bit, device, name = plan[point : point + 7]
        size &= 15
        base += start
        told, last = struct.unpack_from("<IH", state, at)
        number = 0
        if not code:
            number = plans.raw(self.buffer, base, kind, size, bit)
            code = _VALUE if plans.is_valid(plan, point, number) else _RANGE
        event = kind & 8
        if code == last:
            before = plans.raw(state, at + _STATE, kind, size, bit)
            if code != _VALUE or before == number or not self._differs(point, before, number):
                event = 0
                if now - told & _AGO_MS < silence:
                    return at + _STATE + size
        struct.pack_into("<IH", state, at, now & _AGO_MS, code)
        if code == _VALUE:
            state[at + _STATE : at + _STATE + size] = self.buffer[base : base + size]
            code = 0
        names = plans.name(plan, point, 8, device), plans.name(plan, point, device, name)
        self._add(names[0], names[1], plans.field(plan, point, code, number), event > 0)
        return at + _STATE + size

    def _differs(self, point, one, other):
        """Whether two raw numbers are values that differ, by the deadband at least."""
        _, _, n, d = plans.value(self._block, point, one)
        _, _, m, e = plans.value(self._block, point, other)
        apart = abs(n * e - m * d)
        a, b = plans.constant(self._block, point, 0)
        return apart and apart * b >= a * d * e


def request(block, point):
    """The read of one point of a block."""
    unit, function, address = struct.unpack_from(">BBH", block)
    start = block[point + 3]
    address += 8 * start + block[point + 4] if function < 3 else start // 2
    return struct.pack(">BBHH", unit, function, address, (block[point + 2] & 15) + 1 >> 1)
