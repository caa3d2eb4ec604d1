"""Who answers on a bus, and when to ask again who does not. Pure: times come in as seconds of one monotonic clock."""

import random
from collections.abc import Iterable

from protocols import errors
from wire.backoff import Backoff

SILENT_AFTER = 3  # failures in a row
# While nothing at all answers on a bus, nobody loses anything by more probes.
DEAD_BUS_SHARE = 0.5
# So many failures are no reason to wait; what more of them cost is paid back first.
CREDIT = 2
PROBE_FIRST_S, PROBE_MOST_S = 1.0, 60.0
JITTER = 1.2


class Health:
    """Whether a unit, or one block of it, answers. owes: bus time that its failures took and that is not paid back."""

    def __init__(self) -> None:
        self.failures = 0
        self.silent = False
        self.error: errors.DeviceError | None = None
        self.ask_at = 0.0  # not before
        self.owes = 0.0
        self.credit = 0.0  # what it may owe and be asked all the same
        self.backoff = Backoff(first=PROBE_FIRST_S, most=PROBE_MOST_S)

    @property
    def quality(self) -> str:
        return self.error.quality if self.error else "timeout"


class Ward:
    """All that fails on one bus. Whether it is dead or answers now and then: together it costs `share` of the time.

    Every failure is a debt of the bus time that it took. Debtors pay back together at the rate of the share, and one
    that owes more than a few failures is not asked before it has paid. Over any time t the failures of n units
    therefore take at most share * t, and CREDIT + 1 failures of each on top.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._debtors: set[Health] = set()
        self._paid_at = 0.0
        self._rate = share  # at which they pay together

    def answered(self, health: Health) -> bool:
        """True when it was silent until now."""
        was_silent = health.silent
        health.failures = 0
        health.error = None
        health.silent = False
        health.backoff.reset()
        return was_silent

    def failed(
        self, health: Health, error: errors.DeviceError, now: float, *, lost_s: float, others_answer: bool
    ) -> bool:
        """True when it became silent by this failure. others_answer: whether anybody else on the bus does."""
        health.failures += 1
        health.error = error
        became_silent = not health.silent and health.failures >= SILENT_AFTER
        health.silent = health.silent or became_silent
        self._charge(health, lost_s, now, self._share if others_answer else DEAD_BUS_SHARE)
        wait = max(health.ask_at - now, health.backoff.next() if health.silent else 0.0)
        health.ask_at = now + wait * random.uniform(1.0, JITTER)
        return became_silent

    def take_over(self, unit: Health, blocks: Iterable[Health]) -> None:
        """A unit that is silent bears what its blocks owe: they are asked when it is."""
        for each in blocks:
            self.answered(each)
            unit.owes += each.owes
            each.owes = 0.0
            self._debtors.discard(each)
        if unit.owes:
            self._debtors.add(unit)

    def _charge(self, health: Health, lost_s: float, now: float, rate: float) -> None:
        """Takes in what was paid meanwhile, and the new debt: all debtors now pay a smaller part of the rate each."""
        paid = (now - self._paid_at) * min(rate, self._rate) / max(1, len(self._debtors))
        for each in self._debtors:
            each.owes = max(0.0, each.owes - paid)
        self._paid_at, self._rate = now, rate
        if lost_s > 0:
            health.owes += lost_s
            health.credit = CREDIT * lost_s
            self._debtors.add(health)
        self._debtors = {each for each in self._debtors if each.owes > 0}
        health.ask_at = now
        for each in self._debtors:
            each.ask_at = max(each.ask_at, now + (each.owes - each.credit) * len(self._debtors) / rate)
