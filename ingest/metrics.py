"""Ingest's own numbers, for Prometheus. Each name stands here once, with its meaning.

What is counted for each pack is counted by the batch: a counter of `prometheus_client` takes a lock each time.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import HistogramMetricFamily

from ingest.accept import Accepted

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "multipole_ingest_"
_LATENCY_MS = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 600_000, 3_600_000)
_WRITE_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
# each is there from the start, as 0: Prometheus sees no increase in a counter that begins with its first refusal
REASONS = (
    "topic", "size", "json", "shape", "records", "epoch", "number", "name", "label", "time", "quality", "value",
    "version", "birth", "missing", "full", "unknown-device", "unknown-point", "not-yours", "unit", "range", "type",
    "future", "text", "field-type", "store", "too-large", "retention", "crash", "internal",
)  # fmt: skip


class Ages:
    """A histogram that takes a whole batch of milliseconds at once, and is shown in seconds."""

    def __init__(self, name: str, meaning: str) -> None:
        self._name, self._meaning = _PREFIX + name, meaning
        self._counts = [0] * len(_LATENCY_MS)  # up to each bound, and the all of it in _count
        self._count = 0
        self._sum_ms = 0

    def observe(self, ages_ms: list[int]) -> None:
        """Sorts them in place; what lies in the future is as old as nothing."""
        ages_ms.sort()
        self._count += len(ages_ms)
        self._sum_ms += sum(ages_ms[bisect_right(ages_ms, 0) :])
        at = 0
        for index, bound in enumerate(_LATENCY_MS):
            at = bisect_right(ages_ms, bound, at)
            self._counts[index] += at

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """As `prometheus_client` asks for it."""
        bounds = [(str(bound / 1000), float(count)) for bound, count in zip(_LATENCY_MS, self._counts, strict=True)]
        family = HistogramMetricFamily(self._name, self._meaning)
        family.add_metric([], [*bounds, ("+Inf", float(self._count))], self._sum_ms / 1000)
        yield family


class Metrics:
    """store: its name, as `info` tells it."""

    def __init__(self, *, store: str = "") -> None:
        self._all = CollectorRegistry()
        ProcessCollector(registry=self._all)  # process_cpu_seconds_total, process_resident_memory_bytes and their like
        self._gauge("info", "Always 1; which store ingest writes to", "store").labels(store).set(1)
        self._newest_ms = self._received = self._connections = 0

        self.received = self._counter("messages_received", "Messages that the broker delivered, repeated ones included")
        self.connections = self._counter("broker_connections", "Connections to the broker that were made")
        self.readings = self._counter("readings_stored", "Readings that the store confirmed, bad qualities included")
        self.packs = self._counter("packs_stored", "Packs that the store confirmed")
        self.refused = self._counter("refused", "Records or whole messages that were dead-lettered", "reason")
        for reason in REASONS:
            self.refused.labels(reason)
        self.replayed = self._counter("replayed", "Records of dead letters that were explained later, and stored")
        self.store_failures = self._counter("store_failures", "Attempts to write that failed and are repeated")
        self.unconfirmed = self._counter("stored_unsent", "`down/stored` messages that could not be sent")
        self.waited_s = self._counter("waiting_seconds", "Time that ingest has waited for this part", "part")

        self.batch = self._histogram("batch_packs", "Packs in one write", (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
        self.batch_readings = self._histogram(
            "batch_readings", "Readings in one write", (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
        )
        self.store_s = self._histogram("store_seconds", "Time of one write", _WRITE_S)
        self.latency = Ages("latency_seconds", "From a pack's oldest reading to its storing")
        self._all.register(self.latency)

        self.newest = self._gauge("newest_reading_timestamp_seconds", "Time of the newest reading stored, since 1970")
        self.window = self._gauge("window", "Messages that the broker may have under way with us: receive_max")
        self.under_way = self._gauge("under_way", "Messages received and not yet done with")
        self.messages_at = self._gauge("messages_at", "Messages under way, by what they wait for", "part")
        self.births_awaited = self._gauge("packs_without_birth", "Packs that wait for their node's birth")
        self.writes = self._gauge("writes_in_flight", "Batches that are being written")
        self.writes_most = self._gauge("writes_in_flight_most", "Batches that the store takes at once")
        self.letters_bytes = self._gauge("dead_letters_bytes", "Size of the dead-letter store's file")
        self.letters_most = self._gauge("dead_letters_bytes_most", "What it may hold: dead_letter_megabytes")
        self.waiting = self._gauge("waiting", "1 while ingest waits for this part", "part")
        self.nodes = self._gauge("nodes", "Nodes that have sent a status")
        self.nodes_unkept = self._gauge("statuses_unkept", "Statuses of nodes for which there was no room")
        self.nodes_online = self._gauge("nodes_online", "Nodes whose last status says online")
        self.nodes_unclocked = self._gauge("nodes_without_clock", "Nodes whose last status says that no clock was set")
        self.pending = self._gauge("nodes_pending_packs", "Packs that wait in the nodes' spools, by their last status")
        self.dropped = self._gauge("nodes_dropped_packs", "Packs that nodes had to drop, by their last status")

    def stored(self, packs: Sequence[Accepted], now_ms: int) -> None:
        """A batch of packs that the store has confirmed."""
        readings = sum([pack.readings for pack in packs])
        self.packs.inc(len(packs))
        self.readings.inc(readings)
        self.batch.observe(len(packs))
        self.batch_readings.observe(readings)
        self.latency.observe([now_ms - pack.oldest_ms for pack in packs if pack.oldest_ms is not None])
        newest_ms = max([pack.newest_ms for pack in packs if pack.newest_ms is not None], default=0)
        if newest_ms > self._newest_ms:  # backfill is older than what was seen, and changes nothing
            self._newest_ms = newest_ms
            self.newest.set(newest_ms / 1000)

    def count_up(self, received: int, connections: int) -> None:
        """How many messages and connections to the broker there have been in all."""
        self.received.inc(received - self._received)
        self.connections.inc(connections - self._connections)
        self._received, self._connections = received, connections

    def waits(self, waits: dict[str, str | None], seconds: float) -> None:
        """What each part was waited for over the last seconds; None: it works."""
        for part, reason in waits.items():
            self.waiting.labels(part).set(reason is not None)
            self.waited_s.labels(part).inc(0.0 if reason is None else seconds)

    def text(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._all)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(_PREFIX + name, meaning, labels, registry=self._all)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(_PREFIX + name, meaning, labels, registry=self._all)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(_PREFIX + name, meaning, registry=self._all, buckets=buckets)
