"""Whose turn it is on a line of controllers. Pure: times come in as seconds of one monotonic clock.

Who has something under way is asked again at once, who has not ever more seldom up to ten times a second, and who does
not answer so seldom that all of them together cost a small share of the line's time.
"""

from collections.abc import Iterable

SHARE = 0.05  # of the line's time for those that do not answer
DEAD_SHARE = 0.5  # while nobody answers at all, nobody loses anything by more questions
IDLE_FIRST_S, IDLE_MOST_S = 0.01, 0.1
CREDIT = 3.0  # so many questions without an answer are no reason to wait
EARNED = 0.25  # of one, by each answer: on a noisy line one of five may be lost
SILENT_AFTER = 3  # in a row
NEWER = 4  # doublings: who fell silent just now is asked so much more often than who has been silent for long


class Turn:
    """due: when it is to be asked."""

    def __init__(self) -> None:
        self.due = 0.0
        self.failures = 0  # in a row
        self._credit = CREDIT
        self._pause = 0.0

    @property
    def is_silent(self) -> bool:
        return self.failures >= SILENT_AFTER

    def answered(self, now: float, *, is_busy: bool) -> None:
        self.failures = 0
        self._credit = min(CREDIT, self._credit + EARNED)
        self._pause = 0.0 if is_busy else min(IDLE_MOST_S, 2 * self._pause or IDLE_FIRST_S)
        self.due = now + self._pause

    def wake(self, now: float) -> None:
        """There is something for it."""
        if not self.is_silent:
            self._pause = 0.0
            self.due = min(self.due, now)

    def failed(self, now: float, *, lost_s: float, all_turns: Iterable["Turn"]) -> None:
        """lost_s: the time that the question cost."""
        turns = list(all_turns)
        self.failures += 1
        self._credit -= 1
        self.due = now
        if self._credit < 0:
            self._credit = 0.0
            share = SHARE if any(not each.failures for each in turns) else DEAD_SHARE
            self.due += lost_s / share * sum(each._weight for each in turns) / self._weight

    @property
    def _weight(self) -> float:
        return 2.0 ** -min(max(0, self.failures - SILENT_AFTER), NEWER) if self.failures else 0.0
