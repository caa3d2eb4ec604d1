"""What became of the packs that fell due in one stage, and what it says of the generator itself."""

from typing import Any

from simulators.load.histogram import Histogram
from simulators.load.meter import Cost
from simulators.load.schedule import Stage

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}

# A latency holds the generator's own lateness. Below this it is what the machine does to any process ...
LATE_S = 0.005
LATE_SHARE = 0.1  # ... and above, no more than this share of the latency may be it
BUSY = 0.9  # of one core: Python has no second one, and Linux lets a real-time process have 0.95
BEHIND_S = 0.5  # what waits at a stage's end may be what fell due in so long; with more, it is a queue that grows


class StageAccount:
    """Durations count from the moment when a pack was due, never from when it was sent."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.due = stage.count
        self.sent = 0
        self.lateness = Histogram()  # from due to our own call of send
        self.to_puback = Histogram()
        self.to_stored = Histogram()
        self.seconds = stage.seconds
        self.waiting = 0  # packs of this and earlier stages without confirmation when it ended
        self.cost = Cost(own=0.0, others={}, rest=0.0, kept_waiting=0.0)

    def verdict(self, confirm: str) -> tuple[str, str]:
        """("held", "not held" or "do not trust", why). confirm: "stored" or "broker", what counts as the end."""
        end = self.to_stored if confirm == "stored" else self.to_puback
        return self._doubt(end) or self._failure(end) or ("held", "")

    def row(self, confirm: str) -> dict[str, Any]:
        """For people and programs; times are milliseconds, None: it took for ever."""
        word, why = self.verdict(confirm)
        packs = max(1, self.sent)
        return {
            "rate": round((self.stage.rate + self.stage.last_rate) / 2, 1), "seconds": round(self.seconds, 2),
            "due": self.due, "sent": self.sent, "acknowledged": self.to_puback.count, "stored": self.to_stored.count,
            "waiting_at_end": self.waiting,
            "puback_ms": _milliseconds(self.to_puback, self.due), "stored_ms": _milliseconds(self.to_stored, self.due),
            "late_ms": _milliseconds(self.lateness, self.due),
            "own_cpu": round(self.cost.own / self.seconds, 3),
            "own_cpu_us_per_pack": round(1e6 * self.cost.own / packs, 1),
            "kept_waiting": round(self.cost.kept_waiting / self.seconds, 3),
            "others_cpu": {name: round(cpu / self.seconds, 3) for name, cpu in self.cost.others.items()},
            "rest_cpu": round(self.cost.rest / self.seconds, 3),
            "verdict": word, "why": why,
        }  # fmt: skip

    def _doubt(self, end: Histogram) -> tuple[str, str] | None:
        late, took = self.lateness.percentile(0.99, self.due), end.percentile(0.99, self.due)
        busy = self.cost.own / self.seconds
        if busy > BUSY:
            return "do not trust", f"the generator itself used {busy:.0%} of a core"
        if late is not None and late > max(LATE_S, LATE_SHARE * (took if took is not None else late)):
            return "do not trust", f"the generator itself was late: p99 {1000 * late:.1f} ms"
        return None

    def _failure(self, end: Histogram) -> tuple[str, str] | None:
        if self.sent < self.due:
            return "not held", f"{self.due - self.sent} packs fell due at nodes whose connection was gone"
        if end.count < self.due:
            return "not held", f"{self.due - end.count} packs were never confirmed"
        if self.waiting > max(10.0, BEHIND_S * self.stage.last_rate):
            return "not held", f"{self.waiting} packs were waiting at its end"
        return None


def _milliseconds(durations: Histogram, of: int) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, share in SHARES.items():
        seconds = durations.percentile(share, of)
        found[name] = None if seconds is None else round(1000 * seconds, 3)
    found["max"] = round(durations.largest_us / 1000, 3) if durations.count >= of else None
    return found
