"""Several workers that share the packs, on a real broker: killed, started anew, and one pack that ends its readers."""

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from ingest import config, workers
from ingest.dead_letters import DeadLetters
from ingest.workers import Workers
from tests.ingest.fakes import EPOCH, Node, Service, readings, wait_until
from wire import packs

PACKS = 200


def running(service):
    """Process ids of the workers, by their supervisor."""
    told = Path(f"/proc/{service.pid}/task/{service.pid}/children")
    try:
        return [int(pid) for pid in told.read_text().split()]
    except FileNotFoundError:  # it has ended
        return []


def numbers(service):
    with sqlite3.connect(service.folder / "readings.db", timeout=5) as db:
        return db.execute("SELECT number, readings FROM packs ORDER BY number").fetchall()


def rows(service):
    with sqlite3.connect(service.folder / "readings.db", timeout=5) as db:
        return db.execute("SELECT count(*) FROM readings").fetchone()[0]


def test_four_workers_lose_nothing_and_store_nothing_twice_though_they_are_killed(broker, tmp_path):
    chance = random.Random(3)
    service = Service(tmp_path / "ingest", broker)
    service.arguments = ["--workers", "4"]
    node = Node(broker)
    with service:
        assert len(running(service)) == 4
        node.birth()
        killed = 0
        for number in range(1, PACKS + 1):
            node.pack(readings(number))
            if number % 40 == 0:
                alive = running(service)
                os.kill(chance.choice(alive), signal.SIGKILL)
                killed += 1
                time.sleep(0.2)
        node.wait_confirmed(seconds=60)
        assert killed == PACKS // 40
        assert numbers(service) == [(number, 3) for number in range(1, PACKS + 1)]
        assert rows(service) == 3 * PACKS
        wait_until(lambda: len(running(service)) == 4, 60, what="four workers again")
        assert service.stop() == 0
        assert running(service) == []
    node.close()


def test_two_workers_share_the_packs_are_replaced_one_by_one_and_work_on_until_the_next_watchers(broker, tmp_path):
    service = Service(tmp_path / "ingest", broker)
    service.arguments = ["--workers", "2"]
    node = Node(broker)
    with service:
        node.birth()
        for number in range(1, 101):
            node.pack(readings(number))
        node.wait_confirmed(seconds=30)
        # one that does not answer just then is not on the page
        wait_until(lambda: service.metric("packs_stored_total") >= 100, 60, what="one page of both")
        for worker in (1, 2):
            share = f'packs_stored_total{{worker="{worker}"}}'
            wait_until(lambda share=share: service.metric(share) > 20, what=share)
        before = running(service)
        os.kill(service.pid, signal.SIGHUP)
        while set(running(service)) & set(before) or len(running(service)) < 2:
            number += 1
            node.pack(readings(number))
            time.sleep(0.05)
            assert number < 2000
        node.wait_confirmed(seconds=30)
        assert [stored for stored, _ in numbers(service)] == list(range(1, number + 1))
        left = running(service)
        assert len(left) == 2
        service.kill()
        time.sleep(1.0)  # they have noticed it
        number += 1
        node.pack(readings(number))
        node.wait_confirmed(seconds=20)
        service.start(ready=False)
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/cwd") for pid in left), 60.0, "the workers' end")
        number += 1
        node.pack(readings(number))
        node.wait_confirmed(seconds=30)
        assert [stored for stored, _ in numbers(service)] == list(range(1, number + 1))
        assert len(running(service)) == 2
        assert service.stop() == 0
    node.close()


DIES = """
import asyncio, os
from ingest.suspects import Suspects
usual = Suspects.refused
def refused(self, area, node, topic, body):
    told = usual(self, area, node, topic, body)
    if told is None and b"boom" in body:
        {how}
    return told
Suspects.refused = refused
from pole.command import main
main()
"""
LOOKING, LATER = "os._exit(9)", "asyncio.get_running_loop().call_soon(os._exit, 9)"


# Two ends, or twice three and three careful ones: a slow node sends it again, and each of the two workers has it. While
# the last of these is counted, the other one may end as well.
@pytest.mark.parametrize(("how", "most"), [(LOOKING, 2 + 1), (LATER, 2 * 3 + 3 + 1)])
def test_a_pack_that_ends_workers_is_set_aside_and_the_others_are_stored(broker, tmp_path, monkeypatch, how, most):
    monkeypatch.setattr(workers, "RESTART_FIRST_S", 0.05)
    service = Service(tmp_path / "ingest", broker)  # its folder and its configuration; it is not started
    settings = config.load(service.config)
    letters = DeadLetters(path=settings.path(settings.dead_letters))
    node = Node(broker)

    def command(number, http, careful):
        options = ["--worker", str(number), "--http", http, "--parent", str(os.getpid())] + ["--careful"] * careful
        return [sys.executable, "-c", DIES.format(how=how), "ingest", "run", str(service.config), *options]

    def done():
        return numbers(service) if (service.folder / "readings.db").exists() else []

    async def scene():
        several = Workers(count=2, command=command, http=settings.http, folder=service.folder, letters=letters)
        stop = asyncio.Event()
        running = asyncio.create_task(several.run(stop))
        await asyncio.to_thread(wait_until, lambda: service.health()[0] == 200, 60, "health")
        node.birth()
        for number in range(1, 41):
            node.pack(readings(number))
        boom = packs.encode(EPOCH, 41, [("P0001/air-1", "note", readings(1)[0][2], "boom", None)])
        node.send(41, boom)
        await asyncio.to_thread(node.wait_confirmed, None, 60)
        stop.set()
        await running
        return sum(len(worker.ends) for worker in several.workers)

    assert asyncio.run(scene()) <= most
    assert [number for number, _ in done()] == list(range(1, 42))
    (letter,) = letters.all()
    assert [refusal.reason for refusal in letter.refused] == ["crash"]
    assert b"boom" in letter.body
    assert (letter.refused[0].record, len(letter.refused)) == (None, 1)
    letters.close()
    node.close()


def test_pages_of_workers_become_one():
    page = (
        "# HELP multipole_ingest_refused_total Records\n# TYPE multipole_ingest_refused_total counter\n"
        'multipole_ingest_refused_total{reason="a \\"b\\""} 2.0\n'
    )
    told = workers.merged([(1, page), (2, page)]).decode()
    assert told.count("# TYPE multipole_ingest_refused_total counter") == 1
    assert 'multipole_ingest_refused_total{reason="a \\"b\\"",worker="2"} 2.0' in told
    assert json.dumps(told)
