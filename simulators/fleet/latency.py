"""How long packs take from being sent to being stored: of the last half minute, and of the whole run."""

import time
from collections import Counter, deque
from collections.abc import Iterable

RECENT_S = 30.0


class Latency:
    """Seconds in; percentiles out: {"p50", "p99"} in ms, None while there is nothing."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque(maxlen=100_000)  # when, seconds
        self._all: Counter[int] = Counter()  # ms -> packs

    def add(self, seconds: list[float]) -> None:
        now = time.monotonic()
        self._recent += [(now, one) for one in seconds]
        self._all.update(round(1000 * one) for one in seconds)

    def recent(self) -> dict[str, int | None]:
        since = time.monotonic() - RECENT_S
        while self._recent and self._recent[0][0] < since:
            self._recent.popleft()
        return _percentiles(Counter(round(1000 * one) for _, one in self._recent).items())

    def whole(self) -> dict[str, int | None]:
        return _percentiles(self._all.items())


def _percentiles(counts: Iterable[tuple[int, int]]) -> dict[str, int | None]:
    """counts: (ms, packs). The nearest rank."""
    ascending = sorted(counts)
    packs = sum(count for _, count in ascending)
    found: dict[str, int | None] = {}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        left = min(packs - 1, int(share * packs))
        for ms, count in ascending:
            left -= count
            if left < 0:
                found[name] = ms
                break
        else:
            found[name] = None
    return found
