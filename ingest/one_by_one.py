"""A careful worker's messages: the next one is taken when all that was taken before is done.

A window of one is not enough: the broker sends again what was under way with a session in a wider window, all at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NoReturn

from ingest.session import Message

LOOK_S = 0.002
MOST = 1000  # messages that wait


class OneByOne:
    """`put` what comes; `run` hands it to take, while under_way tells how many of those are not done. on_taken follows
    each that waits no more; while it is full, nothing is to be put: what comes at QoS 0 is in no window."""

    def __init__(
        self, *, take: Callable[[Message], None], under_way: Callable[[], int], on_taken: Callable[[], None]
    ) -> None:
        self._take = take
        self._under_way = under_way
        self._on_taken = on_taken
        self._come: deque[Message] = deque()

    @property
    def full(self) -> bool:
        return len(self._come) >= MOST

    def put(self, message: Message) -> None:
        self._come.append(message)

    async def run(self) -> NoReturn:
        """Until cancelled."""
        while True:
            while self._come and not self._under_way():
                message = self._come.popleft()
                if not message.stale:
                    self._take(message)
                self._on_taken()
            await asyncio.sleep(LOOK_S)
