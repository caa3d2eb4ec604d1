"""An event loop whose clock stands still while the machine lets its process not run.

A device and the gateway that asks it play in one loop. Where both stood still for longer than an answer may take, the
answer and the end of the wait for it would be due together, and the test would fail though nobody was late.
"""

import asyncio
import selectors
import time

LEAST_S = 0.005  # shorter pauses are everyday life


class _Selector(selectors.DefaultSelector):
    """stood_s: seconds in which the loop could have run, and did not."""

    def __init__(self):
        super().__init__()
        self.stood_s = 0.0
        self._seen = time.monotonic(), time.thread_time()

    def look(self):
        """What passed since the last look without work of this thread was none of its own doing."""
        now, worked = time.monotonic(), time.thread_time()
        passed, own = now - self._seen[0], worked - self._seen[1]
        if own >= 0 and passed - own > LEAST_S:
            self.stood_s += passed - own
        self._seen = now, worked

    def select(self, timeout=None):
        self.look()
        began = time.monotonic()
        found = super().select(timeout)
        now = time.monotonic()
        if timeout is not None and (late := now - began - max(timeout, 0)) > LEAST_S:
            self.stood_s += late
        self._seen = now, time.thread_time()
        return found


class PatientLoop(asyncio.SelectorEventLoop):
    """Work of the process counts, so that a loop that is held up by computing is still found out."""

    def __init__(self):
        self._own = _Selector()
        super().__init__(self._own)

    def time(self):
        self._own.look()
        return time.monotonic() - self._own.stood_s


class PatientPolicy(asyncio.DefaultEventLoopPolicy):
    _loop_factory = PatientLoop
