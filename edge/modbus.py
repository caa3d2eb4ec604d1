"""Modbus RTU as a master on one UART: a request IN, a checked answer OUT, whatever else is on the line.

Modbus Application Protocol V1.1b3 (requests, answers), Modbus over Serial Line V1.02 (frames, silence, checksum).
"""

import asyncio

_TIMEOUT = 256  # no answer; 0 is one, and 1 to 255 is a device's exception
_CRC = 257  # no right answer
_NOISE_MS = 1000  # a line that is not quiet for so long carries something else
_LATE_MS = 2000  # so long after a request that nobody answered its unit may still speak
_BUFFER = 300  # the longest answer, and an echo or noise before it


def crc16(data):
    """0 over a frame with its checksum. It needs no table: an entry is its index, shifted, and 0xC001 by its parity."""
    crc = 0xFFFF
    for byte in data:
        byte ^= crc & 255
        crc = crc >> 8 ^ byte << 6 ^ byte << 7
        if 0x6996 >> ((byte ^ byte >> 4) & 15) & 1:
            crc ^= 0xC001
    return crc


class Master:
    """buffer[at:] is the data of the last answer, until the next await."""

    def __init__(self, board, uart, character_us, silence_ms):
        self.ms = board.ms
        self.at = 0
        self.late = {}  # unit -> until when it is asked nothing
        self.buffer = bytearray(_BUFFER)
        self.sent = self._quiet = board.ms()  # when our last character on the line ended, and anybody's
        self._lock = asyncio.Lock()
        self._uart = uart
        self._character = character_us
        self._silence = silence_ms
        self._echoes = False  # the line hears itself

    async def ask(self, request, wait):
        """request: without its checksum; wait: ms beyond the time on the wire. -> 0, an exception, _TIMEOUT or _CRC."""
        code = _TIMEOUT
        await self._lock.acquire()
        try:
            if self.late.get(request[0], 0) <= self.ms():
                code = await self._exchange(request, wait)
        except OSError:  # no port
            pass
        finally:
            self._lock.release()
        if code > 255:  # frames carry no number: an answer that is late would pass for the next one's
            self.late[request[0]] = self.sent + _LATE_MS
        return code

    async def _exchange(self, request, wait):
        crc = crc16(request)
        frame = request + bytes((crc & 255, crc >> 8))
        size = 8
        if request[1] < 5:
            size = request[4] << 8 | request[5]
            size = 5 + ((size + 7) // 8 if request[1] < 3 else 2 * size)
        self.sent = self.ms()
        while True:
            end = self._uart.read_into(self.buffer)
            now = self.ms()
            if end:
                self._quiet = now
            elif now > self._quiet + self._silence:
                break
            if now > self.sent + _NOISE_MS:
                return _CRC
            await asyncio.sleep(0.002)
        self._uart.write(frame)
        self.sent = self._quiet = now = self.ms() + len(frame) * self._character // 1000
        over = now + size * self._character // 1000 + wait
        view = memoryview(self.buffer)
        while now < over and end < _BUFFER:
            await asyncio.sleep(0.002)
            came = self._uart.read_into(view[end:])
            now = self.ms()
            end += came
            if came:
                self._quiet = max(now, self._quiet)
            if end > 4 and (end >= size or not came):
                code = self._look(view, frame, size, end)
                if code >= 0:
                    return code
        return _CRC if end and view[:end] != frame else _TIMEOUT

    def _look(self, view, frame, size, end):
        """The answer among the bytes so far -> 0 or its exception, -1 while there is none."""
        function = frame[1]
        echo = view[: len(frame)] == frame
        # a write of one item is answered by its own bytes: they are an echo where reads had one
        start = 8 if echo and self._echoes and 4 < function < 7 else 0
        good = frame[:6] if function > 4 else frame[:2] + bytes((size - 5,))
        for head, length in ((good, size), (bytes((frame[0], function + 128)), 5)):
            at = self.buffer.find(head, start, end)
            while 0 <= at <= end - length:
                if not crc16(view[at : at + length]):
                    self.at = at + 3
                    if function < 5:
                        self._echoes = echo
                    return 0 if head is good else view[at + 2] or _CRC
                at = self.buffer.find(head, at + 1, end)
        return -1
