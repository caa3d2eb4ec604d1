"""Packs that came before the birth of their node: they wait a while, unacknowledged."""

import asyncio

from ingest.connection import Message, Session

PATIENCE_S = 5.0  # births are retained: one comes soon after it was asked for, or not at all


class Waiting:
    """At most `most` messages, by node; beyond that the oldest has waited enough."""

    def __init__(self, *, most: int, patience_s: float = PATIENCE_S) -> None:
        self._most = most
        self._patience_s = patience_s
        self._messages: list[tuple[float, tuple[str, str], Message]] = []

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, node: tuple[str, str], message: Message) -> bool:
        """True for the first message of its node."""
        first = all(of != node for _, of, _ in self._messages)
        self._messages.append((asyncio.get_running_loop().time() + self._patience_s, node, message))
        return first

    def born(self, node: tuple[str, str]) -> list[Message]:
        """The messages of a node whose birth has come."""
        freed = [message for _, of, message in self._messages if of == node]
        self._messages = [item for item in self._messages if item[1] != node]
        return freed

    def due(self) -> list[Message]:
        """The messages that have waited enough."""
        now = asyncio.get_running_loop().time()
        split = max(len(self._messages) - self._most, 0)
        while split < len(self._messages) and self._messages[split][0] <= now:
            split += 1
        freed = [message for _, _, message in self._messages[:split]]
        self._messages = self._messages[split:]
        return freed

    def forget(self, session: Session) -> None:
        """Drops what the broker will send again."""
        self._messages = [item for item in self._messages if item[2].session is not session or not item[2].stale]
