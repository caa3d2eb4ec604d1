"""What the journal of a controller that is this machine holds; the agent must have ended."""

import struct
from dataclasses import dataclass
from pathlib import Path

from edge.clock import Clock
from edge.journal import Journal
from edge.segments import HEAD

SIZE = 1 << 30  # the journal's own bound is not known here, and nothing is written


@dataclass(frozen=True, kw_only=True)
class Held:
    """pending: number -> readings of each pack that is not confirmed. readings: all that were ever numbered."""

    epoch: str
    head: int
    readings: int
    dropped: int
    pending: dict[int, int]


class _Board:
    """A clock that stands, and a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def ms(self) -> int:
        return 0


def held(root: Path) -> Held:
    """root: the controller's folder. Raises OSError."""
    board = _Board(root)
    journal = Journal(board, {"journal": SIZE}, Clock(board, {"ntp": None}))
    pending: dict[int, int] = {}
    for row in (journal.events, journal.telemetry):
        number = row.find(0)
        while number:
            pending[number] = struct.unpack_from("<H", HEAD, 6)[0]
            number = row.find(number)
    state = journal.state()
    return Held(
        epoch=journal.epoch, head=journal.head, readings=state["readings"], dropped=sum(state["dropped"].values()),
        pending=pending,
    )  # fmt: skip
