"""Letters that are stored by themselves, as soon as something explains them."""

import asyncio
import contextlib

import pytest

from ingest import replay_lock, replayer
from ingest.accept import Refusal, accept
from ingest.dead_letters import DeadLetters
from ingest.registry import Registry
from ingest.replayer import Replayer
from ingest.rows import Counts
from ingest.sqlite_store import SqliteStore
from tests.ingest.fakes import EPOCH, birth
from wire import packs

NODE = ("wuhou", "gw-1")
DEVICES = ["P0001/air-1", "P0002/air-1"]


class Desk:
    """A replayer and all that it touches."""

    def __init__(self, folder):
        self.letters = DeadLetters(path=folder / "dead-letters.db")
        self.registry = Registry(path=folder / "births.db")
        self.store = SqliteStore(path=folder / "readings.db")
        self.idle, self.records, self.lock = True, [], folder / "replay.lock"
        self.replayer = self.another(folder)
        self.running = {self.replayer: asyncio.create_task(self.replayer.run())}

    def another(self, folder):
        return Replayer(
            letters=DeadLetters(path=folder / "dead-letters.db"),
            registry=self.registry,
            store=self.store,
            idle=lambda: self.idle,
            stored=self.records.append,
            lock=self.lock,
        )

    def keep(self, numbers, *, device="P0002/air-1", node="gw-1"):
        """Judges packs as they came, and keeps what is refused."""
        letters = []
        for number in numbers:
            at = 1_790_000_000_000 + number
            readings = [("P0001/air-1", "door", at, True, None), (device, "door", at, True, None)]
            body = packs.encode(EPOCH, number, readings)
            pack = accept("wuhou", node, body, self.registry.devices("wuhou", node), at)
            letters.append((f"poles/wuhou/{node}/up/telemetry", body, pack.refused))
        self.letters.keep(letters)

    def learn(self, devices, *, node="gw-1"):
        self.registry.learn("wuhou", node, birth(devices))
        self.replayer.news(self.registry.take_changed())

    async def until(self, count):
        """So many letters are left, and no more is to be done."""
        while True:
            with replay_lock.taken(self.lock) as between_two_turns:
                if between_two_turns and not len(self.replayer) and len(self.letters.all()) == count:
                    return
            await asyncio.sleep(0.01)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(replayer, "PAUSE_S", 0.002)

    def run(test):
        async def work():
            desk = Desk(tmp_path)
            try:
                async with asyncio.timeout(30):
                    await test(desk)
            finally:
                for each, task in desk.running.items():
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
                    await each.close()
                await desk.store.close()
                desk.letters.close()
                desk.registry.close()

        asyncio.run(work())

    return run


def test_a_birth_that_explains_them_stores_them_all_once(run):
    async def test(desk):
        desk.learn(DEVICES[:1])
        desk.keep(range(1, 71))
        desk.keep([1], node="gw-2")
        desk.learn(DEVICES)
        await desk.until(1)
        assert sum(desk.records) == 70
        assert await desk.store.counts() == Counts(points=140, qualities=0, packs=70, readings=140, refused=0)
        assert desk.letters.all()[0].topic == "poles/wuhou/gw-2/up/telemetry"

    run(test)


def test_what_a_birth_does_not_explain_stays_and_is_not_written_again(run):
    async def test(desk):
        desk.learn(DEVICES[:1])
        desk.keep([1])
        desk.keep([2], device="P0003/air-1")
        desk.learn(DEVICES)
        await desk.until(1)
        assert (await desk.store.counts()).packs == 1
        assert desk.letters.all()[0].refused == [
            Refusal(1, "unknown-device", "P0003/air-1 is in no birth of this node")
        ]

    run(test)


def test_what_came_before_the_start_is_stored_too_and_live_packs_go_first(run):
    async def test(desk):
        desk.idle = False
        desk.keep(range(1, 5))
        desk.registry.learn("wuhou", "gw-1", birth(DEVICES))
        while not len(desk.replayer):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert len(desk.letters.all()) == 4
        desk.idle = True
        await desk.until(0)

    run(test)


def test_a_letter_that_is_kept_after_the_news_is_found(run, monkeypatch):
    monkeypatch.setattr(replayer, "SWEEP_S", 0.05)

    async def test(desk):
        desk.learn(DEVICES)
        while len(desk.replayer):
            await asyncio.sleep(0.01)
        body = packs.encode(EPOCH, 1, [("P0001/air-1", "door", 1_790_000_000_000, True, None)])
        late = Refusal(0, "unknown-device", "judged before the birth")
        desk.letters.keep([("poles/wuhou/gw-1/up/telemetry", body, [late])])
        await desk.until(0)
        assert desk.records == [1]

    run(test)


def test_two_replay_one_after_the_other_and_store_each_once(run, tmp_path):
    async def test(desk):
        other = desk.another(tmp_path)
        desk.running[other] = asyncio.create_task(other.run())
        desk.learn(DEVICES[:1])
        desk.keep(range(1, 101))
        with replay_lock.taken(desk.lock) as taken:
            assert taken
            desk.learn(DEVICES)
            other.news([NODE])
            await asyncio.sleep(0.1)
            assert len(desk.letters.all()) == 100
        await desk.until(0)
        assert sum(desk.records) == 100

    run(test)


def test_a_device_that_is_no_more_disputed_gives_its_packs_free(run):
    async def test(desk):
        desk.learn(DEVICES, node="gw-2")
        desk.learn(DEVICES[:1])
        desk.learn(DEVICES)
        desk.keep([1])
        assert {refusal.reason for letter in desk.letters.all() for refusal in letter.refused} == {"not-yours"}
        desk.learn(["P0009/air-1"], node="gw-2")
        await desk.until(0)
        assert (await desk.store.counts()).points == 2

    run(test)


def test_letters_that_cannot_be_read_are_tried_again(run, monkeypatch, tmp_path):
    monkeypatch.setattr(replayer, "RETRY_S", 0.02)
    (tmp_path / "dead-letters.db").mkdir()

    async def test(desk):
        await asyncio.sleep(0.1)
        (tmp_path / "dead-letters.db").rmdir()
        desk.keep([1])
        desk.learn(DEVICES)
        await desk.until(0)
        assert desk.records == [2]

    run(test)
