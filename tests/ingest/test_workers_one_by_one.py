"""A careful worker takes one message at a time, whatever the broker's window was."""

import asyncio
from types import SimpleNamespace

from ingest.config import Config
from ingest.one_by_one import MOST, OneByOne
from ingest.service import Ingest


def test_the_next_one_is_taken_when_the_last_one_is_done():
    taken, under_way = [], []

    def take(message):
        taken.append(message.body)
        under_way.append(message)

    async def scene():
        queue = OneByOne(take=take, under_way=lambda: len(under_way), on_taken=lambda: None)
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


def test_what_waits_is_bounded_and_read_on_when_one_is_taken(tmp_path):
    settings = {"broker": "mqtt://127.0.0.1:1", "store": f"sqlite:{tmp_path}/r.db", "dead_letters": f"{tmp_path}/d.db"}

    async def scene():
        ingest = Ingest(config=Config.model_validate(settings).of_worker(1, http="127.0.0.1:0", careful=True))
        queue, connection = ingest._one_by_one, ingest._connection
        for _ in range(MOST):
            assert connection._room()
            queue.put(SimpleNamespace(topic="poles/a/n/up/status", body=b"", packet_id=None, stale=True))
        assert not connection._room()
        running = asyncio.create_task(queue.run())
        await asyncio.wait_for(connection.room_made.wait(), 20)
        assert connection._room()
        running.cancel()

    asyncio.run(scene())
