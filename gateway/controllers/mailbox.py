"""What waits for one controller: confirmations, which are joined, and what the broker wants acknowledged."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from gateway.controllers.frame import DOWN_MOST
from wire import stored

MOST = 64  # messages; the broker's bound on what is unacknowledged is lower
RANGES = (DOWN_MOST - 32) // 35  # that surely fit into a message: two numbers of 16 digits, a comma, brackets


class Mail(NamedTuple):
    """taken() is to be called when the controller has it."""

    channel: str
    body: bytes
    taken: Callable[[], None]


class Mailbox:
    """Bounded. Confirmations are joined, of the newest epoch alone."""

    def __init__(self) -> None:
        self._epoch = ""
        self._ranges: list[list[int]] = []
        self._mail: deque[Mail] = deque()

    def __bool__(self) -> bool:
        return bool(self._ranges or self._mail)

    def put(self, mail: Mail) -> bool:
        """False where there is no room."""
        if len(self._mail) >= MOST:
            return False
        self._mail.append(mail)
        return True

    def confirm(self, epoch: str, ranges: list[list[int]]) -> None:
        """Numbers that are in the database. What has no room is told again, because it is sent again."""
        if epoch != self._epoch:
            self._epoch, self._ranges = epoch, []
        self._ranges = _joined([*self._ranges, *ranges])[: stored.MAX_RANGES]

    def take(self) -> Mail | None:
        """What goes next. Confirmations first: they are small, and free the controller's memory."""
        if self._ranges:
            told, self._ranges = self._ranges[:RANGES], self._ranges[RANGES:]
            return Mail("stored", stored.encode(self._epoch, told), lambda: None)
        return self._mail.popleft() if self._mail else None


def _joined(ranges: list[list[int]]) -> list[list[int]]:
    """Ascending, and none touches another."""
    out: list[list[int]] = []
    for first, last in sorted(ranges):
        if out and first <= out[-1][1] + 1:
            out[-1][1] = max(last, out[-1][1])
        else:
            out.append([first, last])
    return out
