"""When a batch is written, and how long a pack waits for a birth."""

import asyncio
import time

from ingest import batch
from ingest.batch import MAX_READINGS, Batcher, Entry
from ingest.session import Message
from ingest.waiting import Waiting
from tests.ingest.judged import judged


class Line:
    """Stands for a session: open or not."""

    open = True


def message(session=None, packet_id=1):
    return Message("poles/a/n/up/telemetry", b"", packet_id, session or Line())


def entry(rows=1, session=None, packet_id=1):
    return Entry(message(session, packet_id), judged("n", 1, [("air", "a", "P", "d", "x", 0, 1.0, None)] * rows))


def test_a_batch_leaves_when_it_is_quiet(monkeypatch):
    monkeypatch.setattr(batch, "MAX_AGE_S", 60)

    async def work():
        batcher = Batcher()
        for _ in range(3):
            batcher.put(entry())
        async with asyncio.timeout(20):
            assert len(await batcher.next()) == 3
        assert len(batcher) == 0

    asyncio.run(work())


def test_a_batch_leaves_at_its_age_though_more_comes(monkeypatch):
    monkeypatch.setattr(batch, "QUIET_S", 60)

    async def work():
        batcher = Batcher()
        batcher.put(entry())
        started = time.monotonic()
        async with asyncio.timeout(20):
            assert len(await batcher.next()) == 1
        assert time.monotonic() - started >= batch.MAX_AGE_S

    asyncio.run(work())


def test_a_broker_that_sends_no_more_at_a_number_is_not_waited_for_again(monkeypatch):
    monkeypatch.setattr(batch, "MAX_AGE_S", 60)

    async def work():
        batcher = Batcher(under_way=lambda: len(batcher))
        for _ in range(20):
            batcher.put(entry())
        assert len(await batcher.next()) == 20, "the broker fell silent"
        monkeypatch.setattr(batch, "QUIET_S", 60)
        for _ in range(20):
            batcher.put(entry())
            batcher.settle()
        async with asyncio.timeout(20):
            assert len(await batcher.next()) == 20, "and nobody waits for its silence again"

    asyncio.run(work())


def test_a_batch_holds_no_more_rows_than_the_most():
    async def work():
        batcher = Batcher()
        for _ in range(11):
            batcher.put(entry(rows=1000))
        sizes = [len(await batcher.next()) for _ in range(3)]
        assert sizes == [MAX_READINGS // 1000, MAX_READINGS // 1000, 1]

    asyncio.run(work())


def test_what_the_broker_sends_again_is_forgotten_and_what_it_does_not_is_kept():
    async def work():
        batcher, waiting, line = Batcher(), Waiting(most=9), Line()
        batcher.put(entry(session=line))
        batcher.put(entry(session=line, packet_id=None))  # QoS 0
        waiting.put(("a", "n"), message(line))
        line.open = False
        batcher.forget(line)
        waiting.forget(line)
        assert [each.message.packet_id for each in await batcher.next()] == [None]
        assert len(waiting) == 0

    asyncio.run(work())


def test_waiting_is_bounded_in_time_and_number():
    async def work():
        waiting = Waiting(most=2, patience_s=0.05)
        first, second, third = (message() for _ in range(3))
        for each in (first, second, third):
            waiting.put(("a", "n"), each)
        assert waiting.due() == [first]
        assert waiting.due() == []
        await asyncio.sleep(0.06)
        assert waiting.due() == [second, third]

    asyncio.run(work())


def test_a_birth_frees_its_own_node_s_packs():
    async def work():
        waiting = Waiting(most=9)
        mine, other = message(), message()
        waiting.put(("a", "n"), mine)
        waiting.put(("a", "m"), other)
        assert waiting.born(("a", "n")) == [mine]
        assert len(waiting) == 1

    asyncio.run(work())
