"""What goes next on a bus. Pure: groups of polls and seconds of a monotonic clock IN, a group or a wait OUT.

Whichever group is due longest goes next. On a bus that cannot carry everything the shortest periods stretch first, all
to the same length, and the longer ones stay as they are: nobody starves, and no queue grows, because a group that is
late has one turn and not as many as it missed. Groups with events (SOS, cover) go before all others, but never twice in
a row while another waits: they wait for one read at most, and others still have half of the bus.
"""

import heapq
import itertools
import math
from typing import Generic, Protocol, TypeVar

# A queue keeps entries of slots that were put anew since, until they come up or are too many.
STALE_MOST = 64


class Slot(Protocol):
    """What has its turns. at: when the next one is due; only the Schedule sets it."""

    at: float

    @property
    def event(self) -> bool: ...


S = TypeVar("S", bound=Slot)


class Schedule(Generic[S]):
    def __init__(self) -> None:
        self._events: list[tuple[float, int, S]] = []
        self._others: list[tuple[float, int, S]] = []
        self._order = itertools.count()
        self._slots: set[int] = set()
        self._event_was_last = False

    def put(self, slot: S, at: float) -> None:
        """It is due at this time, and no more when it was due before."""
        slot.at = at
        self._slots.add(id(slot))
        queue = self._events if slot.event else self._others
        heapq.heappush(queue, (at, next(self._order), slot))
        if len(queue) > STALE_MOST + 2 * len(self._slots):
            last = {id(each): (when, order, each) for when, order, each in sorted(queue) if when == each.at}
            queue[:] = sorted(last.values())

    def next(self, now: float) -> S | None:
        """Whose turn it is; it stays due until it is put anew. None where nobody is due."""
        event, other = _first(self._events, now), _first(self._others, now)
        if event is not None and (other is None or not self._event_was_last):
            self._event_was_last = True
            return event
        if other is not None:
            self._event_was_last = False
        return other

    def wait(self) -> float:
        """When somebody is due next; infinite where there is nobody."""
        return min(_due(self._events), _due(self._others))


def _first(queue: list[tuple[float, int, S]], now: float) -> S | None:
    return queue[0][2] if _due(queue) <= now else None


def _due(queue: list[tuple[float, int, S]]) -> float:
    while queue and queue[0][0] != queue[0][2].at:  # it was put anew since
        heapq.heappop(queue)
    return queue[0][0] if queue else math.inf
