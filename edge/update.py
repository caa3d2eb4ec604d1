"""A signed manifest and the chunks of a release IN, a whole other slot on trial OUT.

A guest: imported for a release, and thrown out again, as are the two that it calls, one before and one after. The blob
is fetched into one file, whose length is how far it got: after a reset, or when something else has to be done first, it
goes on there.
"""

import asyncio
import random
from binascii import crc32

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
    version, why, turns = "", "same", 2
    try:
        if payload:
            version, why, digest, size, units = guest("edge.release", "accept", guard, agent.board.name, payload)
            del payload  # its room is needed
        elif guard.state[3] and not guard.state[1]:  # withdrawn: what failed may be tried again
            guard.save(3, 0)
        while why == "again" and turns:
            turns -= 1
            fetch = Fetch(agent.link.publish, version, digest)
            agent.chunk = fetch.received
            if not await fetch.into(guard.slot(True) + "/blob", size, go_on):
                return 0
            try:
                from edge.contents import install

                why = await install(guard, digest, version, units)
            finally:
                leave("edge.contents")
    except OSError as error:
        print("update:", *error.args)
        return random.randint(_REST_S // 2, _REST_S)
    finally:
        agent.chunk = None
    if not why:
        agent.collector.flush()
        agent.board.reset()
    said.pop("release_refused", None)
    if why != "same":
        said["release_refused"] = {"version": version, "reason": "content" if why == "again" else why}
    agent.session.tell()
    return None


class Fetch:
    """A blob on its way. publish: of the link."""

    def __init__(self, publish, version: str, digest: bytes) -> None:
        self._publish = publish
        self._version = version
        self._tag = digest[:4]
        self._head = b""
        self._length = 0  # of the chunk that is waited for
        self._got = asyncio.Event()
        self._file: object = None

    async def into(self, path: str, size: int, go_on) -> bool:
        """False: go_on said so. Raises OSError where nobody answers."""
        with open(path, "ab") as file:  # noqa: ASYNC230
            self._file = file
            at = file.seek(0, 2)
            attempt = 0
            while at < size:
                if not go_on():
                    return False
                if attempt == len(WAITS_S):
                    raise OSError("nobody answers")
                length = min(_CHUNK, size - at)
                ask = '{"release":"%s","sha":"%s","offset":%d,"length":%d}' % (
                    self._version, self._tag.hex(), at, length,
                )  # fmt: skip
                self._head = self._tag + at.to_bytes(4, "big")
                self._length = length
                self._got.clear()
                await self._publish("fetch", len(ask), (ask.encode(),))
                try:
                    await asyncio.wait_for(self._got.wait(), WAITS_S[attempt])
                except asyncio.TimeoutError:  # noqa: UP041 - MicroPython has no other
                    attempt += 1
                    continue
                attempt = 0
                at += length
                if at % _SYNC == 0:
                    disk.sync(file)
        return True

    def received(self, chunk) -> None:
        """Takes the chunk that is waited for, and no other."""
        length = self._length
        if length and len(chunk) == length + 12 and bytes(chunk[:8]) == self._head:
            if crc32(chunk[12:]) == int.from_bytes(chunk[8:12], "big"):
                self._file.write(chunk[12:])  # type: ignore[attr-defined]
                self._length = 0
                self._got.set()
