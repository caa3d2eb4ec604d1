"""Packs that came before the birth of their node: they wait a while, unacknowledged."""

import asyncio
from collections import OrderedDict, deque
from itertools import count

from ingest.session import Message, Session

PATIENCE_S = 5.0  # births are retained: one comes soon after it was asked for, or not at all
HURRIED_S = 0.3  # where many wait: ever new nodes without a birth must not hold the window, and slow all others

_Node = tuple[str, str]


class Waiting:
    """At most `most` messages, by node; beyond that the oldest has waited enough, and from half of it on soon. Each of
    them costs the same, however many there are."""

    def __init__(self, *, most: int, patience_s: float = PATIENCE_S) -> None:
        self._most = most
        self._patience_s = patience_s
        self._numbers = count()
        self._messages: OrderedDict[int, tuple[float, _Node, Message]] = OrderedDict()  # since when; oldest first
        self._of: dict[_Node, deque[int]] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, node: _Node, message: Message) -> bool:
        """True for the first message of its node."""
        number = next(self._numbers)
        self._messages[number] = asyncio.get_running_loop().time(), node, message
        own = self._of.setdefault(node, deque())
        own.append(number)
        return len(own) == 1

    def born(self, node: _Node) -> list[Message]:
        """The messages of a node whose birth has come."""
        return [self._messages.pop(number)[2] for number in self._of.pop(node, ())]

    def due(self) -> list[Message]:
        """The messages that have waited enough."""
        now = asyncio.get_running_loop().time()
        freed = []
        while self._messages:
            since, node, message = next(iter(self._messages.values()))
            patience_s = self._patience_s if 2 * len(self._messages) <= self._most else min(HURRIED_S, self._patience_s)
            if now < since + patience_s and len(self._messages) <= self._most:
                break
            self._messages.popitem(last=False)
            self._leave(node)
            freed.append(message)
        return freed

    def forget(self, session: Session) -> None:
        """Drops what the broker will send again."""
        kept = [item for item in self._messages.values() if item[2].session is not session or not item[2].stale]
        self._messages.clear()
        self._of.clear()
        for item in kept:
            number = next(self._numbers)
            self._messages[number] = item
            self._of.setdefault(item[1], deque()).append(number)

    def _leave(self, node: _Node) -> None:
        # The oldest of all is the oldest of its node.
        own = self._of[node]
        own.popleft()
        if not own:
            del self._of[node]
