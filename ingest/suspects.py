"""The pack that a worker was at when it died: noted down by the worker, set aside by who watches it.

Both have a piece of memory in common, which outlives the worker. A usual worker notes what it looks at while it does;
what ends it later, when many packs are written together, is not known of it. A careful one takes a single pack at a
time and notes it until the next one comes. What was set aside once is taken by no worker again: it is acknowledged,
and its node may forget it.
"""

import asyncio
import hashlib
import mmap
import os
import re
import stat
import struct
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ingest.accept import FUTURE_MS, Accepted, Refusal
from ingest.dead_letters import DeadLetters

REASON = "crash"
# A worker may be killed for another reason while it is at a good pack. It looks at one for microseconds: two that end
# in these are no chance. It waits for the store for long: so many careful ones must have ended at the same pack.
LOOKS, ENDS = 2, 3
MOST = 1000  # packs that are remembered for an end
BYTES = 2 << 20  # of the memory: above any message that a broker may send us; what is not used costs nothing
_EPOCH, _NUMBER = re.compile(rb'"ep" *: *"([0-9a-f]{8})"'), re.compile(rb'"sq" *: *([0-9]{1,16})')
_SECONDS = re.compile(rb'"bt" *: *([0-9]{1,11})(?:\.([0-9]{1,3}))?')


class Note(NamedTuple):
    """What a worker was at. looking: it had not done with judging it."""

    topic: str
    body: bytes
    looking: bool


class Memory:
    """Room for one note, in a file that is memory only: who watches makes it, and it is the worker's standard input."""

    _HEAD = struct.Struct("<III")  # what is there, bytes of the topic, bytes of the body
    _NOTHING, _LOOKING, _UNDER_WAY = range(3)

    def __init__(self, *, fd: int | None = None) -> None:
        self.fd = _piece() if fd is None else fd
        self._map = mmap.mmap(self.fd, BYTES)

    def put(self, topic: bytes, body: bytes) -> None:
        first, last = self._HEAD.size + len(topic), self._HEAD.size + len(topic) + len(body)
        if last <= BYTES:
            self.clear()  # a note that is cut short is none
            self._map[self._HEAD.size : first] = topic
            self._map[first:last] = body
            self._HEAD.pack_into(self._map, 0, self._LOOKING, len(topic), len(body))

    def looked(self) -> None:
        """It is judged, and under way."""
        self._map[0] = self._UNDER_WAY

    def clear(self) -> None:
        self._map[0] = self._NOTHING

    def note(self) -> Note | None:
        what, topic, body = self._HEAD.unpack_from(self._map)
        if what == self._NOTHING:
            return None
        first = self._HEAD.size + topic
        told = self._map[self._HEAD.size : first].decode()
        return Note(told, self._map[first : first + body], what == self._LOOKING)


def _piece() -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("note")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, BYTES)
    return fd


def inherited() -> Memory | None:
    """What who watches us has given us; None where nobody does."""
    try:
        given = os.fstat(0)
    except OSError:
        return None
    return Memory(fd=0) if stat.S_ISREG(given.st_mode) and given.st_size == BYTES else None


class Suspects:
    """Of one worker, from 1; 0 is one that nobody watches. careful: notes stay until the next message."""

    def __init__(self, *, folder: Path, number: int, careful: bool) -> None:
        self._known = folder / "crashes"
        self._memory = inherited() if number else None
        self._careful = careful
        self._turning = False
        self._skipped: set[str] = set()
        self._seen = 0
        self.look()

    def look(self) -> None:
        """Learns what was set aside since: a few bytes, now and then."""
        try:
            changed = self._known.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed != self._seen:
            self._seen = changed
            self._skipped = set(self._known.read_text(encoding="ascii").split())

    def refused(self, area: str, node: str, topic: str, body: bytes) -> Accepted | None:
        """What becomes of a message that workers died of; None for all others, which are noted down."""
        if self._skipped and digest(body) in self._skipped:
            return _refused(area, node, body)
        if self._memory is not None:
            self._memory.put(topic.encode(), body)
            if not self._turning:
                self._turning = True
                asyncio.get_running_loop().call_soon(self._turned)
        return None

    def _turned(self) -> None:
        # The loop has turned: what was looked at before is judged.
        self._turning = False
        if self._memory is not None:
            if self._careful:
                self._memory.looked()
            else:
                self._memory.clear()


def _refused(area: str, node: str, body: bytes) -> Accepted:
    # It is not decoded: that may be what ends us.
    head = body[:500]
    epoch, number = _EPOCH.search(head), _NUMBER.search(head)
    time_ms = _time_ms(head)
    return Accepted(
        area,
        node,
        epoch[1].decode() if epoch else None,
        int(number[1]) if number else None,
        refused=[_refusal()],
        oldest_ms=time_ms,
        newest_ms=time_ms,
    )


def _time_ms(head: bytes) -> int | None:
    # The pack's own time, so that its line in the ledger is the same one if it comes again.
    found = _SECONDS.search(head)
    if found is None:
        return None
    time_ms = int(found[1]) * 1000 + int((found[2] or b"").ljust(3, b"0"))
    return time_ms if time_ms <= time.time_ns() // 1_000_000 + FUTURE_MS else None


class Ends:
    """Who watches the workers counts here, for each pack, how many of them have ended at it."""

    def __init__(self, *, folder: Path, letters: DeadLetters) -> None:
        self._known = folder / "crashes"
        self._letters = letters
        self._looks: Counter[str] = Counter()
        self._ends: Counter[str] = Counter()

    def ended(self, note: Note) -> tuple[int, bool]:
        """A worker has: (how many now at this pack, whether it is set aside, which all workers know then).

        Raises Unavailable and OSError where that cannot be written down; the next end tries again.
        """
        if len(self._ends) >= MOST:
            self._ends.clear()
            self._looks.clear()
        name = digest(note.body)
        self._ends[name] += 1
        self._looks[name] += note.looking
        if self._ends[name] < ENDS and self._looks[name] < LOOKS:
            return self._ends[name], False
        self._letters.keep([(note.topic, note.body, [_refusal()])])
        with self._known.open("a", encoding="ascii") as crashes:
            crashes.write(name + "\n")
        return self._ends[name], True


def digest(body: bytes) -> str:
    """What a pack is known by."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _refusal() -> Refusal:
    return Refusal(None, REASON, "workers ended while they looked at it")
