"""What `pole bench ingest-chaos --workers` hits, what it hears, and what it counts."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from bench import ingest_chaos_gaps as gaps
from bench.ingest_chaos_cuts import Cuts
from bench.ingest_chaos_mortal import MARK
from bench.ingest_chaos_nodes import Nodes, is_bad
from bench.ingest_chaos_processes import Ingest, Process, local_ports, send
from bench.ingest_chaos_truth import account
from bench.ingest_stores import Sqlite
from ingest.accept import Refusal
from ingest.dead_letters import DeadLetters
from ingest.store_url import open_store
from tests.ingest.fakes import wait_until


def ingest_of(folder, workers=2):
    return Ingest(folder=folder, log=folder / "log", port=1, store="sqlite:x.db", workers=workers, letters="l.db")


def test_workers_are_found_with_who_watches_them_and_ended(tmp_path):
    ingest, other = ingest_of(tmp_path), tmp_path / "other.yaml"
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    mine = [subprocess.Popen([*sleep, str(tmp_path / "ingest.yaml"), "--worker", str(number)]) for number in (2, 1)]
    others = subprocess.Popen([*sleep, str(other), "--worker", "3"])
    try:
        wanted = [Process(mine[1].pid, os.getpid(), 1), Process(mine[0].pid, os.getpid(), 2)]
        wait_until(lambda: ingest.processes() == wanted, what="both")
        assert ingest.watched() == []  # we are not the one that it has started
        ingest.end()
        assert [process.wait(60) for process in mine] == [-signal.SIGKILL] * 2
        assert others.poll() is None
    finally:
        for process in (*mine, others):
            process.kill()
            process.wait()
    send(others.pid, signal.SIGSTOP)  # to one that is gone: nothing


def test_one_connection_is_cut_and_the_other_stays():
    async def scene():
        async def echo(reader, writer):
            while data := await reader.read(100):
                writer.write(data)

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server, Cuts(host="127.0.0.1", port=server.sockets[0].getsockname()[1]) as cuts:
            one, other = [await asyncio.open_connection("127.0.0.1", cuts.port) for _ in range(2)]
            for _, writer in (one, other):
                writer.write(b"a")
            assert [await reader.readexactly(1) for reader, _ in (one, other)] == [b"a", b"a"]
            port = one[1].get_extra_info("sockname")[1]
            assert {port, other[1].get_extra_info("sockname")[1]} <= local_ports(os.getpid())
            assert cuts.cut({port}) == 1
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await asyncio.wait_for(one[0].readexactly(1), 15)
            other[1].write(b"b")
            assert await other[0].readexactly(1) == b"b"
            for _, writer in (one, other):
                writer.close()

    asyncio.run(asyncio.wait_for(scene(), 20))


def test_the_ports_are_those_of_the_one_who_is_asked():
    asks = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); print(1); input()"
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [sys.executable, "-uc", asks, str(server.getsockname()[1])]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            there, (_, port) = server.accept()
            assert process.stdout.readline() == b"1\n"
            assert local_ports(process.pid) == {port}
            there.close()
            process.stdin.close()
    assert local_ports(process.pid) == set()


def nodes_of(count=1, head=0):
    nodes = Nodes(count=count, readings=3, packs_per_s=1)
    for _ in range(head):
        nodes._one(time.monotonic())
    return nodes


def test_poison_is_a_pack_with_nothing_else_wrong_and_always_the_same():
    nodes = nodes_of(head=49)
    nodes.poison()
    assert nodes.poison_waits == 1
    for _ in range(2):
        nodes._one(time.monotonic())
    (node,) = nodes.nodes
    assert is_bad(50)
    assert node.poison == {51}
    first = json.loads(nodes.payload(node, 51))[0]
    assert f'"v":{first["v"]}'.encode() == MARK
    assert nodes.payload(node, 51) == nodes.payload(node, 51)
    assert MARK not in nodes.payload(node, 49) + nodes.payload(node, 50)
    nodes._confirmed(node, 51, time.monotonic())
    assert nodes.poison_waits == 0


async def opened(url):
    store = open_store(url)
    await store.packs()  # its tables are made
    await store.close()


def test_what_workers_die_of_is_a_dead_letter_and_in_no_store(tmp_path):
    nodes = nodes_of()
    nodes.poison()
    nodes._one(0.0)
    (node,) = nodes.nodes
    store = Sqlite(folder=tmp_path / "store")
    store.start()
    asyncio.run(opened(store.url))
    file = tmp_path / "letters.db"
    found = asyncio.run(account(nodes, store, file))
    assert (found["lost"], found["letters_missing"], found["letters_false"]) == (0, 1, 0)
    kept = DeadLetters(path=file)
    kept.keep([("t", nodes.payload(node, 1), [Refusal(None, "crash", "x")])])
    found = asyncio.run(account(nodes, store, file))
    assert (found["letters_missing"], found["letters_false"], found["dead_letters"]) == (0, 0, 1)
    kept.keep([("t", b"a good one", [Refusal(None, "crash", "x")])])
    kept.close()
    assert asyncio.run(account(nodes, store, file))["letters_false"] == 1


def test_silence_and_waits_are_heard():
    nodes = nodes_of(head=3)
    (node,) = nodes.nodes
    began = time.monotonic()
    node.made = {1: began - 5, 2: began - 3, 3: began - 2}
    node.poison = {1}
    nodes.listen()
    assert nodes.oldest_s == pytest.approx(5, abs=1)
    nodes._confirmed(node, 1, began)  # what workers die of does not count
    nodes._confirmed(node, 2, began)
    silence_s, wait_s = nodes.heard()
    assert silence_s < 1
    assert wait_s == pytest.approx(3, abs=0.5)
    nodes.listen()
    assert nodes.heard()[1] == pytest.approx(2, abs=1)  # 3 waits still


class Clock:
    """Stands still but for those who sleep by it."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds
        await asyncio.sleep(0)


class Scene:
    """Nodes and an ingest in one, whose worker is away for 0.3 s when it is killed."""

    workers, several = 2, True

    def __init__(self, clock=time):
        self._clock = clock
        self.away_until = 0.0
        self.poisoned = False
        self.listened = 0.0

    @property
    def _away(self):
        return self._clock.monotonic() < self.away_until

    @property
    def oldest_s(self):
        return 2.0 if self._away else 0.0

    @property
    def poison_waits(self):
        return self.poisoned and self._away

    def watched(self):
        return [SimpleNamespace(pid=self.away_until), *([] if self._away else [SimpleNamespace(pid=self)])]

    processes = watched

    def _break(self):
        self.away_until = self._clock.monotonic() + 0.3

    roll = kill = end = _break

    def start(self):
        pass

    def poison(self):
        self.poisoned = True
        self._break()

    def listen(self):
        self.listened = self._clock.monotonic()

    def heard(self):
        return 0.1, max(0.0, self.away_until - self.listened)


def test_each_gap_is_from_when_it_begins_until_all_is_well(monkeypatch):
    monkeypatch.setattr(gaps, "QUIET_S", 0.05)
    monkeypatch.setattr(gaps, "STEADY_S", 0.2)
    monkeypatch.setattr(gaps, "LOOK_S", 0.01)
    clock = Clock()
    shown = {"sleep": clock.sleep, "timeout": asyncio.timeout, "to_thread": asyncio.to_thread}
    monkeypatch.setattr(gaps, "asyncio", SimpleNamespace(**shown))
    monkeypatch.setattr(gaps, "time", clock)
    scene = Scene(clock)
    monkeypatch.setattr(gaps, "send", lambda pid, what: scene._break())
    found = asyncio.run(gaps.gaps(scene, scene))
    assert list(found) == [
        "nothing", "rolling restart", "worker killed", "watcher killed", "all killed", "poison pack",
    ]  # fmt: skip
    assert found["nothing"]["wait_s"] == 0
    for what in list(found)[1:]:
        assert found[what]["silence_s"] == 0.1, what
        assert found[what]["wait_s"] == 0.3, what
        assert found[what]["took_s"] == pytest.approx(0.3, abs=0.02), what


def test_what_never_is_well_again_is_told(monkeypatch):
    monkeypatch.setattr(gaps, "MOST_S", 0.3)
    scene = Scene()
    scene.away_until = time.monotonic() + 60
    with pytest.raises(RuntimeError, match="nothing: not all is well"):
        asyncio.run(gaps.gaps(scene, scene))
