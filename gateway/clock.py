"""Time stamps of readings: milliseconds since 1970 that never name two instants of one point alike.

A point in the database is its series and its time stamp, so two readings of one point with one stamp are one reading.
A wall clock that is set back lives through some milliseconds twice. Stamps therefore lie on a grid of 10 ms, and their
last digit says how often the clock was set back (modulo 10): what is lived through again gets other stamps.
"""

import time
from collections.abc import Callable

GRID_MS = 10
SET_AFTER_MS = 1_735_689_600_000  # 2025-01-01: a clock before it was never set


class Clock:
    """last_ms and set_back are the spool's memory of the highest stamp and of the times the clock was set back."""

    def __init__(self, *, last_ms: int = 0, set_back: int = 0, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self.last_ms = last_ms
        self.set_back = set_back
        self._wall_ns = wall_ns

    def now_ms(self) -> int:
        """The stamp of now. Equal stamps within a grid step are the caller's to tell apart, see Stamps."""
        now = self._wall_ns() // 1_000_000 // GRID_MS * GRID_MS
        if now < self.last_ms // GRID_MS * GRID_MS:
            self.set_back += 1
        self.last_ms = now + self.set_back % GRID_MS
        return self.last_ms

    def is_set(self) -> bool:
        return self._wall_ns() // 1_000_000 >= SET_AFTER_MS


class Stamps:
    """The last stamp of each point, so that a point that is read twice within a grid step keeps both readings."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}

    def unlike(self, device: str, point: str, time_ms: int) -> int:
        """time_ms, or the next step of the grid that this point has not had just before."""
        key = (device, point)
        last = self._last.get(key, 0)
        if last >= time_ms and last - time_ms < 1000 and last % GRID_MS == time_ms % GRID_MS:
            time_ms = last + GRID_MS
        self._last[key] = time_ms
        return time_ms
