"""Waits between attempts, the same for every node and service: they double up to a cap.

They are jittered, so that a thousand nodes that lost one broker do not come back as one.
"""

import random


class Backoff:
    """first, most: seconds."""

    def __init__(self, *, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._step = first

    def next(self) -> float:
        """Seconds to wait before the next attempt: between half and the whole of its step."""
        wait = self._step * random.uniform(0.5, 1.0)
        self._step = min(self._step * 2, self._most)
        return wait

    def reset(self) -> None:
        """It worked: the next wait is the first again."""
        self._step = self._first
