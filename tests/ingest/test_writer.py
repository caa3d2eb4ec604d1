"""The order of things between the stores, the broker and the node, with a store that fails on command."""

import asyncio
import contextlib

import pytest
import structlog

from ingest import isolate, writer
from ingest.accept import Refusal
from ingest.batch import Batcher, Entry
from ingest.dead_letters import DeadLetters
from ingest.errors import Refused, Unavailable
from ingest.metrics import Metrics
from ingest.registry import Registry
from ingest.rows import named
from ingest.session import Message
from tests.ingest.judged import judged


class Session:
    """Stands for the broker's end: remembers what was acknowledged."""

    def __init__(self):
        self.open, self.acknowledged = True, []

    def put(self, data):
        self.acknowledged += [int.from_bytes(data[at + 2 : at + 4], "big") for at in range(0, len(data), 4)]


class FakeStore:
    """Rows whose point is in `poison` are refused, all is while `down`; `ledger_too` refuses the ledger's lines."""

    name = "fake"
    flights = 1

    def __init__(self):
        self.down, self.ledger_too, self.poison = False, False, set()
        self.rows, self.ledgers, self.calls = {}, {}, 0

    async def write(self, runs, ledgers):
        self.calls += 1
        if self.down:
            raise Unavailable("fake: down")
        told = list(named(runs))
        bad = [row[4] for row in told if row[4] in self.poison]
        if bad or (ledgers and self.ledger_too):
            raise Refused("store", f"bad {bad}")
        self.rows |= {row[:6]: row[6] for row in told}
        self.ledgers |= {ledger[:4]: ledger for ledger in ledgers}

    async def close(self):
        pass


class Desk:
    """A writer and all that it touches."""

    def __init__(self, folder):
        self.store, self.batcher, self.session, self.published = FakeStore(), Batcher(), Session(), []
        self.metrics = Metrics()
        self.letters = DeadLetters(path=folder / "aside" / "dead-letters.db")
        self.folder = folder / "aside"
        self.folder.mkdir()
        self.registry = Registry(path=folder / "births.db")
        self.writer = writer.Writer(
            batcher=self.batcher,
            store=self.store,
            letters=self.letters,
            registry=self.registry,
            metrics=self.metrics,
            publish=lambda topic, body: self.published.append((topic, body)) or True,
            on_done=lambda: None,
            held_most=3,
        )

    def put(self, number, points, refused=(), session=None, node="n"):
        rows = [("air", "a", "P", "d", point, 1000 + number, 1.0, None) for point in points]
        pack = judged(node, number, rows, refused=refused, newest_ms=1000 + number)
        message = Message("poles/a/n/up/telemetry", b"%d" % number, number, session or self.session)
        self.batcher.put(Entry(message, pack))

    def kept(self):
        return [
            (letter.body, [(refusal.record, refusal.reason) for refusal in letter.refused])
            for letter in self.letters.all()
        ]


@pytest.fixture
def run(tmp_path):
    def run(test):
        async def work():
            desk = Desk(tmp_path)
            task = asyncio.create_task(desk.writer.run())
            try:
                async with asyncio.timeout(60):
                    await test(desk)
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                await desk.writer.close()
                desk.registry.close()

        asyncio.run(work())

    return run


async def until(true):
    while not true():
        await asyncio.sleep(0.005)


def test_what_the_store_refuses_is_kept_aside_before_the_acknowledgement(run):
    async def test(desk):
        desk.store.poison = {"bad"}
        desk.put(1, ["x", "bad", "y"])
        desk.put(2, ["x"])
        await until(lambda: desk.session.acknowledged)
        assert sorted(desk.session.acknowledged) == [1, 2]
        assert desk.kept() == [(b"1", [(1, "store")])]
        assert {key[4] for key in desk.store.rows} == {"x", "y"}
        assert [ledger[4:6] for _, ledger in sorted(desk.store.ledgers.items())] == [(2, 1), (1, 0)]
        assert desk.published == [("poles/a/n/down/stored", b'{"ep":"9f3c21aa","sq":[[1,2]]}')]

    run(test)


def test_while_the_store_is_down_nothing_is_acknowledged(run):
    async def test(desk):
        desk.store.down = True
        desk.put(1, ["x"])
        await until(lambda: desk.store.calls >= 3)
        assert desk.session.acknowledged == []
        assert desk.published == []
        assert desk.writer.waits["store"] == "fake: down"
        desk.store.down = False
        await until(lambda: desk.session.acknowledged)
        assert desk.writer.waits["store"] is None

    run(test)


def test_a_store_that_asks_for_a_pause_gets_it(run, monkeypatch):
    monkeypatch.setattr(writer, "RETRY_FIRST_S", 0.001)

    async def test(desk):
        calls = []

        async def busy(runs, ledgers):
            calls.append(asyncio.get_running_loop().time())
            raise Unavailable("fake: busy", retry_after_s=0.3 if runs else None)

        await until(lambda: desk.store.calls)
        monkeypatch.setattr(desk.store, "write", busy)
        desk.put(1, ["x"])
        await until(lambda: len(calls) >= 3)
        assert calls[1] - calls[0] > 0.29
        assert calls[2] - calls[1] > 0.29

    run(test)


def test_what_the_broker_will_send_again_is_let_go(run):
    async def test(desk):
        gone = Session()
        await until(lambda: desk.store.calls)
        desk.store.down = True
        desk.put(1, ["x"], session=gone)
        desk.put(2, ["y"])
        await until(lambda: desk.store.calls >= 2)
        gone.open = False
        await until(lambda: desk.store.calls >= 4)
        desk.store.down = False
        await until(lambda: desk.session.acknowledged)
        assert {key[4] for key in desk.store.rows} == {"y"}

    run(test)


def test_an_idle_store_that_goes_is_noticed(run, monkeypatch):
    monkeypatch.setattr(writer, "PROBE_S", 0.05)

    async def test(desk):
        await until(lambda: desk.writer.waits["store"] is None)
        desk.store.down = True
        await until(lambda: desk.writer.waits["store"] == "fake: down")
        desk.store.down = False
        await until(lambda: desk.writer.waits["store"] is None)

    run(test)


def test_refusals_that_cannot_be_kept_hold_only_their_own_packs(run):
    async def test(desk):
        desk.folder.rmdir()
        desk.put(1, ["x"], [Refusal(1, "range", "too much")])
        desk.put(2, ["y"])
        await until(lambda: desk.session.acknowledged)
        assert desk.session.acknowledged == [2]
        assert "dead-letters.db" in desk.writer.waits["dead letters"]
        assert desk.writer.held == 1
        desk.folder.mkdir()
        await until(lambda: len(desk.session.acknowledged) == 2)
        assert desk.kept() == [(b"1", [(1, "range")])]
        assert desk.writer.waits["dead letters"] is None

    run(test)


def test_refusals_that_cannot_be_kept_and_are_many_stay_with_their_nodes_and_leave_the_window_open(run):
    async def test(desk):
        desk.folder.rmdir()
        for number in range(1, 9):
            desk.put(number, ["x"], [Refusal(1, "range", "too much")])
        desk.put(9, ["y"])
        await until(lambda: len(desk.session.acknowledged) == 6)
        assert desk.session.acknowledged == [4, 5, 6, 7, 8, 9]
        assert desk.published == [("poles/a/n/down/stored", b'{"ep":"9f3c21aa","sq":[[9,9]]}')]
        assert "multipole_ingest_stored_unsent_total 5.0" in desk.metrics.text().decode()
        assert desk.writer.waits["dead letters"] is not None
        desk.folder.mkdir()
        await until(lambda: len(desk.session.acknowledged) == 9)
        assert [body for body, _ in desk.kept()] == [b"1", b"2", b"3"]

    run(test)


def test_a_storm_of_refusals_is_counted_in_full_and_told_in_few_lines(run):
    async def test(desk):
        with structlog.testing.capture_logs() as lines:
            for number in range(1, 401):
                refused = [Refusal(index, "range" if number % 2 else "unit", "why") for index in (0, 1)]
                desk.put(number, ["x"], refused, node=f"n{number % 50}")
            await until(lambda: len(desk.session.acknowledged) == 400)
        told = [line for line in lines if line["event"].startswith("dead-lettered")]
        assert len(told) <= 40
        assert sum(line["messages"] for line in told) == 400
        text = desk.metrics.text().decode()
        assert 'multipole_ingest_refused_total{reason="range"} 400.0' in text
        assert 'multipole_ingest_refused_total{reason="unit"} 400.0' in text
        assert len(desk.kept()) == 400

    run(test)


def test_a_hold_ends_with_its_session(run):
    async def test(desk):
        gone = Session()
        desk.folder.rmdir()
        desk.put(1, ["x"], [Refusal(1, "range", "too much")], session=gone)
        await until(lambda: desk.writer.held)
        gone.open = False
        await until(lambda: desk.writer.waits["dead letters"] is None)
        assert (desk.writer.held, len(desk.batcher)) == (0, 0)

    run(test)


def test_a_ledger_that_is_refused_makes_a_letter_of_the_whole_pack():
    store = FakeStore()
    store.ledger_too = True
    pack = judged("n", 1, [("air", "a", "P", "d", "x", 1, 1.0, None)])
    asyncio.run(isolate.write(store, [pack], 1000))
    assert [(refusal.record, refusal.reason) for refusal in pack.refused] == [(None, "store")]


def test_isolating_one_bad_row_takes_few_writes():
    store = FakeStore()
    store.poison = {"p700"}
    points = [f"p{n}" for n in range(1000)]
    many = [judged("n", n, [("air", "a", f"P{n}", "d", point, n, 1.0, None) for point in points]) for n in range(1, 3)]
    asyncio.run(isolate.write(store, many, 1000))
    assert len(store.rows) == 1998
    assert store.calls < 60
