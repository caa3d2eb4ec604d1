"""Requests that were given up, and what still comes of them.

RTU frames carry no number. A late answer would pass for the answer to the same unit's next request, and then every
answer for the one before: wrong values, for ever. So a unit is asked nothing else while it may still be speaking.
"""

from dataclasses import dataclass

from protocols import modbus

# A device that answers later than this after its request is taken at its word, whatever that belongs to.
LATE_MOST_S = 2.0


@dataclass(frozen=True, slots=True)
class _GivenUp:
    request: bytes
    sent: float  # when its last character had left
    wait: float  # beyond the time that the answer needs on the wire
    at: float

    def until(self, request: bytes) -> float:
        """When this may be asked. The same once more harms nobody: a late answer answers it as well."""
        again = self.at + self.wait
        return again if request == self.request else max(again, self.sent + LATE_MOST_S)


class Unanswered:
    """At most one request of each unit. All times are the loop's."""

    def __init__(self) -> None:
        self._units: dict[int, _GivenUp] = {}
        self._late: list[tuple[int, float]] = []

    def add(self, unit: int, request: bytes, *, sent: float, wait: float, now: float) -> None:
        """Given up now."""
        self._units[unit] = _GivenUp(request, sent, wait, now)

    def free_at(self, unit: int, request: bytes = b"") -> float:
        """When a unit may be asked this; 0 for at once."""
        given_up = self._units.get(unit)
        return given_up.until(request) if given_up is not None else 0.0

    def look(self, received: bytes | bytearray, *, came_at: float, now: float, but: int | None = None) -> None:
        """What came of them among these bytes, before they are thrown away; but: a unit that has just been heard."""
        for unit, given_up in list(self._units.items()):
            looks = bool(received) and unit != but
            answer = modbus.find_rtu(received, unit, given_up.request)[0] if looks else None
            if answer is not None:
                self._late.append((unit, came_at - given_up.sent))
            if answer is not None or now >= given_up.until(b""):
                del self._units[unit]

    def asked_again(self, unit: int, *, sent: float, now: float) -> None:
        """The unit has answered: where it was asked the same twice, the second answer is still to come."""
        given_up = self._units.get(unit)
        if given_up is not None:
            self.add(unit, given_up.request, sent=sent, wait=given_up.wait, now=now)

    def late(self) -> list[tuple[int, float]]:
        """(unit, seconds after the end of its request) of answers that came too late, since the last call."""
        found, self._late = self._late, []
        return found
