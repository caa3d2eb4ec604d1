"""Ingest's own numbers, for Prometheus. Each name stands here once, with its meaning."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    def __init__(self) -> None:
        self._all = CollectorRegistry()
        self._newest_ms = 0
        self.readings = self._counter("readings_stored", "Readings that the store confirmed, bad qualities included")
        self.packs = self._counter("packs_stored", "Packs that the store confirmed")
        self.refused = self._counter("refused", "Records or whole messages that were dead-lettered", "reason")
        self.store_failures = self._counter("store_failures", "Attempts to write that failed and are repeated")
        self.unconfirmed = self._counter("stored_unsent", "`down/stored` messages that could not be sent")
        self.batch = self._histogram("batch_packs", "Packs in one write", (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
        self.store_s = self._histogram(
            "store_seconds",
            "Time of one write",
            (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
        )
        self.latency_s = self._histogram(
            "latency_seconds",
            "From a pack's oldest reading to its storing",
            (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 600, 3600),
        )
        self.newest = self._gauge("newest_reading_timestamp_seconds", "Time of the newest reading stored, since 1970")
        self.under_way = self._gauge("under_way", "Messages received and not yet done with")
        self.births_awaited = self._gauge("packs_without_birth", "Packs that wait for their node's birth")
        self.nodes_online = self._gauge("nodes_online", "Nodes whose last status says online")
        self.nodes = self._gauge("nodes", "Nodes that have sent a status")
        self.pending = self._gauge("nodes_pending_packs", "Packs that wait in the nodes' spools, by their last status")
        self.waiting = self._gauge("waiting", "1 while ingest waits for this part", "part")

    def seen(self, newest_ms: int) -> None:
        """The newest reading of a pack that is stored; backfill is older than what was seen, and changes nothing."""
        if newest_ms > self._newest_ms:
            self._newest_ms = newest_ms
            self.newest.set(newest_ms / 1000)

    def text(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._all)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"multipole_ingest_{name}", meaning, labels, registry=self._all)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"multipole_ingest_{name}", meaning, labels, registry=self._all)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"multipole_ingest_{name}", meaning, registry=self._all, buckets=buckets)
