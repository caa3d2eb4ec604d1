"""Writes batches: first what is refused into the dead letters, then the rows into the store, then the good news.

A crash between any two of these steps repeats them, and neither store keeps anything twice.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import NoReturn

import structlog

from ingest import isolate
from ingest.batch import Batcher, Entry
from ingest.dead_letters import DeadLetters
from ingest.errors import Unavailable
from ingest.metrics import Metrics
from ingest.registry import Registry
from ingest.session import acknowledge
from ingest.stores import Store
from ingest.worker import Worker
from wire import stored, topics
from wire.backoff import Backoff

RETRY_FIRST_S, RETRY_MOST_S = 0.2, 10.0  # between attempts to write to a store that is down
LINES = 20  # of the log, about what a batch had refused
LETTERS_RETRY_S = (1.0, 2.0)  # before what could not be dead-lettered is tried again
PROBE_S = 10.0  # an idle store is asked this often whether it is still there

log = structlog.get_logger("ingest")


class Writer:
    """Takes from the batcher, for ever. publish sends at QoS 0 and says whether it could; on_done follows each.
    held_most: messages that wait for the dead letters, at least one; what comes beyond them stays with its node."""

    def __init__(
        self,
        *,
        batcher: Batcher,
        store: Store,
        letters: DeadLetters,
        registry: Registry,
        metrics: Metrics,
        publish: Callable[[str, bytes], bool],
        on_done: Callable[[], None],
        held_most: int,
    ) -> None:
        self.writing = 0
        self.flights = 0  # batches that are being written
        self.held = 0  # entries whose refusals could not be kept, until their next attempt
        self.waits: dict[str, str | None] = {"store": f"{store.name}: not written to yet", "dead letters": None}
        self._batcher = batcher
        self._store = store
        self._letters = letters
        self._letters_worker = Worker(name="dead-letters")
        self._registry = registry
        self._metrics = metrics
        self._publish = publish
        self._on_done = on_done
        self._held_most = max(1, held_most)
        self._asked_s = 0.0  # the pause that the store asked for

    async def run(self) -> NoReturn:
        """First waits for the store, then writes batch after batch."""
        await self._write([], lasting=True)
        free = asyncio.Semaphore(self._store.flights)
        async with asyncio.TaskGroup() as flights:
            while True:
                await free.acquire()
                entries = await self._next()
                self.writing += len(entries)
                self.flights += 1
                flight = flights.create_task(self._batch(entries), name="batch")
                flight.add_done_callback(partial(self._landed, free, len(entries)))

    async def _next(self) -> list[Entry]:
        while True:
            try:
                async with asyncio.timeout(PROBE_S):
                    return await self._batcher.next()
            except TimeoutError:
                if not self.writing:  # else what is under way tells, and an empty write may pass where it does not
                    await self._write([], lasting=True)

    def _landed(self, free: asyncio.Semaphore, count: int, _: asyncio.Task[None]) -> None:
        self.writing -= count
        self.flights -= 1
        free.release()
        self._on_done()

    async def close(self) -> None:
        """Lets go of both stores."""
        try:
            await self._letters_worker.close(self._letters.close)
            await self._store.close()
        except Unavailable as error:
            log.warning("closed while busy", reason=str(error))

    async def _batch(self, entries: list[Entry]) -> None:
        entries = await self._keep_aside(entries)
        if entries:
            entries = await self._write(entries)
        self._confirm(await self._keep_aside(entries))  # the store may have refused some more

    async def _write(self, entries: list[Entry], *, lasting: bool = False) -> list[Entry]:
        # Tries until it is done, or until the broker will send all of it again; returns what is stored.
        backoff = Backoff(first=RETRY_FIRST_S, most=RETRY_MOST_S)
        while (lasting or entries) and not await self._try(entries):
            await asyncio.sleep(max(backoff.next(), self._asked_s))
            if lasting and len(self._batcher):
                break  # a probe makes room for those who wait
            entries = [entry for entry in entries if not entry.message.stale]
        return entries

    async def _try(self, entries: list[Entry]) -> bool:
        started = time.monotonic()
        try:
            await isolate.write(self._store, [entry.pack for entry in entries], _now_ms())
        except Unavailable as error:
            self._metrics.store_failures.inc()
            if self.waits["store"] != str(error):
                log.warning("waiting for the store", reason=str(error))
            self.waits["store"] = str(error)
            self._asked_s = error.retry_after_s or 0.0
            return False
        if self.waits["store"] is not None:
            log.info("connected to the store", store=self._store.name)
            self.waits["store"] = None
        if entries:
            self._metrics.store_s.observe(time.monotonic() - started)
        return True

    async def _keep_aside(self, entries: list[Entry]) -> list[Entry]:
        # Births and refusals go to disk; returns the entries that may go on, and holds the others if it fails.
        concerned = [entry for entry in entries if entry.birth or len(entry.pack.refused) > entry.kept]
        if not concerned:
            return entries
        try:
            await self._letters_worker.run(self._keep, concerned)
        except Unavailable as error:
            self._hold(concerned, str(error))
            held = {id(entry) for entry in concerned}
            return [entry for entry in entries if id(entry) not in held]
        self.waits["dead letters"] = None
        self._tell([entry for entry in concerned if len(entry.pack.refused) > entry.kept])
        for entry in concerned:
            entry.kept = len(entry.pack.refused)
            entry.birth = False
        return entries

    def _keep(self, entries: list[Entry]) -> None:
        self._registry.keep({(entry.pack.area, entry.pack.node) for entry in entries if entry.birth})
        letters = [
            (entry.message.topic, entry.message.body, entry.pack.refused[entry.kept :])
            for entry in entries
            if len(entry.pack.refused) > entry.kept
        ]
        if letters:
            self._letters.keep(letters)

    def _tell(self, entries: list[Entry]) -> None:
        # A storm of refusals must not become one of lines: one for each node and reason of a batch, and few of them.
        counts: Counter[str] = Counter()
        alike: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
        for entry in entries:
            fresh = entry.pack.refused[entry.kept :]
            counts.update(refusal.reason for refusal in fresh)
            alike[entry.pack.area, entry.pack.node, fresh[0].reason].append(entry)
        for reason, count in counts.items():
            self._metrics.refused.labels(reason).inc(count)
        for same in islice(alike.values(), LINES):
            first, why = same[0], same[0].pack.refused[same[0].kept]
            where = {"topic": first.message.topic, "epoch": first.pack.epoch, "number": first.pack.number}
            records = sum(len(entry.pack.refused) - entry.kept for entry in same)
            log.warning(
                "dead-lettered", **where, messages=len(same), records=records, reason=why.reason, why=why.detail
            )
        if len(alike) > LINES:
            log.warning("dead-lettered more", messages=sum(len(same) for same in islice(alike.values(), LINES, None)))

    def _hold(self, entries: list[Entry], reason: str) -> None:
        # Only these stay unacknowledged, and not more than leave the good packs a part of the broker's window. The
        # others are acknowledged and not confirmed: their nodes send them again.
        if self.waits["dead letters"] != reason:
            log.error("nothing can be dead-lettered", reason=reason)
        self.waits["dead letters"] = reason
        room = self._held_most - self.held
        waiting, left = entries[:room], entries[room:]
        acknowledge(entry.message for entry in left)
        self._metrics.unconfirmed.inc(len(left))
        self.held += len(waiting)
        if waiting:
            asyncio.get_running_loop().call_later(random.uniform(*LETTERS_RETRY_S), self._release, waiting)

    def _release(self, entries: list[Entry]) -> None:
        self.held -= len(entries)
        live = [entry for entry in entries if not entry.message.stale]
        for entry in live:
            self._batcher.put(entry)
        if not live:
            self.waits["dead letters"] = None
        self._on_done()

    def _confirm(self, entries: list[Entry]) -> None:
        acknowledge(entry.message for entry in entries)
        numbers: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for entry in entries:
            pack = entry.pack
            if pack.epoch is not None and pack.number is not None:
                numbers[pack.area, pack.node, pack.epoch].append(pack.number)
        for (area, node, epoch), stored_now in numbers.items():
            if len(stored_now) == 1:  # as nearly always where nodes are many: what was read before needs no second look
                body = f'{{"ep":"{epoch}","sq":[[{stored_now[0]},{stored_now[0]}]]}}'.encode()
                self._tell_stored(f"{topics.ROOT}/{area}/{node}/down/stored", body)
            else:
                self._publish_stored(area, node, epoch, stored.ranges(stored_now))
        packs = [entry.pack for entry in entries if entry.pack.number is not None]
        if packs:
            self._metrics.stored(packs, _now_ms())

    def _publish_stored(self, area: str, node: str, epoch: str, ranges: list[list[int]]) -> None:
        for first in range(0, len(ranges), stored.MAX_RANGES):
            self._tell_stored(
                topics.down(area, node, "stored"), stored.encode(epoch, ranges[first : first + stored.MAX_RANGES])
            )

    def _tell_stored(self, topic: str, body: bytes) -> None:
        if not self._publish(topic, body):
            self._metrics.unconfirmed.inc()  # the node sends them again, and hears it then


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
