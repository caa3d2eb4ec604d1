"""Collects judged packs until it is time to write them."""

import asyncio
import time
from collections.abc import Callable
from itertools import accumulate

import msgspec

from ingest.accept import Accepted
from ingest.session import Message, Session

MAX_READINGS = 5000
MAX_AGE_S = 0.1
IDLE_AGE_S = 0.02  # while nothing is being written: nobody gains by a batch that waits for more
QUIET_S = 0.004  # the broker sends no more until we acknowledge, or has no more: a full window looks like silence
LEAST_WINDOW = 10  # fewer messages than this under way are a quiet hour, and no full window


class Entry(msgspec.Struct):
    """A message under way. kept counts its refusals that are in the dead-letter store; birth is a birth to keep."""

    message: Message
    pack: Accepted
    kept: int = 0
    birth: bool = False


class Batcher:
    """A queue whose reader takes all of it at once: when it is quiet, full, or the oldest entry has waited enough.

    busy says that some other batch is being written. under_way tells how many messages the broker waits for; where it
    was seen to send no more at so many, its window is full then, and nobody waits for silence.
    """

    def __init__(self, *, under_way: Callable[[], int] = lambda: 0, busy: Callable[[], bool] = lambda: True) -> None:
        self._under_way = under_way
        self._busy = busy
        self._window = 0
        self._entries: list[Entry] = []
        self._readings = 0
        self._oldest = 0.0
        self._newest = 0.0
        self._some = asyncio.Event()
        self._full = asyncio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Entry) -> None:
        if not self._entries:
            self._oldest = self._newest = time.monotonic()
            self._some.set()
        self._entries.append(entry)
        self._readings += entry.pack.readings
        if self._readings >= MAX_READINGS:
            self._full.set()

    def settle(self) -> None:
        """All that came at once has been put: the time of the newest, and whether the window is full, are looked at."""
        self._newest = time.monotonic()
        if self._under_way() == self._window >= LEAST_WINDOW and self._entries:
            self._full.set()

    async def next(self) -> list[Entry]:
        """The next batch, never empty."""
        await self._some.wait()
        while not self._full.is_set() and (rest := self._rest()) > 0:
            try:
                async with asyncio.timeout(rest):
                    await self._full.wait()
            except TimeoutError:
                continue
        if not self._full.is_set():
            self._window = self._under_way()
        return self._take()

    def forget(self, session: Session) -> None:
        """Drops what the broker will send again."""
        self._set([entry for entry in self._entries if entry.message.session is not session or not entry.message.stale])

    def _rest(self) -> float:
        now = time.monotonic()
        return min(self._oldest + (MAX_AGE_S if self._busy() else IDLE_AGE_S), self._newest + QUIET_S) - now

    def _take(self) -> list[Entry]:
        entries = self._entries
        if self._readings <= MAX_READINGS:
            self._set([])
            return entries
        sums = accumulate(entry.pack.readings for entry in entries)
        end = max(1, next(end for end, readings in enumerate(sums) if readings > MAX_READINGS))
        self._set(entries[end:])
        return entries[:end]

    def _set(self, entries: list[Entry]) -> None:
        self._entries = entries
        self._readings = sum(entry.pack.readings for entry in entries)
        for event, state in ((self._some, bool(entries)), (self._full, self._readings >= MAX_READINGS)):
            if state:
                event.set()
            else:
                event.clear()
