"""When a step of the world is due in real time, and into how many portions its packs are cut."""

import time

from simulators.world.world import STEP_S

PORTION_S = 0.25  # real time between two transactions
MOST_PORTIONS = 40  # of a step


class Pace:
    """speed: world seconds in a second; None: as fast as it goes. began_ms: when step 0 begins, ms since 1970."""

    def __init__(self, *, speed: float | None, began_ms: int) -> None:
        self.speed = speed
        self.portions = 1 if speed is None else max(1, min(MOST_PORTIONS, int(STEP_S / speed / PORTION_S)))
        self._began_s = began_ms / 1000
        self._started = time.monotonic()

    def due(self, step: int, share: float) -> float:
        """When so much of a step is over, by the monotonic clock. At speed 1 the clock that stamps readings decides."""
        if self.speed is None:
            return 0.0
        at_s = (step + share) * STEP_S
        if self.speed == 1:
            return time.monotonic() + self._began_s + at_s - time.time()
        return self._started + at_s / self.speed
