"""Who answers on a bus, and when to ask again who does not. Pure: times come in as seconds of one monotonic clock."""

import random

from protocols import errors
from wire.backoff import Backoff

SILENT_AFTER = 3  # failures in a row
# In the steady state, all that is silent on a bus together costs at most this share of the bus's time.
DEAD_SHARE = 0.05
# While nothing at all answers on a bus, nobody loses anything by more probes.
DEAD_BUS_SHARE = 0.5
PROBE_FIRST_S, PROBE_MOST_S = 1.0, 60.0
JITTER = 1.2


class Health:
    """Whether a unit, or one block of it, answers. cost_s: bus time that a request without an answer takes."""

    def __init__(self, *, cost_s: float) -> None:
        self.cost_s = cost_s
        self.failures = 0
        self.silent = False
        self.error: errors.DeviceError | None = None
        self.probe_at = 0.0
        self.backoff = Backoff(first=PROBE_FIRST_S, most=PROBE_MOST_S)

    @property
    def quality(self) -> str:
        return self.error.quality if self.error else "timeout"


class Ward:
    """Everything on one bus that is silent, and the share of the bus's time that it may cost."""

    def __init__(self) -> None:
        self._silent: set[Health] = set()

    def answered(self, health: Health) -> bool:
        """True when it was silent until now."""
        was_silent = health.silent
        health.failures = 0
        health.error = None
        self.discharge(health)
        return was_silent

    def failed(self, health: Health, error: errors.DeviceError, now: float, *, others_answer: bool) -> bool:
        """True when it became silent by this failure. others_answer: whether anybody on the bus does."""
        health.failures += 1
        health.error = error
        became_silent = not health.silent and health.failures >= SILENT_AFTER
        if became_silent:
            health.silent = True
            self._silent.add(health)
        if health.silent:
            health.probe_at = now + self._interval(health, others_answer)
        return became_silent

    def discharge(self, health: Health) -> None:
        """It is asked as usual again; its next failure, if it comes before an answer, makes it silent at once."""
        self._silent.discard(health)
        health.silent = False
        health.backoff.reset()

    def _interval(self, health: Health, others_answer: bool) -> float:
        # When each waits (cost of all) / share between its probes, the sum of cost / interval is the share.
        share = DEAD_SHARE if others_answer else DEAD_BUS_SHARE
        fewest = sum(each.cost_s for each in self._silent) / share
        return max(fewest, health.backoff.next()) * random.uniform(1.0, JITTER)
