"""A signed manifest and the chunks of a release IN, a whole other slot on trial OUT.

A guest: imported for a release, and thrown out again, as are the two that it calls. The blob is fetched into one file,
whose length is how far it got: after a reset, or when something else has to be done first, it goes on there.
"""

import asyncio
import binascii
import os
import random

from edge import disk
from edge.guest import guest, leave

_CHUNK = 512  # bytes asked for at once: the answer with its head fits the serial uplink
_SYNC = 4096  # bytes that a power cut may cost
_REST_S = 600
WAITS_S = (5, 10, 20)


async def run(agent, payload: bytes, go_on):
    """None: this payload is dealt with. Else it is worth another attempt, after so many seconds.

    go_on: a function that is called before each chunk; False: there is something else to do.
    """
    guard, said = agent.guard, agent.session.said
    if not payload:  # withdrawn: what failed may be tried again
        said.pop("release_refused", None)
        if guard.state[3] and not guard.state[1]:
            guard.save(3, 0)
        agent.session.tell()
        return None
    update = Update(guard, agent.board.name, agent.link.publish, go_on)
    agent.chunk = update.received
    try:
        why = await update.run(payload)
    except OSError as error:
        print("update:", *error.args)
        return random.randint(_REST_S // 2, _REST_S)
    finally:
        agent.chunk = None
    if why == "paused":
        return 0
    if not why:
        agent.collector.flush()
        agent.board.reset()
    said.pop("release_refused", None)
    if why != "same":
        said["release_refused"] = {"version": update.version, "reason": why}
    agent.session.tell()
    return None


class Update:
    """board: its name. publish: of the link. version: what the manifest is about, for who tells of a refusal."""

    def __init__(self, guard, board: str, publish, go_on) -> None:
        self.version = ""
        self._guard = guard
        self._board = board
        self._publish = publish
        self._go_on = go_on
        self._file: object = None
        self._head = b""
        self._length = 0  # of the chunk that is waited for
        self._got = asyncio.Event()

    async def run(self, payload: bytes):
        """Empty: the other slot is on trial, the controller has to be reset. "same": this release runs already.

        "paused": go_on said so. Any other word: why the release is refused. Raises OSError where nobody answers.
        """
        guard = self._guard
        slot = guard.slot(True)
        self.version, why, digest, size, room, units = guest(
            "edge.release",
            "check",
            payload,
            _read(guard.root + "release.key"),
            guard.version(guard.slot()),
            self._board,
        )
        if why:
            return why
        if guard.state[1]:
            raise OSError("on trial")  # the other slot is what it may have to go back to
        del payload  # its room is needed
        if _read(slot + "/begun") != digest:
            for name in ("/version", "/begun", ""):  # first it is no longer whole, last it belongs to this release
                _drop(slot + name)
            os.mkdir(slot)
            figures = os.statvfs(slot)
            if figures[1] * figures[4] < room:
                return "space"
            guard.write(slot[-1] + "/begun", digest)
        elif guard.state[3]:
            return "failed"
        if not guard.version(slot):
            why = await self._fill(slot, size, digest)
            if why:
                return why
            if not guard.write(slot[-1] + "/version", self.version.encode()):
                return "space"
        _drop(slot + "/blob")
        return "" if guard.save(0, ord(slot[-1]), units, 3, 0) else "space"

    def received(self, chunk) -> None:
        """Takes the chunk that is waited for, and no other."""
        length = self._length
        if length and len(chunk) == length + 12 and bytes(chunk[:8]) == self._head:
            if binascii.crc32(chunk[12:]) == int.from_bytes(chunk[8:12], "big"):
                self._file.write(chunk[12:])  # type: ignore[attr-defined]
                self._length = 0
                self._got.set()

    async def _fill(self, slot: str, size: int, digest: bytes):
        for _ in range(2):
            if not await self._fetch(slot + "/blob", size, digest[:4]):
                return "paused"
            try:
                from edge.contents import unpack

                if await unpack(slot, digest):
                    return ""
            except ValueError:
                break
            finally:
                leave("edge.contents")
            _drop(slot + "/blob")
        return "content"

    async def _fetch(self, blob: str, size: int, tag: bytes) -> bool:
        with open(blob, "ab") as file:  # noqa: ASYNC230
            self._file = file
            at = file.seek(0, 2)
            while at < size:
                if not self._go_on():
                    return False
                length = min(_CHUNK, size - at)
                await self._ask(tag, at, length)
                at += length
                if at % _SYNC == 0:
                    disk.sync(file)
        return True

    async def _ask(self, tag: bytes, at: int, length: int) -> None:
        ask = '{"release":"%s","sha":"%s","offset":%d,"length":%d}' % (self.version, tag.hex(), at, length)
        self._head = tag + at.to_bytes(4, "big")
        for wait in WAITS_S:
            self._got.clear()
            self._length = length
            await self._publish("fetch", len(ask), (ask.encode(),))
            try:
                await asyncio.wait_for(self._got.wait(), wait)
                return
            except asyncio.TimeoutError:  # noqa: UP041 - MicroPython has no other
                pass
        raise OSError("nobody answers")


def _drop(path: str) -> None:
    # a file, or a folder with what is in it; what is not there is well dropped
    try:
        os.remove(path)
    except OSError:
        try:
            for name in os.listdir(path):
                _drop(path + "/" + name)
            os.rmdir(path)
        except OSError:
            pass


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(512)
    except OSError:
        return b""
