"""Ingest as a process, on a real broker, with real stores."""

import asyncio
import json
import random
import resource
import shutil
import sqlite3
import time

import pytest

from ingest import config, service
from tests.ingest.fakes import EPOCH, Node, Service, now_ms, readings, wait_until
from wire import packs


@pytest.fixture
def node(broker):
    node = Node(broker)
    yield node
    node.close()


@pytest.fixture
def patient(broker):
    """A node that sends nothing again: what is counted is what it sent, however slow the machine is."""
    node = Node(broker, again_s=600.0)
    yield node
    node.close()


def rows(service, sql):
    db = sqlite3.connect(service.folder / "readings.db", timeout=5)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def wanted(numbers):
    return sorted((at, point, value) for number in numbers for _, point, at, value, _ in readings(number))


def stored(service):
    return sorted(rows(service, "SELECT time, point, value FROM readings WHERE device = 'air-1'"))


def letters(service):
    answer = service.pole("ingest", "dead-letters", "list", "--json", "--config", str(service.config))
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_readings_are_stored_with_their_values_then_confirmed(broker, patient, tmp_path):
    with Service(tmp_path / "ingest", broker) as service:
        patient.birth()
        for number in range(1, 101):
            patient.pack(readings(number))
        patient.wait_confirmed(seconds=60)
        assert stored(service) == wanted(range(1, 101))
        assert rows(service, "SELECT count(*), min(number), max(number), sum(readings) FROM packs") == [
            (100, 1, 100, 300)
        ]
        assert service.metric("readings_stored_total") == 300
        assert service.metric("newest_reading_timestamp_seconds") == readings(100)[0][2] / 1000
        assert service.stop() == 0


def test_the_function_and_the_area_come_from_birth_and_topic(broker, node, tmp_path):
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        node.pack(
            [("P0001/air-1", "alarm", now_ms(), True, None), ("P0001/air-1", "humidity", now_ms(), None, "timeout")]
        )
        node.wait_confirmed()
        found = rows(service, "SELECT function, area, pole, device, point, value, quality FROM readings")
        assert sorted(found) == [
            ("air", "wuhou", "P0001", "air-1", "humidity", None, "timeout"),
            ("emergency", "wuhou", "P0001", "air-1", "alarm", 1, None),
        ]


def test_ten_kills_lose_nothing_and_store_nothing_twice(broker, node, tmp_path):
    chance = random.Random(7)
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        number = 0
        for _ in range(10):
            until = time.monotonic() + chance.uniform(0.05, 0.5)
            while time.monotonic() < until:
                number += 1
                node.pack(readings(number))
                time.sleep(0.002)
            service.kill()
            service.start(ready=False)
        node.wait_confirmed(seconds=60)
        assert number > 10
        assert stored(service) == wanted(range(1, number + 1))
        assert letters(service) == []


def test_packs_wait_for_a_birth_that_comes_later(broker, patient, tmp_path):
    with Service(tmp_path / "ingest", broker) as service:
        patient.pack(readings(1))
        wait_until(lambda: service.metric("packs_without_birth") == 1, what="a waiting pack")
        assert patient.confirmed == set()
        patient.birth()
        patient.wait_confirmed()
        assert stored(service) == wanted([1])
        assert letters(service) == []


def test_a_birth_is_known_after_a_restart(broker, tmp_path):
    node = Node(broker)
    service = Service(tmp_path / "ingest", broker)
    with service:
        node.birth()
        node.pack(readings(1))
        node.wait_confirmed()
    node.publish("birth", b"", retain=True)  # the broker forgets it
    node.pack(readings(2))
    with service:
        node.wait_confirmed()
        assert stored(service) == wanted([1, 2])
    node.close()


def test_what_no_birth_names_is_dead_lettered_and_replayed_by_itself_after_the_birth(broker, node, tmp_path):
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        node.pack(readings(1) + readings(1, device="P0009/air-9"))
        node.wait_confirmed()
        (letter,) = letters(service)
        assert [(refusal["record"], refusal["reason"]) for refusal in letter["refused"]] == [
            (3, "unknown-device"), (4, "unknown-device"), (5, "unknown-device"),
        ]  # fmt: skip
        assert stored(service) == wanted([1])

        vain = service.pole("ingest", "dead-letters", "replay", "--json", "--config", str(service.config))
        assert (vain.returncode, json.loads(vain.stdout)["kept"]) == (1, 1)
        node.birth(("P0001/air-1", "P0009/air-9"))
        wait_until(lambda: letters(service) == [], 60, what="a replay by itself")
        assert rows(service, "SELECT count(*) FROM readings WHERE device = 'air-9'") == [(3,)]
        assert rows(service, "SELECT readings, refused FROM packs WHERE number = 1") == [(6, 0)]
        wait_until(lambda: service.metric("replayed_total") == 3, what="their count, which comes last")


def test_a_device_of_another_node_is_refused_until_an_operator_decides(broker, node, tmp_path):
    other = Node(broker, user="gw-2")
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        node.pack(readings(1))
        node.wait_confirmed()
        other.birth()
        other.pack(readings(2))
        other.wait_confirmed()
        (letter,) = letters(service)
        assert {refusal["reason"] for refusal in letter["refused"]} == {"not-yours"}
        assert stored(service) == wanted([1])
        told = service.pole("ingest", "owners", "list", "--config", str(service.config))
        assert (told.returncode, told.stdout) == (0, "wuhou P0001/air-1 gw-1 first\n")
        options = ["--area", "wuhou", "--device", "P0001/air-1", "--node", "gw-2"]
        assert service.pole("ingest", "owners", "set", "--config", str(service.config), *options).returncode == 0
        wait_until(lambda: letters(service) == [], 60, what="a replay by itself")
        assert stored(service) == wanted([1, 2])
    other.close()


def test_poison_is_kept_aside_once_and_the_others_go_on(broker, node, tmp_path):
    nul = b'[{"bn":"P0001/air-1/","bt":1763683200,"ep":"%s","sq":%d,"n":"note","vs":"\\u0000"}]'
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        node.pack(readings(1))
        node.publish("telemetry", b"\xff not json")
        node.publish("telemetry", b"\xff not json")
        node.publish("birth", b"{}")
        node.publish("status", b"[]")
        node.send(2, b'[{"ep":"%s","sq":2},%s]' % (EPOCH.encode(), b",".join([b"{}"] * 1000)))
        node.send(3, nul % (EPOCH.encode(), 3))
        node.send(4, packs.encode(EPOCH, 4, [("P0001/air-1", "door", now_ms() + 2 * 86_400_000, True, None)]))
        node.send(5, packs.encode(EPOCH, 5, [("P0001/air-1", "no_such", now_ms(), 1, None)]))
        node.pack(readings(6), number=6)
        node.wait_confirmed()
        wait_until(lambda: len(letters(service)) == 7, seconds=60, what="seven letters")
        found = {
            (letter["topic"].rpartition("/")[2], letter["refused"][0]["reason"]): letter for letter in letters(service)
        }
        assert found.keys() == {
            ("telemetry", "json"), ("birth", "missing"), ("status", "shape"), ("telemetry", "records"),
            ("telemetry", "text"), ("telemetry", "future"), ("telemetry", "unknown-point"),
        }  # fmt: skip
        assert found["telemetry", "json"]["times"] >= 2
        assert stored(service) == wanted([1, 6])
        # a broker may deliver a message again; it is counted when it has been kept
        wait_until(
            lambda: service.metric("refused_total") == sum(letter["times"] for letter in letters(service)),
            seconds=60,
            what="each refusal counted",
        )
        assert service.metric("refused_total") >= 8
        assert service.health() == (200, [])
        verb = ("ingest", "dead-letters", "delete", "--config", str(service.config))
        assert service.pole(*verb).returncode != 0  # never all of them for want of an id
        assert "no dead letter has the id 99" in service.pole(*verb, "--id", "99").stderr
        assert service.pole(*verb, "--id", str(found["telemetry", "json"]["id"])).stdout == "1 deleted\n"
        assert len(letters(service)) == 6


def test_a_store_that_is_down_is_waited_for(broker, node, influx1, tmp_path):
    influx1.stop()
    service = Service(tmp_path / "ingest", broker, store=influx1.store)
    try:
        service.start(ready=False)
        node.birth()
        for number in range(1, 501):
            node.pack(readings(number))
        status, waiting = wait_until(lambda: service.health()[1] and service.health(), what="an answer")
        assert status == 503
        assert any(str(influx1.port) in reason for reason in waiting)
        time.sleep(2)
        assert node.confirmed == set()
        influx1.start()
        node.wait_confirmed(seconds=30)
        (series,) = influx1.query("SELECT count(temperature) FROM air")
        assert series["values"][0][1] == 500
        assert service.health() == (200, [])
    finally:
        service.kill()
        influx1.kill()
        influx1.start()


def test_a_broker_that_goes_is_waited_for(broker, node, tmp_path):
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        node.pack(readings(1))
        node.wait_confirmed()
        broker.kill()
        status, waiting = wait_until(lambda: service.health()[1] and service.health(), what="news of the broker")
        assert status == 503
        assert waiting[0].startswith(f"broker 127.0.0.1:{broker.port}: ")
        node.pack(readings(2))
        broker.start()
        node.wait_confirmed(seconds=30)
        assert stored(service) == wanted([1, 2])


def test_what_cannot_be_dead_lettered_is_not_acknowledged(broker, node, tmp_path):
    blocked = tmp_path / "ingest" / "aside"
    blocked.mkdir(parents=True)
    with Service(tmp_path / "ingest", broker, dead_letters="aside/dead-letters.db") as service:
        node.birth()
        node.pack(readings(1))
        node.wait_confirmed()
        (blocked / "dead-letters.db").mkdir()  # SQLite cannot open a folder
        node.send(2, packs.encode(EPOCH, 2, [("P0001/air-1", "no_such", now_ms(), 1, None)]))
        node.pack(readings(3))
        node.wait_confirmed([3])
        status, waiting = wait_until(lambda: service.health()[1] and service.health(), what="news of the dead letters")
        assert status == 503
        assert "dead letters" in waiting[0]
        assert 2 not in node.confirmed
        shutil.rmtree(blocked / "dead-letters.db")
        node.wait_confirmed(seconds=20)
        assert [letter["refused"][0]["reason"] for letter in letters(service)] == ["unknown-point"]


def test_a_full_disk_is_waited_for(broker, node, tmp_path):
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        node.pack(readings(1))
        node.wait_confirmed()
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        for number in range(2, 400):
            node.pack(readings(number))
        status, waiting = wait_until(lambda: service.health()[1] and service.health(), what="news of the disk")
        assert status == 503
        assert "readings.db: " in waiting[0]
        assert len(node.confirmed) < 399
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        node.wait_confirmed(seconds=20)
        assert stored(service) == wanted(range(1, 400))
        assert service.health() == (200, [])


def test_births_that_cannot_be_read_are_told_before_anything_starts(broker, tmp_path):
    service = Service(tmp_path / "ingest", broker)
    (service.folder / "births.db").write_bytes(b"not SQLite" * 100)
    answer = service.pole("ingest", "run", str(service.config))
    assert answer.returncode == 1
    assert "births.db: file is not a database. Move the file away" in answer.stderr


def test_a_pack_is_acknowledged_on_no_connection_but_its_own(broker, node, tmp_path):
    # Every pack is under way when the broker goes; the ids of the new session begin anew.
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        for number in range(1, 301):
            node.pack(readings(number))
            if number in (100, 200):
                broker.restart()
        node.wait_confirmed(seconds=40)
        assert stored(service) == wanted(range(1, 301))


def test_births_that_were_lost_are_asked_for_before_what_is_queued_is_refused(broker, node, tmp_path):
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        node.pack(readings(1))
        node.wait_confirmed()
        assert service.stop() == 0
        for number in range(2, 402):  # more than a window: they stand in the broker's queue before any retained birth
            node.pack(readings(number))
        for file in service.folder.glob("births.db*"):
            file.unlink()
        service.start()
        node.wait_confirmed(seconds=30)
        assert letters(service) == []
        assert stored(service) == wanted(range(1, 402))


def test_a_clock_that_was_never_set_is_waited_for_and_refuses_nothing(broker, node, tmp_path, monkeypatch):
    with Service(tmp_path / "ingest", broker) as prepared:
        node.birth()
        prepared.stop()
    node.pack(readings(1))
    real, behind = time.time_ns, [1_700_000_000 * 10**9]
    monkeypatch.setattr(service.time, "time_ns", lambda: real() - behind[0])

    async def scenario():
        stop = asyncio.Event()
        ingest = service.Ingest(config=config.load(prepared.config))
        running = asyncio.create_task(ingest.run(stop))
        await asyncio.sleep(1)
        async with asyncio.timeout(20):
            while not any("clock" in reason for reason in ingest.waiting_for):
                await asyncio.sleep(0.02)
        behind[0] = 0
        await asyncio.to_thread(node.wait_confirmed)
        assert not any("clock" in reason for reason in ingest.waiting_for)
        stop.set()
        await running

    asyncio.run(scenario())
    assert letters(prepared) == []
    assert stored(prepared) == wanted([1])
