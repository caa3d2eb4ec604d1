"""What a stretch of the run cost: CPU of this process, of named others, and of all else on the machine (proc(5))."""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """CPU seconds. kept_waiting: how long we had work, and the machine no CPU for it."""

    own: float
    others: dict[str, float]
    rest: float
    kept_waiting: float


class Meter:
    """others: process ids by name. A process that is not there (any more) costs nothing."""

    def __init__(self, others: Mapping[str, int]) -> None:
        self._others = dict(others)
        self._last = self._now()

    def lap(self) -> Cost:
        """Since the last call, or since the beginning."""
        before, self._last = self._last, self._now()
        after = self._last
        others = {name: max(0.0, after.others[name] - before.others[name]) for name in self._others}
        own = after.own - before.own
        rest = after.rest - before.rest - own - sum(others.values())
        return Cost(
            own=own, others=others, rest=max(0.0, rest), kept_waiting=after.kept_waiting - before.kept_waiting
        )  # fmt: skip

    def _now(self) -> Cost:
        others = {name: _process(pid) for name, pid in self._others.items()}
        return Cost(own=time.process_time(), others=others, rest=_machine(), kept_waiting=_kept_waiting())


def _process(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK
    return 0.0


def _machine() -> float:
    # user, nice, system, idle, iowait, irq, softirq, steal: all but the two that are no work of ours or others
    with contextlib.suppress(OSError):
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return (sum(fields) - fields[3] - fields[4]) / _TICK
    return 0.0


def _kept_waiting() -> float:
    with contextlib.suppress(OSError):
        return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e9
    return 0.0
