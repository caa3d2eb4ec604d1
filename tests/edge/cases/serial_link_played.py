"""The controller's end of the serial line, asked by a gateway that the tests play, frame by frame."""

import asyncio
from binascii import crc32

from edge.serial_link import Client
from wire import frames

ANSWER, FIRST, HOLD, TIMED = 0x80, 0x40, 0x20, 0x10
ADDRESS = 17
WILL = b'{"online":false}'


class Line:
    """Board and UART in one; time stands still until somebody moves it."""

    def __init__(self):
        self.now = 1
        self.arrives = b""
        self.sent = []

    def uart(self, name):
        assert name == "up"
        return self

    def ms(self):
        return self.now

    def read_into(self, buffer):
        count = min(len(buffer), len(self.arrives))
        buffer[:count] = self.arrives[:count]
        self.arrives = self.arrives[count:]
        return count

    def write(self, data):
        self.sent.append(bytes(data))


class Played:
    """A client and its line. told: what the client gave to `received`."""

    def __init__(self):
        self.line = Line()
        self.told = []
        self.takes_ms = 0
        self.session = b"\0\0"
        self.came = 0
        self.client = Client({"uplink": {"uart": "up", "address": ADDRESS}}, self.line, self.received)

    def received(self, channel, payload):
        self.told.append((channel, bytes(payload)))
        self.line.now += self.takes_ms
        if payload == b"trouble":
            raise ValueError("trouble")

    async def hear(self, data):
        """What the client sends after these bytes, b"" for nothing."""
        del self.line.sent[:]
        self.line.arrives = data
        for _ in range(2):
            await asyncio.sleep(0.006)  # the client looks every 5 ms
            if self.line.sent:
                break
        assert len(self.line.sent) < 2
        return self.line.sent[0] if self.line.sent else b""

    async def ask(self, flags=0, number=0, part=b"", session=None, time=b""):
        """(session, number, came, part, first) of the answer."""
        question = frame(flags, session or self.session, number, self.came, time + part)
        return opened(await self.hear(question))

    async def online(self):
        """Connects it, as a gateway whose broker is there does."""
        connecting = asyncio.create_task(self.client.connect(WILL))
        while self.client.why:
            await asyncio.sleep(0.002)
        answer = await self.ask()
        assert answer[1:] == (1, 0, message(0, WILL), FIRST), answer
        self.session, self.came = answer[0], 1
        answer = await self.ask()
        assert answer[2:4] == (0, b""), answer
        await connecting
        assert self.client.why is None

    async def publishes(self, chunks, size=None):
        """A task that publishes; returns when its first fragment is ready to go."""
        size = sum([len(chunk) for chunk in chunks]) if size is None else size
        task = asyncio.create_task(told(self.client.publish("telemetry", size, chunks)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task


async def told(work):
    """What comes of it: "" or the words of its error."""
    try:
        await work
    except OSError as error:
        return str(error.args[0])
    return ""


def message(code, body):
    head = bytes((code, len(body) >> 8, len(body) & 255)) + body
    return head + crc32(head).to_bytes(4, "little")


def frame(flags, session, number, came, part, address=ADDRESS):
    content = bytes((address, flags)) + session + bytes((number, came)) + part
    buffer = bytearray(2) + content + bytearray(5)
    return bytes(buffer[: frames.seal(buffer, 2 + len(content))])


def opened(data):
    buffer = bytearray(data)
    content = bytes(buffer[2 : frames.unseal(buffer, 1, len(buffer) - 1)])
    assert content[0] == ADDRESS, content
    assert content[1] & ANSWER, content
    return content[2:4], content[4], content[5], content[6:], content[1] & FIRST
