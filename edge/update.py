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
_LOOK_S = 0.005
WAITS_S = (5, 10, 20)


async def run(agent, go_on) -> int:
    """Deals with agent.release, which is None then; or it is to be called again, after so many seconds.

    agent.release: a payload of down/release; True: the one that was begun, and stands on the disk. go_on: a function
    that is called before each chunk; False: there is something else to do.
    """
    guard, said = agent.guard, agent.session.said
    payload, agent.release = agent.release, None
    version, why, turns, rest = "", "same", 2, 0
    try:
        if payload:
            version, why, digest, size, units = guest("edge.release", "accept", guard, agent.board.name, payload)
            payload = True  # its room is needed
        elif guard.state[3] and not guard.state[1]:  # withdrawn: what failed may be tried again
            guard.save(3, 0)
        while why == "again" and turns:
            turns -= 1
            fetch = Fetch(agent.link.publish, version, digest)
            agent.chunk = fetch.received
            if not await fetch.into(guard.slot(True) + "/blob", size, go_on):
                why = "later"
                break
            agent.chunk = None
            del fetch  # its room is needed too
            try:
                from edge.contents import install

                why = await install(guard, digest, version, units)
            finally:
                leave("edge.contents")
    except OSError as error:
        print("update:", *error.args)
        why, rest = "later", random.randint(_REST_S // 2, _REST_S)
    finally:
        agent.chunk = None
    if why == "later":
        if agent.release is not None:
            return 0  # a newer one
        agent.release = payload
        return rest
    if not why:
        agent.collector.flush()
        agent.board.reset()
    said.pop("release_refused", None)
    if why != "same":
        said["release_refused"] = {"version": version, "reason": "content" if why == "again" else why}
    agent.session.tell()
    return 0


class Fetch:
    """A blob on its way. publish: of the link."""

    def __init__(self, publish, version: str, digest: bytes) -> None:
        self._publish = publish
        self._version = version
        self._tag = digest[:4]
        self._head = b""
        self._length = 0  # of the chunk that is waited for
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
                self._head = self._tag + at.to_bytes(4, "big")
                self._length = length
                ask = '{"release":"%s","sha":"%s","offset":%d,"length":%d}' % (
                    self._version, self._tag.hex(), at, length,
                )  # fmt: skip
                await self._publish("fetch", len(ask), (ask.encode(),))
                for _ in range(int(WAITS_S[attempt] / _LOOK_S)):  # an event with a timeout would cost two tasks
                    if not self._length:
                        break
                    await asyncio.sleep(_LOOK_S)
                if self._length:
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
