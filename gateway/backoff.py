"""Waiting times between attempts: doubling, capped, with jitter so that a thousand nodes do not return as one."""

import random


class Backoff:
    def __init__(self, *, first: float, most: float) -> None:
        """first, most: seconds. Each wait is drawn from the upper half of its step."""
        self._first = first
        self._most = most
        self._step = first

    def next(self) -> float:
        """Seconds to wait before the next attempt."""
        wait = self._step * random.uniform(0.5, 1.0)
        self._step = min(self._step * 2, self._most)
        return wait

    def reset(self) -> None:
        self._step = self._first
