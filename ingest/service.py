"""Ingest as a process: receive, judge, write, acknowledge, confirm.

A pack is acknowledged when the store has its good records and the dead-letter store the rest; then its number goes out
in `down/stored`. Until then it stands in the broker's window, which is what bounds our memory.
"""

import asyncio
import time
from collections import defaultdict

import structlog

from ingest import isolate
from ingest.accept import Accepted, Refusal, accept
from ingest.backoff import Backoff
from ingest.batch import Batcher, Entry
from ingest.config import Config
from ingest.connection import Connection, Message, Session
from ingest.dead_letters import DeadLetters
from ingest.errors import Unavailable
from ingest.http import Http, health
from ingest.metrics import CONTENT_TYPE, Metrics
from ingest.nodes import Nodes
from ingest.registry import Registry
from ingest.stores import Store, open_store
from ingest.waiting import Waiting
from ingest.worker import Worker
from wire import stored, topics
from wire.errors import MessageError, TopicError

FILTERS = ["poles/+/+/up/" + channel for channel in ("birth", "status", "event", "telemetry", "backfill")]

log = structlog.get_logger("ingest")


class Ingest:
    """`run` works until `stop` is called; everything else is its inside."""

    def __init__(self, *, config: Config) -> None:
        self.metrics = Metrics()
        self.nodes = Nodes(metrics=self.metrics)
        host, _, port = config.http.rpartition(":")
        self.http = Http(
            host=host,
            port=int(port),
            pages={"/healthz": self._health, "/metrics": lambda: (200, CONTENT_TYPE, self.metrics.text())},
        )
        self._stopping = asyncio.Event()
        self._batcher = Batcher()
        self._writing = 0
        self._held = 0  # entries whose refusals could not be kept, until their next attempt
        self._room = 2 * config.receive_max  # messages at QoS 0 are not in the broker's window
        self._waiting = Waiting(most=config.receive_max // 2)
        self._impatient: set[tuple[str, str]] = set()
        self._waits: dict[str, str | None] = {"store": "store: not written to yet", "dead letters": None}
        self._registry = Registry(path=config.registry)
        self._letters = DeadLetters(path=config.path(config.dead_letters), megabytes=config.dead_letter_megabytes)
        self._letters_worker = Worker(name="dead-letters")
        self._store: Store = open_store(config.store, token=config.secret("token_file"), folder=config.folder)
        self._connection = Connection(
            address=config.address(),
            filters=FILTERS,
            on_message=self.take,
            on_lost=self._forget,
            room=lambda: self.under_way < self._room,
        )

    @property
    def under_way(self) -> int:
        """Messages received and not yet done with."""
        return len(self._batcher) + self._writing + self._held + len(self._waiting)

    @property
    def waiting_for(self) -> list[str]:
        """A sentence for each part that does not work at the moment."""
        every = [self._connection.waiting_for, *self._waits.values()]
        return [reason for reason in every if reason is not None]

    def stop(self) -> None:
        """Ends `run` after the batch under way."""
        self._stopping.set()

    async def run(self) -> None:
        """Raises IngestError when it cannot start."""
        await self.http.start()
        log.info("ingest", store=self._store.name)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._connection.run(), name="connection"),
                    group.create_task(self._write(), name="write"),
                    group.create_task(self._patience(), name="patience"),
                ]
                await self._stopping.wait()
                await self._finish()
                for task in tasks:
                    task.cancel()
        finally:
            self.http.close()
            await self._close()

    def take(self, message: Message) -> None:
        """One publish from the broker. Does not wait and raises nothing that a payload could cause."""
        try:
            area, node, _, channel = topics.parse(message.topic)
        except TopicError as error:
            self._refuse(message, Accepted("", ""), error.reason, error.detail)
            return
        if channel in topics.PACK_CHANNELS:
            self._take_pack(area, node, message, patient=True)
        elif channel == "birth":
            self._take_birth(area, node, message)
        else:
            self._take_status(area, node, message)

    def _take_pack(self, area: str, node: str, message: Message, *, patient: bool) -> None:
        devices = self._registry.devices(area, node)
        pack = accept(area, node, message.body, devices, _now_ms())
        if pack.unknown and patient and (area, node) not in self._impatient:
            self._waiting.put((area, node), message)
        else:
            self._batcher.put(Entry(message, pack))

    def _take_birth(self, area: str, node: str, message: Message) -> None:
        try:
            news = self._registry.learn(area, node, message.body)
        except MessageError as error:
            self._refuse(message, Accepted(area, node), error.reason, error.detail)
            return
        if news:
            for device, other in self._registry.claimed_twice(area, node):
                log.warning("device announced by two nodes", area=area, device=device, nodes=[node, other])
            self._impatient.discard((area, node))
        self._batcher.put(Entry(message, Accepted(area, node), birth=True))
        for waited in self._waiting.born((area, node)):
            self._take_pack(area, node, waited, patient=True)

    def _take_status(self, area: str, node: str, message: Message) -> None:
        try:
            self.nodes.take(area, node, message.body)
        except MessageError as error:
            self._refuse(message, Accepted(area, node), error.reason, error.detail)
            return
        message.acknowledge()

    def _refuse(self, message: Message, pack: Accepted, reason: str, detail: str) -> None:
        pack.refused.append(Refusal(None, reason, detail))
        self._batcher.put(Entry(message, pack))

    def _forget(self, session: Session) -> None:
        # The broker sends again what was not acknowledged; to keep it as well would grow with each reconnection.
        self._batcher.forget(session)
        self._waiting.forget(session)

    async def _patience(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            for message in self._waiting.due():
                area, node, _, _ = topics.parse(message.topic)
                self._impatient.add((area, node))  # one node's unknown devices must not slow the others for ever
                self._take_pack(area, node, message, patient=False)
            self.metrics.under_way.set(self.under_way)
            self.metrics.births_awaited.set(len(self._waiting))
            for part, reason in {**self._waits, "broker": self._connection.waiting_for}.items():
                self.metrics.waiting.labels(part).set(reason is not None)

    async def _write(self) -> None:
        backoff = Backoff()
        while not await self._try_store([]):  # noqa: ASYNC110  a store tells nobody when it is back
            await asyncio.sleep(backoff.next())
        while True:
            entries = await self._batcher.next()
            self._writing = len(entries)
            await self._write_batch(entries)
            self._writing = 0
            self._connection.room_made.set()

    async def _write_batch(self, entries: list[Entry]) -> None:
        # First what is refused, then the rows: a crash between the two repeats both, and neither is kept twice.
        entries = await self._keep_aside(entries)
        backoff = Backoff()
        while entries and not await self._try_store(entries):
            await asyncio.sleep(backoff.next())
            entries = [entry for entry in entries if not entry.message.stale]
        self._confirm(await self._keep_aside(entries))

    async def _try_store(self, entries: list[Entry]) -> bool:
        started = time.monotonic()
        try:
            await isolate.write(self._store, [entry.pack for entry in entries], _now_ms())
        except Unavailable as error:
            self.metrics.store_failures.inc()
            if self._waits["store"] != str(error):
                log.warning("waiting for the store", reason=str(error))
            self._waits["store"] = str(error)
            return False
        if self._waits["store"] is not None:
            log.info("connected to the store", store=self._store.name)
            self._waits["store"] = None
        self.metrics.store_s.observe(time.monotonic() - started)
        return True

    async def _keep_aside(self, entries: list[Entry]) -> list[Entry]:
        # Births and refusals go to disk; returns the entries that may go on, and holds the others if it fails.
        open_ = [entry for entry in entries if entry.birth or len(entry.pack.refused) > entry.kept]
        if not open_:
            return entries
        try:
            await self._letters_worker.run(self._keep, open_)
        except Unavailable as error:
            self._hold(open_, str(error))
            return [entry for entry in entries if entry not in open_]
        self._waits["dead letters"] = None
        for entry in open_:
            for _, reason, _ in entry.pack.refused[entry.kept :]:
                self.metrics.refused.labels(reason).inc()
            if len(entry.pack.refused) > entry.kept:
                _log_refused(entry)
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

    def _hold(self, entries: list[Entry], reason: str) -> None:
        # Only these stay unacknowledged; the good packs go on, until these fill the broker's window.
        if self._waits["dead letters"] != reason:
            log.error("nothing can be dead-lettered", reason=reason)
        self._waits["dead letters"] = reason
        self._held += len(entries)
        asyncio.get_running_loop().call_later(Backoff(first_s=2).next(), self._release, entries)

    def _release(self, entries: list[Entry]) -> None:
        self._held -= len(entries)
        for entry in entries:
            if not entry.message.stale:
                self._batcher.put(entry)
        self._connection.room_made.set()

    def _confirm(self, entries: list[Entry]) -> None:
        numbers: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for entry in entries:
            entry.message.acknowledge()
            pack = entry.pack
            if pack.epoch is not None and pack.number is not None:
                numbers[pack.area, pack.node, pack.epoch].append(pack.number)
        for (area, node, epoch), stored_now in numbers.items():
            self._publish_stored(area, node, epoch, stored.ranges(stored_now))
        self._count([entry.pack for entry in entries])

    def _publish_stored(self, area: str, node: str, epoch: str, ranges: list[list[int]]) -> None:
        for first in range(0, len(ranges), stored.MAX_RANGES):
            body = stored.encode(epoch, ranges[first : first + stored.MAX_RANGES])
            if not self._connection.publish(topics.down(area, node, "stored"), body):
                self.metrics.unconfirmed.inc()  # the node sends them again, and hears it then

    def _count(self, packs: list[Accepted]) -> None:
        now_ms = _now_ms()
        numbered = [pack for pack in packs if pack.number is not None]
        if not numbered:
            return
        self.metrics.batch.observe(len(numbered))
        self.metrics.packs.inc(len(numbered))
        self.metrics.readings.inc(sum(len(pack.rows) for pack in numbered))
        for newest in [max(row[5] for row in pack.rows) for pack in numbered if pack.rows]:
            self.metrics.latency_s.observe(max(now_ms - newest, 0) / 1000)
            self.nodes.stored(newest)

    async def _finish(self) -> None:
        # What is under way is written if the store takes it soon; what is not stays with the broker.
        deadline = time.monotonic() + 3
        while (len(self._batcher) or self._writing) and not self.waiting_for and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await self._connection.disconnect()

    async def _close(self) -> None:
        try:
            await self._letters_worker.close(self._letters.close)
            await self._store.close()
        except Unavailable as error:
            log.warning("closed while busy", reason=str(error))
        self._registry.close()
        log.info("stopped")

    def _health(self) -> tuple[int, str, bytes]:
        return health(self.waiting_for)


def _log_refused(entry: Entry) -> None:
    fresh = entry.pack.refused[entry.kept :]
    where = {"topic": entry.message.topic, "epoch": entry.pack.epoch, "number": entry.pack.number}
    log.warning("dead-lettered", **where, records=len(fresh), reason=fresh[0].reason, why=fresh[0].detail)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
