"""A careful worker takes one message at a time, whatever the broker's window was."""

import asyncio
from types import SimpleNamespace

from ingest.one_by_one import OneByOne


def test_the_next_one_is_taken_when_the_last_one_is_done():
    taken, under_way = [], []

    def take(message):
        taken.append(message.body)
        under_way.append(message)

    async def scene():
        queue = OneByOne(take=take, under_way=lambda: len(under_way))
        for number in range(4):
            queue.put(SimpleNamespace(body=number, stale=number == 2))
        running = asyncio.create_task(queue.run())
        seen = []
        for _ in range(3):
            await asyncio.sleep(0.05)
            seen.append(list(taken))
            under_way.clear()
        running.cancel()
        return seen

    assert asyncio.run(scene()) == [[0], [0, 1], [0, 1, 3]]  # 2 is of a session that has ended
