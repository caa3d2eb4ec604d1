"""A pty that answers DL/T 645 requests as a test wants it, and an asker at its other end."""

import asyncio
import contextlib
import time

from gateway.asked.dlt645_asker import Dlt645Asker
from protocols import dlt645
from simulators.pty import Pty

METER, OTHER = "000000000161", "181226034194"
VOLTS, WATTS = "02010100", "02030000"


def answer(item=VOLTS, raw=2314, address=METER):
    return dlt645.encode(address, 0x91, bytes.fromhex(item)[::-1] + dlt645.bcd(raw, item))


class Line:
    """Each request is answered by reply(frame, how many there were): a list of (delay in seconds, bytes)."""

    def __init__(self, path, reply):
        self.heard = []
        self.pty = Pty(path=path, heard=self._hear)
        self._reply = reply

    def _hear(self, data):
        for frame in dlt645.frames(data):
            self.heard.append(frame)
            for delay, said in self._reply(frame, len(self.heard)):
                asyncio.get_running_loop().call_later(delay, self.pty.write, said)


def play(tmp_path, reply, scene):
    async def whole():
        line = Line(tmp_path / "meters", reply)
        async with line.pty:
            asker = Dlt645Asker(port=str(line.pty.path), baud=19200)
            try:
                return await scene(asker, line)
            finally:
                await asker.close()

    return asyncio.run(whole())


@contextlib.contextmanager
def within(seconds):
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds
