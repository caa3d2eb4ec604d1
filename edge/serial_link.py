"""The uplink of a controller without network: the gateway on the serial line asks, this side answers.

The same shape as edge.mqtt.Client. docs/serial-uplink.md draws the frames, and says what each side may rely on.
"""

import asyncio
import os
from binascii import crc32

from wire import frames

# The gateway has the same numbers in gateway/controllers/frame.py; those that stand here alone take no memory.
_HEAD = 2  # where a frame's head begins in a buffer
_PART = 8  # and the fragment
_LIMIT = 240  # and where the longest one ends
_ROOM = 1543  # for a message of 1536 bytes, with what is around it
_ANSWER = 0x80
_FIRST = 0x40
_HOLD = 0x20
_TIMED = 0x10
_IN_TIME_MS = 120  # the gateway waits longer for an answer than this, and then asks somebody else
_PATIENCE_MS = 60_000  # so long without any progress, and the session is gone

NONE = b"\0\0"  # no session


class Client:
    """received(channel, payload): as of edge.mqtt, and also "time", six bytes: ms since 1970 UTC, now.

    `why`: None while there is a session, else a word for what ended it, or what the chunks raised.
    `passed`: messages that `received` raised at; they count as taken.
    """

    def __init__(self, config: dict, board, received) -> None:
        uplink = config["uplink"]
        self.why: object = "new"
        self.passed = 0
        self._address = uplink["address"]
        self._uart = board.uart(uplink["uart"])
        self._ms = board.ms
        self._received = received
        self._turn = asyncio.Lock()
        self._task: object = None
        self._session = NONE
        self._known = False  # the gateway has named it
        self._tx = bytearray(256)
        self._fragments = iter(())  # of the message that goes out
        self._end = 0  # of the fragment in _tx; 0: nothing goes out
        self._flags = self._number = 0  # of that fragment
        self._progress = 0  # ms
        self._message = bytearray(_ROOM)  # that comes
        self._got = 0  # bytes of it
        self._came = 0  # number of its last fragment

    async def connect(self, will: bytes) -> None:
        """Returns when the broker has taken this controller's session and its will. Raises OSError(why)."""
        if not self._task:
            self._task = asyncio.create_task(self._listen())
        self._lose("replaced")
        async with self._turn:
            self.why = None
            self._session = os.urandom(2)
            self._known = False
            self._number = self._came = self._got = 0
            await self._send("connect", len(will), (will,))

    async def publish(self, channel: str, size: int, chunks, retain: bool = False) -> None:
        """chunks: bytes-like, together `size` long; each is done with when the next one is asked for.

        Returns when the broker has acknowledged it to the gateway, which knows what is retained. Raises OSError(why).
        """
        async with self._turn:
            await self._send(channel, size, chunks)

    async def closed(self) -> None:
        """Raises OSError(why) when the session is gone."""
        while not self.why:
            await asyncio.sleep(0.1)
        raise OSError(self.why)

    async def close(self) -> None:
        """The gateway sees it at its next question, and sends the will."""
        self._lose("closed")

    async def _send(self, channel: str, size: int, chunks) -> None:
        if not self.why:
            self._fragments = self._cut(frames.UP.index(channel), size, chunks)
            self._next()
        try:
            while self._end:
                await asyncio.sleep(0.005)
        finally:
            if self._end:  # given up: what follows must not be taken for the rest of it
                self._lose("given up")
        if self.why:
            raise OSError(self.why)

    def _cut(self, code: int, size: int, chunks):
        """Fills _tx with one fragment after the other; yields where each ends, and 0 after the last."""
        tx, end, crc = self._tx, _PART, 0
        self._flags = _FIRST
        for pieces in (bytes((code, size >> 8, size & 255)),), chunks, (None,):
            for piece in pieces:
                piece = memoryview(crc.to_bytes(4, "little") if piece is None else piece)
                crc = crc32(piece, crc)
                while len(piece):
                    if end == _LIMIT:
                        self._number = self._number + 1 & 255
                        yield end
                        end, self._flags = _PART, 0
                    part = piece[: _LIMIT - end]
                    tx[end : end + len(part)] = part
                    end += len(part)
                    piece = piece[len(part) :]
        self._number = self._number + 1 & 255
        yield end
        yield 0

    def _next(self) -> None:
        self._progress = self._ms()
        try:
            self._end = next(self._fragments)
        except Exception as error:
            self._lose(error)

    def _lose(self, why) -> None:
        self.why = self.why or why
        self._session = NONE
        self._end = 0

    async def _listen(self) -> None:
        rx = bytearray(256)
        got = now = 0
        try:
            while True:
                await asyncio.sleep(0.005)
                looked, now = now, self._ms()
                if now - self._progress > _PATIENCE_MS:
                    self._lose("silence")
                count = self._uart.read_into(memoryview(rx)[got:] if got else rx)
                if count:
                    got = self._look(rx, got + count, looked + _IN_TIME_MS)
        finally:
            self._task = None
            self._lose("stopped")

    def _look(self, rx: bytearray, got: int, until: int) -> int:
        """Hears the frame that ends rx[:got], and answers it before `until`.

        Gives how much of a frame that has not ended stands in rx then.
        """
        end = rx.rfind(b"\0", 0, got)
        if end < 0:
            return got % 256  # full without an end: noise
        start = rx.rfind(b"\0", 0, end) + 1
        if start < end == got - 1 and self._ms() < until and rx[start + 1] == self._address:
            try:
                self._hear(memoryview(rx)[start + 1 : frames.unseal(rx, start, end)], until)
            except Exception:
                self.passed += 1
        rx[: got - end - 1] = rx[end + 1 : got]
        return got - end - 1

    def _hear(self, frame, until: int) -> None:
        if not len(frame) or frame[1] & _ANSWER:  # damaged, or an answer
            return
        flags, part = frame[1], frame[6:]
        if flags & _TIMED:
            self._received("time", part[:6])
            part = part[6:]
        if self._session != NONE and frame[2:4] == self._session:
            self._known = True
            if self._end and frame[5] == self._number:
                self._next()
            if not self._end:
                self._progress = self._ms()
            if len(part) and frame[4] == self._came + 1 & 255:
                self._came = frame[4]
                self._take(part, flags & _FIRST)
        elif self._known:
            self._lose("gone")
        if self._ms() < until:  # else the gateway may be asking somebody else by now
            self._answer(0 if flags & _HOLD else self._end)

    def _answer(self, end: int) -> None:
        frame = self._tx if end else bytearray(13)
        flags = _ANSWER | self._flags if end else _ANSWER
        frame[_HEAD:_PART] = bytes((self._address, flags)) + self._session + bytes((self._number, self._came))
        end = frames.seal(frame, end or _PART)
        self._uart.write(memoryview(frame)[:end])
        frames.unseal(frame, 1, end - 1)  # the fragment is itself again: it may have to be sent once more

    def _take(self, part, first: int) -> None:
        message, got = memoryview(self._message), 0 if first else self._got
        self._got = end = got + len(part)
        if end > len(message):
            self._lose("long")
            return
        message[got:end] = part
        if end > 6 and end - 7 == message[1] << 8 | message[2]:
            if crc32(message[:end]) != frames.RIGHT:
                self._lose("crc")
            elif message[0] < len(frames.DOWN):
                self._received(frames.DOWN[message[0]], message[3 : end - 4])
