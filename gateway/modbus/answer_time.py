"""How long a unit is given to answer: its usual latency IN, a wait OUT that follows what it shows."""

SURE_AFTER = 20  # answers, before a wait is shorter than the profile's
LEAST_S = 0.1
MOST_S = 2.0
TIMES = 4.0  # of the slowest answer that was seen
FORGETS = 0.002  # of the slowest, with each answer that is faster


class AnswerTime:
    """usual: the wait that the profile gives; slowest: what was seen, 0 for nothing yet."""

    def __init__(self, *, usual: float, slowest: float = 0.0) -> None:
        self.slowest = slowest
        self.usual = usual
        self._seen = SURE_AFTER if slowest else 0
        self._doubted = False

    @property
    def wait(self) -> float:
        """Seconds beyond the time on the wire."""
        learned = max(LEAST_S, min(MOST_S, TIMES * self.slowest))
        if learned > self.usual:
            return learned
        return self.usual if self._doubted or self._seen < SURE_AFTER else learned

    @property
    def longest(self) -> float:
        """The wait where an answer matters more than the bus's time."""
        return max(self.usual, self.wait)

    def answered(self, latency: float) -> None:
        self._seen += 1
        self._doubted = False
        self.slowest = max(latency, self.slowest - FORGETS * (self.slowest - latency))

    def missed(self) -> None:
        """No answer: the next one gets the whole time, in case it has become slow."""
        self._doubted = True

    def late(self, latency: float) -> None:
        """An answer that nobody waited for any more."""
        self.slowest = min(max(latency, self.slowest), MOST_S / TIMES)
