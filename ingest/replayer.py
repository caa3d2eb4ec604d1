"""Stores what was refused before it was known, when the birth, inventory or decision comes that explains it.

It works in small turns, and only in moments in which no live pack is being written. A pack that it has stored leaves
the dead letters after that, so a crash between both stores it again, which changes nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NoReturn

import structlog

from ingest import isolate, replay_lock
from ingest.accept import Accepted, accept
from ingest.dead_letters import DeadLetters, Letter, Place
from ingest.errors import Unavailable
from ingest.registry import Node, Registry
from ingest.stores import Store
from ingest.worker import Worker
from wire import topics
from wire.errors import TopicError

REASONS = ("unknown-device", "unknown-point", "not-yours")  # what news of a node may explain
MOST = 20  # letters in a turn
PAUSE_S = 0.1  # between two turns, so that there are at most 200 packs a second
LOOK_S = 0.01  # for a moment without live packs
RETRY_S = 5.0
SWEPT_AT_ONCE = 10_000  # letters
SWEEP_S = 10.0  # a letter may be kept after the news that would have explained it: new ones are looked at once more
_FIRST: Place = ("", 0)

log = structlog.get_logger("ingest")


class Replayer:
    """`run` works for ever; idle says that no live pack is being written. stored: called with a number of records."""

    def __init__(
        self,
        *,
        letters: DeadLetters,
        registry: Registry,
        store: Store,
        idle: Callable[[], bool],
        stored: Callable[[int], object],
        lock: Path,
    ) -> None:
        self._letters = letters
        self._registry = registry
        self._store = store
        self._idle = idle
        self._stored = stored
        self._lock = lock
        self._worker = Worker(name="replay")
        self._due: dict[Node, tuple[Place, int]] = {}  # after which place the next turn begins, and above which id
        self._swept = 0  # letters to this id have been looked at
        self._tally: dict[Node, int] = {}

    def __len__(self) -> int:
        """How many nodes have news that their letters were not held against yet."""
        return len(self._due)

    def news(self, nodes: Iterable[Node]) -> None:
        """More may be accepted of these nodes than before."""
        self._due.update(dict.fromkeys(nodes, (_FIRST, 0)))

    async def run(self) -> NoReturn:
        """First for all letters of before: what explained them may have come while nobody ran."""
        sweep = 0.0
        while True:
            await asyncio.sleep(PAUSE_S)
            try:
                if time.monotonic() >= sweep:
                    await self._sweep()
                    sweep = time.monotonic() + SWEEP_S
                while self._due and not self._idle():
                    await asyncio.sleep(LOOK_S)
                await self._turn()
            except (Unavailable, OSError) as error:
                log.warning("dead letters cannot be replayed now", reason=str(error))
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Lets go of the dead letters."""
        await self._worker.close(self._letters.close)

    async def _sweep(self) -> None:
        # In parts: letters may come from ever new nodes, and be a million.
        before, more = self._swept, True
        while more:
            look = partial(self._letters.topics, REASONS, newer=self._swept, most=SWEPT_AT_ONCE)
            found, last = await self._worker.run(look)
            more, self._swept = last > self._swept, last
            for topic in found:
                with contextlib.suppress(TopicError):
                    area, node, _, _ = topics.parse(topic)
                    if self._registry.devices(area, node):  # else its birth will be news
                        self._due.setdefault((area, node), (_FIRST, before))

    async def _turn(self) -> None:
        while self._due and not self._registry.devices(*next(iter(self._due))):
            del self._due[next(iter(self._due))]  # its birth is news again
        if not self._due:
            return
        with replay_lock.taken(self._lock) as taken:
            if taken:
                node = next(iter(self._due))
                after, newer = self._due.pop(node)  # news that come meanwhile begin anew
                try:
                    last = await self._some(node, after, newer)
                except BaseException:
                    self._due[node] = _FIRST, 0
                    raise
                if last is not None:
                    self._due.setdefault(node, (last, newer))
                else:
                    self._finished(node)

    async def _some(self, node: Node, after: Place, newer: int) -> Place | None:
        letters = await self._worker.run(
            partial(self._letters.of_node, *node, REASONS, after=after, newer=newer, most=MOST)
        )
        now_ms = time.time_ns() // 1_000_000
        devices = self._registry.devices(*node)
        judged = [(letter, accept(*node, letter.body, devices, now_ms)) for letter in letters]
        news = [(letter, pack, count) for letter, pack in judged if (count := explained(letter, pack))]
        if news:
            await isolate.write(self._store, [pack for _, pack, _ in news], now_ms)
            await self._worker.run(self._letters.replace, [(letter, pack.refused) for letter, pack, _ in news])
            records = sum(count for _, _, count in news)
            self._stored(records)
            self._tally[node] = self._tally.get(node, 0) + records
        return (letters[-1].topic, letters[-1].id) if len(letters) == MOST else None

    def _finished(self, node: Node) -> None:
        records = self._tally.pop(node, 0)
        if records:
            log.info("what was unknown is explained, and stored", area=node[0], node=node[1], records=records)


def explained(letter: Letter, pack: Accepted) -> int:
    """How many records were refused for one of REASONS, and are not now."""
    still = {refusal.record for refusal in pack.refused}
    return sum(refusal.reason in REASONS and refusal.record not in still for refusal in letter.refused)
