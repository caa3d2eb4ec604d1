"""Waits between attempts: doubled up to a cap, and jittered, so that a thousand clients do not come back at once."""

import random


class Backoff:
    def __init__(self, *, first_s: float = 0.2, cap_s: float = 10.0) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._attempt = 0

    def next(self) -> float:
        """Seconds to wait before the next attempt: between half and the whole of the current step."""
        step: float = min(self._cap_s, self._first_s * 2 ** min(self._attempt, 16))
        self._attempt += 1
        return step * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        self._attempt = 0
