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
# A plan: µs of a character, ms of silence, blocks, bytes of state (16, 8, 8, 16 bits); the blocks. A block: the
# request; ms to wait beyond the time on the wire, first part, its place in the state (16 bits each), parts, flags
# (8 each), ms from one read to the next, ms until what has not changed is told again (32 each)
_BLOCKS = 6
_BLOCK = 22
_EVENT = 1
_DIVIDES = 2
# A part: where its device's name and its point are (16 bits each), byte and bit in the answer
_PART = 6
# Its state: when it was told, and as what; its registers
_STATE = 6


class Poller(Master):
    def __init__(self, board, bus, collector):
        """Raises OSError or ValueError without a plan for this bus."""
        self.plan = guest("edge.access", "load", board.folder + "/plan.bin", bus)
        character_us, silence_ms, blocks, size = struct.unpack_from("<HBBH", self.plan)
        Master.__init__(self, board, board.uart(bus), character_us, silence_ms)
        self._add = collector.add
        self._due = array("q", [board.ms()] * blocks)
        self._failed = bytearray(blocks)  # so often in a row
        self._alone = bytearray(blocks)  # where a block is refused as a whole: 1 + the part that is read next
        self._state = bytearray(size)
        self._debt = 0  # until when failures are paid back
        self._was_event = 0

    def read(self, *what):
        """As edge.access reads a point."""
        return guest("edge.access", "read", self, *what)

    def write(self, *what):
        """As edge.access writes registers."""
        return guest("edge.access", "write", self, *what)

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
            block = _BLOCKS + i * _BLOCK
            due = self._due[i] - now
            failed = self._failed[i]
            if due > 0 or self.late.get(self.plan[block], 0) > now:
                continue
            if failed and self._debt > now + (_CREDIT_MS if failed < _SILENT_AFTER else 0):
                continue
            if self.plan[block + 13] & _EVENT == self._was_event:
                due += _AGO_MS
            if best < 0 or due < first:
                best, first = i, due
        return best

    async def _turn(self, turn):
        plan = self.plan
        block = _BLOCKS + turn * _BLOCK
        wait, part, state, parts, flags, every, silence = struct.unpack_from("<HHHBBII", plan, block + 6)
        alone = self._alone[turn]
        for _ in range(alone - 1):
            state += _STATE + (plan[1 + (plan[part + 2] | plan[part + 3] << 8)] & 15)
            part += _PART
        code = await self.ask(self.request(block, part) if alone else plan[block : block + 6], wait)
        now = self.ms()
        self._was_event = flags & _EVENT
        if code in (2, 3) and flags & _DIVIDES and not alone:
            self._alone[turn] = 1
            return
        if code > 255:
            every = min(every, _RETRY_MS)
        base = self.at
        if alone:
            base = self.base(block, part)
            self._alone[turn] = alone % parts + 1
            every //= parts
            parts = 1
        self._due[turn] = max(self._due[turn] + every, now)
        self._judge(turn, code, now)
        for _ in range(parts):
            state = self._tell(part, state, code, base, silence, now)
            part += _PART

    def request(self, block, part):
        """The read of one part of a block."""
        plan = self.plan
        unit, function, address = struct.unpack_from(">BBH", plan, block)
        _, point, start, bit = struct.unpack_from("<HHBB", plan, part)
        address += 8 * start + bit if function < 3 else start // 2
        return struct.pack(">BBHH", unit, function, address, (plan[point + 1] & 15) + 1 >> 1)

    def base(self, block, part):
        """Where the block's answer would begin in the buffer, which holds the answer to one part of it."""
        start = self.plan[part + 4]
        if self.plan[block + 1] < 3:
            self.buffer[self.at] = self.buffer[self.at] << self.plan[part + 5] & 255
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
                if failed[i] and self.plan[_BLOCKS + i * _BLOCK] == self.plan[_BLOCKS + turn * _BLOCK]:
                    failed[i] = 0
                    self._due[i] = min(self._due[i], now)

    def _tell(self, part, at, code, base, silence, now):
        """One part of a block: tells what has to be told. -> where the state of the next one is."""
        plan, state = self.plan, self._state
        device, point, start, bit = struct.unpack_from("<HHBB", plan, part)
        base += start
        kind = plan[point]
        size = plan[point + 1] & 15
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
        self._add(
            plans.name(plan, device), plans.name(plan, point + 4), plans.field(plan, point, code, number), event > 0
        )
        return at + _STATE + size

    def _differs(self, point, one, other):
        """Whether two raw numbers are values that differ, by the deadband at least."""
        _, _, n, d = plans.value(self.plan, point, one)
        _, _, m, e = plans.value(self.plan, point, other)
        apart = abs(n * e - m * d)
        a, b = plans.constant(self.plan, point, 16)
        return apart and apart * b >= a * d * e
