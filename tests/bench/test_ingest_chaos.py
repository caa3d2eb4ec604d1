"""`pole bench ingest-chaos` in small: its nodes forget nothing, its account finds what is wrong."""

import asyncio
import gzip
import json
import time

import pytest
import urllib3

from bench import ingest_chaos, ingest_chaos_gaps, ingest_soak
from bench.ingest_chaos_disk import Disk
from bench.ingest_chaos_nodes import Nodes
from bench.ingest_chaos_proxies import KINDS, POISON, BadStore
from bench.ingest_chaos_truth import account
from bench.ingest_stores import DATABASE, Influx1
from ingest import lines
from ingest.accept import Refusal, accept
from ingest.dead_letters import DeadLetters
from ingest.registry import Registry
from simulators.load.packs import AREA
from tests.parts.servers import program

LETTERS = {"letters_missing": 0, "letters_false": 0, "kept": True, "dead_letters": 0}


@pytest.fixture
def store(tmp_path):
    program("influxd")
    server = Influx1(folder=tmp_path / "store")
    server.start()
    yield server
    server.kill()


@pytest.mark.parametrize("store", ["influx1", "sqlite"])
def test_some_faults_and_nothing_is_lost(monkeypatch, capsys, store):
    program("influxd")
    monkeypatch.setattr(ingest_chaos, "PAUSE_S", (0.0, 0.1))
    monkeypatch.setattr(ingest_chaos, "WEIGHTS", {"store answers": 2, "connections cut": 1, "store killed": 1})
    monkeypatch.setattr(ingest_chaos_gaps, "QUIET_S", 0.1)
    monkeypatch.setattr(ingest_chaos_gaps, "STEADY_S", 1.2)
    result = ingest_chaos.run(faults=6, seed=3, store=store)
    assert json.loads(json.dumps(result)) == result
    assert result["faults"] == sum(result["kinds"].values()) == 6
    assert result["packs"] >= 100
    assert (result["lost"], result["wrong"], result["false"], result["twice"], result["kept"]) == (0, 0, 0, 0, True)
    assert list(result["gaps"]) == ["nothing", "ingest killed"]
    killed = result["gaps"]["ingest killed"]
    # both are looked at now and then, and on a loaded machine the first pack of the silence is made late
    assert 0.1 < killed["silence_s"] <= killed["wait_s"] + 0.5
    ingest_chaos.show(result)
    told = capsys.readouterr().out
    assert "kept" in told
    assert "; ingest killed silence_s " in told


def test_of_several_workers_one_is_hit_and_nothing_is_lost(monkeypatch):
    async def none(nodes, ingest):
        assert len(ingest.watched()) == 2
        return {}

    kinds = {"worker killed": 1, "worker cut": 1, "poison pack": 1, "rolling restart": 1, "worker stalled": 1}
    monkeypatch.setattr(ingest_chaos, "gaps", none)
    monkeypatch.setattr(ingest_chaos, "PAUSE_S", (0.0, 0.1))
    monkeypatch.setattr(ingest_chaos, "WEIGHTS", {"ingest killed": 1000})
    monkeypatch.setattr(ingest_chaos, "OF_WORKERS", kinds)
    result = ingest_chaos.run(faults=5, seed=87, store="sqlite", workers=2)
    assert result["kinds"].keys() == kinds.keys()
    assert result["dead_letters"] >= 1
    assert result["ingest_starts"] == 1  # who watches them was left alone
    assert [result[name] for name in ("lost", "false", "twice", "letters_missing", "letters_false")] == [0] * 5
    assert result["kept"]


def written(store, nodes, folder):
    """Lines of all that the nodes made, as ingest writes them."""
    registry = Registry(path=folder / "births.db")
    out = []
    for node in nodes.nodes:
        registry.learn(AREA, node.name, nodes.packs.birth(node.name, nodes.began_ms))
        for number in range(1, node.head + 1):
            devices = registry.devices(AREA, node.name)
            pack = accept(AREA, node.name, nodes.payload(node, number), devices, nodes.began_ms)
            out += lines.encode(pack.runs, [pack.ledger(nodes.began_ms)]).decode().split("\n")
    registry.close()
    return out


def post(store, text):
    answer = urllib3.PoolManager().request("POST", f"{store.http}/write?db={DATABASE}&precision=ns", body=text)
    assert answer.status == 204, answer.data


def test_the_account_finds_what_is_lost_wrong_false_and_twice(store, tmp_path):
    nodes = Nodes(count=2, readings=3, packs_per_s=1)
    for node in nodes.nodes:
        node.head = 4
    text = written(store, nodes, tmp_path)
    post(store, "\n".join(text))
    right = {"lost": 0, "wrong": 0, "false": 0, "nodes_with_gaps": 0, "twice": 0} | LETTERS
    assert asyncio.run(account(nodes, store, tmp_path / "letters.db")) == right
    readings = [line for line in text if line.startswith("air")]
    place, _, at = readings[0].split(" ")
    post(store, f"{place} wind_speed=-1 {at}")
    post(store, f"{place} wind_speed=1 {int(at) + 1_000_000}")
    ledger = next(line for line in text if line.startswith("pack"))
    head, _, at = ledger.rpartition(" ")
    post(store, f"{head} {int(at) + 1_000_000}")
    nodes.nodes[1].head = 5
    assert asyncio.run(account(nodes, store, tmp_path / "letters.db")) == {
        "lost": 3, "wrong": 1, "false": 1, "nodes_with_gaps": 1, "twice": 0, **LETTERS, "kept": False,
    }  # fmt: skip
    nodes.nodes[1].head = 4
    assert asyncio.run(account(nodes, store, tmp_path / "letters.db"))["twice"] == 1


async def asked(port, body, headers=b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /write HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (headers, len(body), body))
    try:
        async with asyncio.timeout(20):
            return (await reader.readuntil(b"\r\n\r\n")).decode()
    except (EOFError, OSError):
        return ""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("kind", "said", "reached"),
    [
        ("429", "Retry-After: 1", b""), ("503", "HTTP/1.1 503", b""), ("500", "HTTP/1.1 500", b""),
        ("cut-before", "", b""), ("cut-inside", "", b"ai"), ("cut-after", "", b"air "),
        ("partial", "HTTP/1.1 400", b"air " + POISON),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_a_store_goes_wrong_in_every_way(kind, said, reached, packed):
    async def scene():
        heard = []

        async def serve(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().rpartition(b"content-length:")[2].split()[0])
            body = b""
            while len(body) < size and (more := await reader.read(100)):
                body += more
            heard.append(body)
            text = gzip.decompress(body) if packed and kind == "partial" else body
            told = b"partial write: dropped=1" if text.endswith(POISON) else b""
            writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%b" % (400 if told else 204, len(told), told))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, BadStore(to=server.sockets[0].getsockname()[1]) as bad:
            bad.faults.append(kind)
            body = gzip.compress(b"air ", mtime=0) if packed else b"air "
            headers = b"Content-Encoding: gzip\r\n" if packed else b""
            answer = await asked(bad.port, body, headers)
            assert bad.met[kind] == 1
            assert (await asked(bad.port, body, headers)).startswith("HTTP/1.1 204")  # one fault, one write
            return answer, heard[0] if len(heard) > 1 else b"", body

    answer, heard, body = asyncio.run(scene())
    assert said in answer
    assert bool(answer) == bool(said)
    if kind == "partial" and packed:
        heard = gzip.decompress(heard)
    elif packed:
        reached = body[: len(body) * len(reached) // 4]
    assert heard == reached


def test_a_real_store_takes_a_write_in_part(store, tmp_path):
    async def scene():
        async with BadStore(to=store.port) as bad:
            url = f"http://127.0.0.1:{bad.port}/write?db={DATABASE}&precision=ns"
            bad.faults.append("partial")
            answer = await asyncio.to_thread(urllib3.request, "POST", url, body=f"air,pole=P1 wind_speed=2 {now + 1}")
            assert answer.status == 400
            assert "partial write: field type conflict" in answer.data.decode()
            assert "dropped=1" in answer.data.decode()
            assert bad.met["partial"] == 1

    now = time.time_ns()
    post(store, f"air,pole=P1 wind_speed=1 {now}")  # of which type it is
    asyncio.run(scene())
    assert store.readings() == 2


def test_every_kind_of_answer_is_known():
    assert len(KINDS) == len(set(KINDS)) == 9


def test_a_full_disk_has_room_again(tmp_path):
    with Disk(tmp_path / "disk") as disk:
        if not disk.kind:
            pytest.skip("nothing may be mounted here, and a run says so")
        with disk.full(), pytest.raises(OSError, match="No space"):
            (disk.folder / "more").write_bytes(bytes(100_000))
        (disk.folder / "more").write_bytes(bytes(100_000))


def test_a_bad_record_must_be_among_the_dead_letters(store, tmp_path):
    nodes = Nodes(count=1, readings=3, packs_per_s=1)
    (node,) = nodes.nodes
    node.head = 50
    post(store, "\n".join(written(store, nodes, tmp_path)))
    found = asyncio.run(account(nodes, store, tmp_path / "letters.db"))
    assert (found["lost"], found["false"], found["letters_missing"], found["kept"]) == (0, 0, 1, False)
    kept = DeadLetters(path=tmp_path / "letters.db")
    refused = [Refusal(0, "range", "x"), Refusal(1, "store", "x")]
    kept.keep([("t", nodes.payload(node, 50), refused)])
    kept.close()
    found = asyncio.run(account(nodes, store, tmp_path / "letters.db"))
    assert (found["dead_letters"], found["letters_missing"], found["letters_false"]) == (1, 0, 1)


def rows(*megabytes):
    return [{"at_s": 36.0 * number, "mb": mb} for number, mb in enumerate(megabytes)]


@pytest.mark.parametrize(
    ("found", "slope"), [(rows(*[50] * 20), 0), (rows(*range(20)), 100), (rows(0, 9, 9, 9, 9, 9), 0), (rows(5), 0)]
)
def test_memory_that_grows_is_told_and_the_beginning_does_not_count(found, slope):
    assert ingest_soak.slope(found) == pytest.approx(slope)
