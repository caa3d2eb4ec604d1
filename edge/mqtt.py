"""The controller's MQTT 3.1.1: packs and status go OUT, what is published under down/ comes IN.

QoS 1 both ways, one publish under way at a time, a session that the broker keeps. Three tasks live as long as a
session: one writes, one reads, one watches that the broker answers. Nobody else touches the socket, so that it can be
closed at once; whoever publishes waits for an event. When to connect again is the caller's. docs/edge-mqtt.md has the
words and the bounds.
"""

import asyncio

from edge.guest import guest

TICK_S = 15  # a quiet broker is asked at the second, and given up at the third, tick without an answer
_BUFFER = 1184  # a payload of 1024 bytes, and its topic with two names of 64 characters


class Client:
    """received(channel, payload): a plain function; the payload is a memoryview that holds during the call.

    why: None while there is a session; else a word, or an errno, for what ended it. passed: messages longer than the
    buffer, of no channel of ours, or that `received` raised at; they are acknowledged all the same.
    """

    def __init__(self, config: dict, board, received) -> None:
        self.why: object = "new"
        self.passed = 0
        self._config = config
        self._board = board
        self._received = received
        self._topic = "poles/%s/%s/" % (config["area"], config["node"])
        self._buffer = memoryview(bytearray(_BUFFER))
        self._link = None  # a MicroPython stream; on CPython one of the same shape
        self._tasks: list = []
        self._turn = asyncio.Lock()
        self._packet: object = None  # (its begin, chunks, their size), to be written; at first the will
        self._small = b""  # acknowledgements and pings, to be written before it
        self._work = asyncio.Event()
        self._kind = 0  # of the acknowledgement that is waited for; 0: none
        self._number = 0  # of the packet that it is for
        self._answered = asyncio.Event()
        self._age = 0  # ticks without an answer

    async def connect(self, will: bytes) -> None:
        """Returns when the broker has taken us and our subscription. Raises OSError(why)."""
        self._end("replaced")
        async with self._turn:
            self.why = None
            self._small = b""
            self._packet = will
            self._start(self._write())
            self._start(self._watch())
            await self._answer(0x20)
            await self._exchange(0x82, b"", text(self._topic + "down/#") + b"\1")

    async def publish(self, channel: str, size: int, chunks, retain: bool = False) -> None:
        """chunks: bytes-like, together `size` long; each is done with when the next one is asked for.

        Returns when the broker has acknowledged. Raises OSError(why); it ends the session when the chunks raise, or are
        of another size, because half a packet was out.
        """
        async with self._turn:
            topic = text(self._topic + "up/" + channel)
            await self._exchange(0x33 if retain else 0x32, topic, b"", chunks, size)

    async def close(self) -> None:
        """A planned end: the broker does not send the will."""
        async with self._turn:
            self._packet = b"\xe0\0", (), 0
            try:
                await self._answer(1)
            except OSError:
                pass  # as it should: the broker hangs up

    async def _exchange(self, kind: int, before: bytes, after: bytes, chunks=(), size: int = 0) -> None:
        self._number = self._number % 65535 + 1
        body = before + self._number.to_bytes(2, "big") + after
        self._packet = head(kind, len(body) + size) + body, chunks, size
        await self._answer(kind + 16 & 0xF0)  # PUBLISH and SUBSCRIBE are acknowledged by the next kind

    async def _answer(self, kind: int) -> None:
        if self.why is None:
            self._kind = kind
            self._age = 0
            self._answered.clear()
            self._work.set()
            await self._answered.wait()
        if self.why is not None:
            raise OSError(self.why)

    def _start(self, work) -> None:
        self._tasks.append(asyncio.create_task(self._run(work)))

    async def _run(self, work) -> None:
        try:
            await work
        except Exception as error:
            why = "lost"
            try:
                why = guest("edge.dial", "reason", error, self._board)
            finally:
                self._end(why)

    def _end(self, why) -> None:
        if self.why is None:
            self.why = why
            for task in self._tasks:
                if task is not asyncio.current_task():
                    task.cancel()
            if self._link:
                self._link.s.close()
                self._link.e.close()
            self._link = self._packet = None
            self._tasks = []
            self._answered.set()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._age += 1
            if self._age > 2:
                raise OSError("silent")
            if self._age == 2 and not self._kind:
                self._small += b"\xc0\0"
                self._work.set()

    async def _write(self) -> None:
        self._link = link = guest("edge.dial", "dial", self._config, self._board, self._packet)
        self._packet = None
        await link.drain()  # TCP, TLS, CONNECT
        self._start(self._read(link))
        while True:
            await self._work.wait()
            self._work.clear()
            link.out_buf, self._small = self._small, b""  # write() would copy what the socket does not take at once
            await link.drain()
            if self._packet:
                (link.out_buf, chunks, size), self._packet = self._packet, None
                await link.drain()
                for chunk in chunks:
                    size -= len(chunk)
                    link.out_buf = chunk
                    await link.drain()
                if size:
                    raise OSError("size")
                chunk = chunks = None  # their memory is free while nothing goes out

    async def _read(self, link) -> None:
        buffer = self._buffer
        while True:
            await self._fill(link, 2)
            kind, byte = buffer[0], buffer[1]
            size, shift = byte & 127, 7
            while byte > 127 and shift < 28:
                await self._fill(link, 1)
                byte = buffer[0]
                size |= (byte & 127) << shift
                shift += 7
            if kind >> 4 == 3 and byte < 128:
                await self._take(link, kind, size)
            elif (kind, size) in ((0x20, 2), (0x40, 2), (0x90, 3), (0xD0, 0)):
                await self._fill(link, size)
                self._note(kind)
            else:
                raise OSError("protocol")

    def _note(self, kind: int) -> None:
        buffer = self._buffer
        if kind == 0xD0:
            self._age = 0
        elif kind == self._kind and (kind == 0x20 or buffer[0] << 8 | buffer[1] == self._number):
            code = buffer[1] if kind == 0x20 else buffer[2] & 0x80 if kind == 0x90 else 0
            if code:
                raise OSError("refused %d" % code)
            self._kind = self._age = 0
            self._answered.set()

    async def _take(self, link, kind: int, size: int) -> None:
        buffer = self._buffer
        some = min(size, _BUFFER)
        await self._fill(link, some)
        end = 2 + (buffer[0] << 8 | buffer[1])
        start = end + (kind & 2)  # QoS 1 has a number there
        if kind & 4 or start > some:  # QoS 2, which nobody asked for, or lengths that lie
            raise OSError("protocol")
        number = bytes(buffer[end:start])
        try:
            down = self._topic + "down/"
            topic = str(buffer[2:end], "utf-8")
            if some < size or not topic.startswith(down):
                raise ValueError
            self._received(topic[len(down) :], buffer[start:size])
        except Exception:  # sent again it would be no better
            self.passed += 1
        while some < size:
            self._age = 0  # it is long, and it moves
            count = min(size - some, _BUFFER)
            await self._fill(link, count)
            some += count
        if number:
            while len(self._small) > 60:
                await asyncio.sleep(0.1)
            self._small += b"\x40\2" + number
            self._work.set()

    async def _fill(self, link, size: int) -> None:
        start = 0
        while start < size:
            count = await link.readinto(self._buffer[start:size])
            if count == 0:
                raise OSError("closed")
            start += count or 0  # None: nothing, after all


def text(value):
    """A string of MQTT."""
    if isinstance(value, str):
        value = value.encode()
    return len(value).to_bytes(2, "big") + value


def head(kind: int, size: int) -> bytearray:
    """What a packet begins with."""
    out = bytearray((kind,))
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    out.append(size)
    return out
