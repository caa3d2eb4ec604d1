"""What happened on an emulated serial line, and how much of the time the line itself needed for it."""

from collections import deque
from dataclasses import dataclass, field

from device_profiles.bus_time import Line

JOURNAL = 100_000  # exchanges that are remembered singly


@dataclass(kw_only=True, slots=True)
class Transaction:
    """One request and what followed. Seconds of the clock that all processes share (CLOCK_MONOTONIC).

    wire: what the exchange needs on this line, whoever asks: its characters, and the silences around the answer.
    """

    unit: int
    request: bytes  # PDU
    start: float  # the request's first character
    end: float  # the last character: of the answer, or of the request where none came
    wire: float
    answered: bool = False


@dataclass(kw_only=True, slots=True)
class Account:
    """Sums since the start, or since reset(). Seconds.

    violations: requests that came before the silence of 3.5 characters was over; collisions: while somebody else still
    spoke; broken: requests that nobody could understand. late_s: how much later than on a wire the answers came.
    """

    transactions: int = 0
    answered: int = 0
    violations: int = 0
    collisions: int = 0
    broken: int = 0
    characters: int = 0
    wire_s: float = 0.0
    late_s: float = 0.0
    late_most_s: float = 0.0
    journal: deque[Transaction] = field(default_factory=lambda: deque(maxlen=JOURNAL))

    def asked(self, line: Line, unit: int, request: bytes, start: float, end: float) -> Transaction:
        """A whole request was on the line."""
        characters = len(request) + 3  # unit and checksum
        made = Transaction(
            unit=unit, request=request, start=start, end=end, wire=characters * line.character + line.silence
        )
        self.transactions += 1
        self.characters += characters
        self.wire_s += made.wire
        self.journal.append(made)
        return made

    def answers(self, line: Line, to: Transaction, pause: float, characters: int) -> None:
        """The answer to a request is on the line, after `pause` seconds of the device."""
        more = pause + characters * line.character
        to.answered = True
        to.wire += more
        self.answered += 1
        self.characters += characters
        self.wire_s += more

    def delivered(self, late: float) -> None:
        self.late_s += late
        self.late_most_s = max(self.late_most_s, late)
