"""Broker, load, store and one consumer on this machine, and one run through them with its costs."""

import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench import ingest_load
from bench.ingest_consumers import USER, Consumer, Place
from bench.ingest_load import Load
from bench.ingest_packs import USUAL, Count
from bench.ingest_stores import DATABASE, STORES, Store
from bench.size_process import Sample, sample
from pole.broker import Broker
from simulators.load.meter import Meter

# Of mosquitto.conf only this is changed: what is published faster than anybody consumes waits, whatever its size, and
# the broker does not write it to disk while we measure.
MORE = "\nmax_queued_messages 0\nmax_queued_bytes 0\nautosave_interval 0\nlog_type subscribe\n"
NICE = -10
READY_S = 60.0
LOOK_S = 0.02
_ROOT = Path(__file__).resolve().parent.parent
STUCK_S = 60.0  # nothing more is written for so long: it is lost


@dataclass(frozen=True, kw_only=True)
class Run:
    """One flood: from the first pack's publish until the store has the last. cpu: seconds by part."""

    packs: int
    readings: int
    seconds: float
    published_s: float
    cpu: dict[str, float]
    rest: float  # CPU seconds that the rest of the machine took meanwhile
    rss: int  # of the consumer, at the end
    peak: int  # ... and the most it ever had
    stored: int  # readings that the store gives back, beyond those before
    pack_bytes: int

    @property
    def rate(self) -> float:
        """Readings a second."""
        return self.readings / self.seconds

    def us(self, part: str) -> float:
        """CPU of a part, in microseconds a reading."""
        return 1e6 * self.cpu.get(part, 0.0) / self.readings

    def told(self) -> dict[str, Any]:
        return {
            "packs": self.packs, "readings": self.readings, "seconds": round(self.seconds, 3),
            "published_s": round(self.published_s, 3), "readings_per_s": round(self.rate),
            "cpu_us": {part: round(self.us(part), 2) for part in self.cpu}, "rest_cpu_s": round(self.rest, 2),
            "rss_mb": round(self.rss / 1e6, 1), "peak_mb": round(self.peak / 1e6, 1),
            "missing": self.readings - self.stored, "pack_bytes": self.pack_bytes,
        }  # fmt: skip


@dataclass
class Rig:
    """Everything for one consumer with one store, with `nodes` nodes that say packs of a mix."""

    consumer: Consumer
    store_kind: str
    nodes: int
    mix: str
    folder: Path
    births_s: float = 0.0  # CPU of the consumer until the broker had all births; it goes on in the first flood
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.store: Store = STORES[self.store_kind](folder=self.folder / "store")
            stack.callback(self.store.kill)  # before it starts: we may be ended meanwhile
            self.store.start()
            passwords = {USER: "ingest-secret", ingest_load.USER: "load-secret"}
            self.broker = Broker(folder=self.folder / "broker", passwords=passwords, more=MORE)
            acl = self.folder / "broker" / "mosquitto.acl"
            acl.write_text(acl.read_text() + ingest_load.ACL)
            stack.callback(self.broker.kill)
            self.broker.start()
            self.process = stack.enter_context(self._consuming(passwords[USER]))
            self.load = stack.enter_context(
                Load(port=self.broker.port, password=passwords[ingest_load.USER], nodes=self.nodes,
                     mix=self.mix)
            )  # fmt: skip
            self._subscribed()
            for pid in self._pids.values():
                before_others(pid)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _counts(self, count: Count) -> int:
        """By how much the store's counter grows with these packs."""
        if self.store_kind == "sqlite":
            return count.packs
        if self.store_kind in ("influx1", "nowhere"):
            return self.consumer.lines(count)
        return count.readings + count.packs * self.consumer.more_values

    def warm(self) -> Run:
        """Births, and a pack of each node: devices and series are known when it returns."""
        before = self._costs()["ingest"].cpu
        if self.consumer.births:
            self.load.ask("births")
        self.births_s = self._costs()["ingest"].cpu - before
        return self.flood(self.nodes)

    def flood(self, packs: int) -> Run:
        """Publishes them as fast as the broker takes them. Raises RuntimeError where some do not arrive."""
        made = self.load.ask("prepare", packs=packs)
        count = Count(*made["count"])
        stored, written = self.store.readings(), self.store.written()
        meter = Meter({})
        before = self._costs()
        self.load.tell("flat")
        ended = self._written(written + self._counts(count))
        after = self._costs()
        lap = meter.lap()
        published = self.load.answer()
        cpu = {part: after[part].cpu - before[part].cpu for part in after}
        return Run(
            packs=packs, readings=count.readings, seconds=ended - published["began"],
            published_s=published["seconds"], cpu=cpu, rest=max(0.0, lap.rest - sum(cpu.values())),
            rss=after["ingest"].rss, peak=peak(self.process.pid),
            stored=self._settled(stored + count.readings) - stored, pack_bytes=made["bytes"],
        )  # fmt: skip

    def _costs(self) -> dict[str, Sample]:
        return {part: sample(pid) for part, pid in self._pids.items()}

    @property
    def _pids(self) -> dict[str, int]:
        pids = {"ingest": self.process.pid, "broker": self.broker.pid, "store": self.store.pid, "load": self.load.pid}
        return {part: pid for part, pid in pids.items() if pid is not None}

    def _written(self, wanted: int) -> float:
        last, moved = -1, time.monotonic()
        while (now := self.store.written()) < wanted:
            if now != last:
                last, moved = now, time.monotonic()
            if time.monotonic() - moved > STUCK_S:
                raise RuntimeError(f"{self.consumer.name}: {wanted - now} of the store's counter do not come")
            self._alive()
            time.sleep(LOOK_S)
        return time.monotonic()

    def _settled(self, wanted: int) -> int:
        # a server tells what it has taken before all of it can be read
        ends = time.monotonic() + 10
        while (now := self.store.readings()) < wanted and time.monotonic() < ends:
            time.sleep(0.2)
        return now

    def _alive(self) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.consumer.name} has ended. The end of its log:\n{self._log_end()}")

    def _log_end(self) -> str:
        return (self.folder / "consumer.log").read_text("utf-8", errors="replace")[-2000:]

    @contextlib.contextmanager
    def _consuming(self, password: str) -> Iterator["subprocess.Popen[bytes]"]:
        http = getattr(self.store, "http", "")
        place = Place(
            folder=self.folder, port=self.broker.port, password=password, store=self.store.url, http=http,
            database=DATABASE, mix=self.mix,
        )  # fmt: skip
        with (self.folder / "consumer.log").open("ab") as log:
            process = subprocess.Popen(
                self.consumer.command(place), cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _subscribed(self) -> None:
        # the broker's log has "client-id 1 filter" when it has
        ends = time.monotonic() + READY_S
        while f"{self.consumer.client_id} 1 " not in self.broker.log.read_text("utf-8", errors="replace"):
            self._alive()
            if time.monotonic() > ends:
                raise RuntimeError(f"{self.consumer.name} does not subscribe. The end of its log:\n{self._log_end()}")
            time.sleep(0.05)
        time.sleep(0.3)  # ingest has five filters


@contextlib.contextmanager
def rig(consumer: Consumer, store: str, *, nodes: int, mix: str = USUAL) -> Iterator[Rig]:
    """A rig in a folder that goes when it is over."""
    with (
        tempfile.TemporaryDirectory(prefix="pole-bench-ingest-", ignore_cleanup_errors=True) as folder,
        Rig(consumer=consumer, store_kind=store, nodes=nodes, mix=mix, folder=Path(folder)) as running,
    ):
        yield running


def before_others(pid: int) -> None:
    """Its session goes before others where we may: Linux shares the CPUs among sessions first (sched(7), autogroup)."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(NICE), encoding="ascii")


def peak(pid: int) -> int:
    """Bytes: the most that was ever resident of a process (proc(5), VmHWM)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii", errors="replace"))
    return int(found[1]) * 1024 if found else 0


def load_average() -> float:
    return round(os.getloadavg()[0], 2)
