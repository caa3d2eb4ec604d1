"""How long packs take from being sent to being stored, of the last half minute."""

import time
from collections import deque

RECENT_S = 30.0


class Latency:
    """Seconds in; percentiles out."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque(maxlen=100_000)  # when, seconds

    def add(self, seconds: list[float]) -> None:
        now = time.monotonic()
        self._recent += [(now, one) for one in seconds]

    def percentiles(self) -> dict[str, int | None]:
        """{"p50", "p99"} in ms; None while there is nothing."""
        since = time.monotonic() - RECENT_S
        while self._recent and self._recent[0][0] < since:
            self._recent.popleft()
        ascending = sorted(one for _, one in self._recent)
        return {
            name: round(1000 * ascending[min(len(ascending) - 1, int(share * len(ascending)))]) if ascending else None
            for name, share in (("p50", 0.5), ("p99", 0.99))
        }
