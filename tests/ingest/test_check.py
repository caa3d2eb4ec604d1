"""`pole ingest check`, and how ingest ends, on a real broker."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys

from ingest import check, config
from ingest.registry import Registry
from tests.ingest.fakes import Node, Service, birth, readings, wait_until


def parts(settings):
    async def found():
        return {finding.part: finding async for finding in check.check(settings)}

    return asyncio.run(found())


def prepared(tmp_path, broker, **options):
    """A configuration, and nothing that runs."""
    return config.load(Service(tmp_path / "ingest", broker, **options).config)


def test_parts_that_work_are_told_and_nothing_is_left_behind(broker, tmp_path):
    settings = prepared(tmp_path, broker)
    before = set(settings.folder.iterdir())
    found = parts(settings)
    assert set(settings.folder.iterdir()) == before  # a file that is made here would belong to the one who checks
    assert list(found) == ["clock", "broker", "store", "dead letters", "http"]
    assert [finding.text for finding in found.values() if not finding.ok] == []
    assert "takes us as ingest" in found["broker"].text


def test_each_part_that_does_not_work_is_told_by_itself(broker, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = prepared(
            tmp_path, broker, store="influx1:http://127.0.0.1:1/multipole", dead_letters="no-such/dead.db",
            http=f"127.0.0.1:{taken.getsockname()[1]}",
        )  # fmt: skip
        (tmp_path / "ingest/ingest.password").write_text("wrong")
        found = parts(settings)
    assert {part for part, finding in found.items() if finding.ok} == {"clock"}
    assert "check user and password" in found["broker"].text
    assert "127.0.0.1:1" in found["store"].text
    assert "the folder" in found["dead letters"].text
    assert "Name another port" in found["http"].text


def test_a_user_that_may_not_confirm_is_told(broker, tmp_path):
    settings = prepared(tmp_path, broker).with_changes({"broker": broker.url("gw-1")})
    (tmp_path / "ingest/ingest.password").write_text(broker.passwords["gw-1"])
    found = parts(settings)["broker"]
    assert not found.ok
    assert "poles/check/check/down/stored (NOT_AUTHORIZED): check the ACL" in found.text


def test_a_place_that_cannot_be_is_told_with_what_to_do(broker, tmp_path):
    (tmp_path / "ingest" / "folder").mkdir(parents=True)
    (tmp_path / "ingest" / "text.db").write_text("no database, however long it is read\n" * 40)
    wrong = {
        "store": ("sqlite:no-such/readings.db", "the folder", "is not there. Make it"),
        "dead_letters": ("text.db", f"{tmp_path / 'ingest/text.db'}: file is not a database", ""),
        "http": ("192.0.2.1:9464", "192.0.2.1:9464 is no address of this machine. Name one in `http`", ""),
    }
    settings = prepared(tmp_path, broker, **{key: value for key, (value, *_) in wrong.items()})
    found = parts(settings)
    for key, (_, *said) in wrong.items():
        text = found[key.replace("_", " ")].text
        assert [each for each in said if each not in text] == [], text
        assert not text.startswith("dead letters: ")
    assert "is a folder" in parts(settings.with_changes({"store": "sqlite:folder"}))["store"].text


def test_births_of_each_worker_are_read_where_there_are_some(broker, tmp_path):
    settings = prepared(tmp_path, broker)
    assert "births" not in parts(settings)
    for number in (1, 2):
        registry = Registry(path=tmp_path / f"ingest/births-{number}.db")
        for node in ("gw-1", f"gw-{number}"):
            registry.learn("wuhou", node, birth([f"P{number}/{node}"]))
            registry.keep({("wuhou", node)})
        registry.close()
    assert parts(settings)["births"].text == "2 nodes are known"
    (tmp_path / "ingest/births-1.db").write_bytes(b"no database" * 500)
    found = parts(settings)["births"]
    assert not found.ok
    assert "births-1.db: file is not a database. Move the file away" in found.text


def test_a_check_beside_a_running_ingest_leaves_its_session_alone_and_sees_it(broker, tmp_path):
    node = Node(broker)
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        run = service.pole("ingest", "check", str(service.config), "--json")
        told = json.loads(run.stdout)
        assert (run.returncode, told["ok"]) == (0, True)
        assert "an ingest runs at" in {part["part"]: part["text"] for part in told["parts"]}["http"]
        node.pack(readings(1))
        node.wait_confirmed()
        assert "waiting for the broker" not in (service.folder / "log").read_text()
        service.stop()
    node.close()


def test_what_is_wrong_ends_the_check_with_one(broker, tmp_path):
    service = Service(tmp_path / "ingest", broker, store="influx1:http://127.0.0.1:1/multipole")
    run = service.pole("ingest", "check", str(service.config))
    assert run.returncode == 1
    assert "WRONG  store: " in run.stdout


def test_workers_are_not_started_again_and_again_with_a_configuration_that_is_wrong(broker, tmp_path):
    service = Service(tmp_path / "ingest", broker, workers=2)
    (service.folder / "ingest.password").unlink()
    run = service.pole("ingest", "run", str(service.config))
    assert run.returncode == 2
    assert run.stderr.startswith("password_file: ")
    assert len(run.stderr.splitlines()) == 1


def test_it_runs_by_the_environment_alone_tells_systemd_and_stops_with_zero(broker, tmp_path):
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(str(tmp_path / "notify"))
    ear.settimeout(30)
    service = Service(tmp_path / "ingest", broker)
    told = dict(line.split(": ", 1) for line in service.config.read_text().splitlines())
    service.config.unlink()
    environment = {f"MULTIPOLE_INGEST_{key.upper()}": text for key, text in told.items()}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pole", "ingest", "run"], cwd=tmp_path / "ingest", stderr=log,
            env=os.environ | environment | {
                "MULTIPOLE_INGEST_LOG": "json", "PYTHONPATH": os.getcwd(), "NOTIFY_SOCKET": str(tmp_path / "notify"),
            },
        )  # fmt: skip
    try:
        wait_until(lambda: service.health()[0] == 200, 60, what="health")
        heard = [ear.recv(1000).decode() for _ in range(2)]
        process.send_signal(signal.SIGHUP)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert lines[-1]["event"] == "stopped"
    while heard[-1] != "STOPPING=1":
        heard.append(ear.recv(1000).decode())
    ear.close()
    assert heard[0] == "READY=1"
    assert "WATCHDOG=1\nSTATUS=" in heard[1]


def test_a_stop_while_the_store_is_down_tells_what_was_left_and_ends_with_zero(broker, tmp_path):
    node = Node(broker)
    service = Service(tmp_path / "ingest", broker, store="influx1:http://127.0.0.1:1/multipole")
    try:
        service.start(ready=False)
        node.birth()
        node.pack(readings(1))
        wait_until(lambda: service.health()[0] == 503 and service.metric("under_way ") == 2, 60, "birth and pack")
        assert service.stop() == 0
    finally:
        service.kill()
        node.close()
    assert "stopped before all was stored" in (service.folder / "log").read_text()
    assert node.confirmed == set()
