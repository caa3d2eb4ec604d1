"""Ingest as a whole: receive, judge, write, acknowledge, confirm.

A pack is acknowledged when the store has its good records and the dead-letter store the rest; then its number goes out
in `down/stored`. Until then it stands in the broker's window, which is what bounds our memory.
"""

import asyncio
import gc
import time

import structlog

from ingest import inventory
from ingest.accept import Accepted, Refusal, accept
from ingest.batch import Batcher, Entry
from ingest.config import Config
from ingest.connection import Connection
from ingest.dead_letters import DeadLetters
from ingest.http import Http, alive, ready
from ingest.metrics import CONTENT_TYPE, Metrics
from ingest.nodes import Nodes
from ingest.notify import Notify
from ingest.one_by_one import OneByOne
from ingest.registry import Devices, Registry
from ingest.replayer import Replayer
from ingest.session import Message, Session
from ingest.store_url import open_store
from ingest.suspects import Suspects
from ingest.waiting import Waiting
from ingest.writer import Writer
from wire import topics
from wire.errors import MessageError, TopicError

_UP = "poles/+/+/up/"
SHARE = "$share/ingest/"  # of several workers each gets a part of the packs; births are for all
_PACKS_UP = [["up", channel] for channel in topics.PACK_CHANNELS]
SET_AFTER_MS = 1_735_689_600_000  # 2025-01-01: a clock before it was never set
GC_OBJECTS = 50_000  # made and not gone again, before the garbage collector looks
MOST_IMPATIENT = 10_000  # nodes that have made us wait in vain; beyond them each is waited for once more
FINISH_S = 3.0  # what is under way when we are told to stop has this long to be stored

log = structlog.get_logger("ingest")


def filters(*, shared: bool) -> list[str]:
    """What is subscribed to: packs, births and statuses; of several workers each takes a share of the packs."""
    packs = [(SHARE if shared else "") + _UP + channel for channel in topics.PACK_CHANNELS]
    return [_UP + "birth", _UP + "status", *packs]


class Ingest:
    """`run` works until it is told to stop; `http.port` tells where the pages are."""

    def __init__(self, *, config: Config) -> None:
        """Raises IngestError where the births cannot be read, and FileProblem for a secret or a certificate."""
        config.check_places()
        self._notify = Notify() if config.worker is None else Notify("")  # of several, who watches them tells
        self._nodes = Nodes()
        self._batcher = Batcher(under_way=self._under_way, busy=lambda: self._writer.flights > 0)
        self._room = 2 * config.receive_max  # messages at QoS 0 are not in the broker's window
        self._waiting = Waiting(most=config.receive_max)
        self._impatient: set[tuple[str, str]] = set()
        self._clock: str | None = None  # what is wrong with it
        self._sites = config.sites()
        self._registry = Registry(path=config.registry, owners=config.owners, sites=self._sites)
        self._suspects = Suspects(folder=config.registry.parent, number=config.worker or 0, careful=config.careful)
        self._one_by_one: OneByOne | None = None
        if config.careful:
            self._one_by_one = OneByOne(
                take=self._take, under_way=self._under_way, on_taken=lambda: self._connection.room_made.set()
            )
        self._connection = Connection(
            address=config.address(),
            filters=filters(shared=config.worker is not None),
            on_message=self._take if self._one_by_one is None else self._one_by_one.put,
            on_read=self._batcher.settle,
            on_lost=self._forget,
            room=self._has_room,
        )
        store = open_store(config.store, token=config.secret("token_file"), folder=config.folder)
        self._metrics = Metrics(store=store.name)
        self._metrics.window.set(config.receive_max)
        self._metrics.writes_most.set(store.flights)
        self._metrics.letters_most.set(config.dead_letter_megabytes * 1_000_000)
        self._letters = config.path(config.dead_letters)
        self._writer = Writer(
            batcher=self._batcher,
            store=store,
            letters=DeadLetters(path=self._letters, megabytes=config.dead_letter_megabytes),
            registry=self._registry,
            metrics=self._metrics,
            publish=self._connection.publish,
            on_done=self._connection.room_made.set,
            held_most=config.receive_max // 2,
        )
        self._replayer = Replayer(
            letters=DeadLetters(path=self._letters),
            registry=self._registry,
            store=store,
            idle=lambda: not self._writer.writing and self._writer.waits["store"] is None,
            stored=self._metrics.replayed.inc,
            lock=config.replay_lock,
        )
        host, _, port = config.http.rpartition(":")
        pages = {"/healthz": alive, "/readyz": lambda: ready(self.waiting_for), "/metrics": self._page}
        self.http = Http(host=host, port=int(port), pages=pages)

    @property
    def waiting_for(self) -> list[str]:
        """A sentence for each part that does not work at the moment."""
        return [reason for reason in self._waits().values() if reason is not None]

    async def run(self, stop: asyncio.Event) -> None:
        """Ends after the batch under way once stop is set. Raises IngestError when it cannot start."""
        _rest_the_collector()
        await self.http.start()
        self._notify.ready()
        try:
            await self._wait_for_clock(stop)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._connection.run(), name="connection"),
                    group.create_task(self._writer.run(), name="writer"),
                    group.create_task(self._watch(), name="watch"),
                    group.create_task(self._replayer.run(), name="replayer"),
                ]
                if self._one_by_one is not None:
                    tasks.append(group.create_task(self._one_by_one.run(), name="one by one"))
                if self._sites is not None:
                    tasks.append(group.create_task(inventory.follow(self._sites, self._registry), name="inventory"))
                await stop.wait()
                self._notify.stopping()
                await self._finish()
                for task in tasks:
                    task.cancel()
        finally:
            self.http.close()
            await self._replayer.close()
            await self._writer.close()
            self._registry.close()
            log.info("stopped")

    async def _wait_for_clock(self, stop: asyncio.Event) -> None:
        # Seen from a clock that was never set, every reading lies in the future and would be refused.
        while _now_ms() < SET_AFTER_MS and not stop.is_set():
            if self._clock is None:
                self._clock = "the clock was never set: set it, or start NTP"
                log.error("waiting for the clock", reason=self._clock)
            self._notify.alive(self.waiting_for)
            await asyncio.sleep(0.2)
        self._clock = None

    def _take(self, message: Message) -> None:
        # One publish from the broker. It does not wait, and no topic or payload makes it raise.
        parts = message.topic.split("/")
        if len(parts) == 5 and parts[3:] in _PACKS_UP and (known := self._registry.devices(parts[1], parts[2])):
            self._take_pack(parts[1], parts[2], message, known)  # a node that is known has a good name
            return
        try:
            area, node, _, channel = topics.parse(message.topic)
        except TopicError as error:
            self._refuse(message, Accepted("", ""), error.reason, error.detail)
            return
        try:
            if channel in topics.PACK_CHANNELS:
                self._take_pack(area, node, message, self._registry.devices(area, node))
            elif channel == "birth":
                self._take_birth(area, node, message)
            else:
                self._nodes.take(area, node, message.body)
                message.acknowledge()
        except MessageError as error:
            self._refuse(message, Accepted(area, node), error.reason, error.detail)
        except Exception as error:  # as of a pack: what no rule foresaw is kept aside, and stops nobody
            self._refuse(message, Accepted(area, node), "internal", f"{type(error).__name__}: {error}")

    def _take_pack(self, area: str, node: str, message: Message, devices: Devices, *, patient: bool = True) -> None:
        crashed = self._suspects.refused(area, node, message.topic, message.body)
        if crashed is not None:
            self._batcher.put(Entry(message, crashed))
            return
        pack = accept(area, node, message.body, devices, _now_ms())
        if pack.unknown and patient and (area, node) not in self._impatient:
            if self._waiting.put((area, node), message):  # its retained birth would come after all that is queued
                self._connection.ask(topics.up(area, node, "birth"))
        else:
            self._batcher.put(Entry(message, pack))

    def _take_birth(self, area: str, node: str, message: Message) -> None:
        news = self._registry.learn(area, node, message.body)
        self._batcher.put(Entry(message, Accepted(area, node), birth=True))
        if news:
            if barred := self._registry.barred(area, node):
                log.warning(
                    "a node may not speak for all that it announces",
                    area=area, node=node, devices=len(barred), reason=barred[0][1], first=barred[0][2],
                )  # fmt: skip
            self._impatient.discard((area, node))
            for waited in self._waiting.born((area, node)):
                self._take_pack(area, node, waited, self._registry.devices(area, node))

    def _refuse(self, message: Message, pack: Accepted, reason: str, detail: str) -> None:
        pack.refused.append(Refusal(None, reason, detail))
        self._batcher.put(Entry(message, pack))

    def _forget(self, session: Session) -> None:
        # The broker sends again what was not acknowledged; to keep it as well would grow with each reconnection.
        self._batcher.forget(session)
        self._waiting.forget(session)

    async def _watch(self) -> None:
        # Ends the patience with packs that wait for a birth, and counts how long each part is waited for.
        looked = time.monotonic()
        while True:
            await asyncio.sleep(0.2)
            before, looked = looked, time.monotonic()
            self._metrics.waits(self._waits(), looked - before)
            self._notify.alive(self.waiting_for)
            self._suspects.look()
            self._registry.look()
            self._replayer.news(self._registry.take_changed())
            for message in self._waiting.due():
                area, node, _, _ = topics.parse(message.topic)
                if len(self._impatient) >= MOST_IMPATIENT:
                    self._impatient.clear()
                self._impatient.add((area, node))  # one node's unknown devices must not slow the others for ever
                self._take_pack(area, node, message, self._registry.devices(area, node), patient=False)

    async def _finish(self) -> None:
        # What is under way is written if the store takes it soon; what is not stays with the broker.
        deadline = time.monotonic() + FINISH_S
        while (len(self._batcher) or self._writer.writing) and not self.waiting_for and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        left = self._under_way()
        if left:
            log.warning(
                "stopped before all was stored", messages=left, remedy="the broker or their nodes send them again"
            )
        await self._connection.disconnect()

    def _has_room(self) -> bool:
        return self._under_way() < self._room and not (self._one_by_one is not None and self._one_by_one.full)

    def _under_way(self) -> int:
        return len(self._batcher) + self._writer.writing + self._writer.held + len(self._waiting)

    def _waits(self) -> dict[str, str | None]:
        return {"clock": self._clock, "broker": self._connection.waiting_for, **self._writer.waits}

    def _page(self) -> tuple[int, str, bytes]:
        told = self._metrics
        told.count_up(self._connection.received, self._connection.connected)
        told.waits(self._waits(), 0.0)
        told.under_way.set(self._under_way())
        told.births_awaited.set(len(self._waiting))
        for part, count in self._messages_at().items():
            told.messages_at.labels(part).set(count)
        told.writes.set(self._writer.flights)
        told.letters_bytes.set(self._letters.stat().st_size if self._letters.exists() else 0)
        told.nodes.set(len(self._nodes))
        told.nodes_unkept.set(self._nodes.unkept)
        told.nodes_online.set(self._nodes.online)
        told.nodes_unclocked.set(self._nodes.unclocked)
        told.pending.set(self._nodes.pending)
        told.dropped.set(self._nodes.dropped)
        return 200, CONTENT_TYPE, told.text()

    def _messages_at(self) -> dict[str, int]:
        writer = self._writer
        return {
            "birth": len(self._waiting),
            "batch": len(self._batcher),
            "store": writer.writing,
            "dead letters": writer.held,
        }


def _rest_the_collector() -> None:
    # Nothing here is part of a cycle that lives long, and looking for some took a third of all time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS, 20, 100)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
