"""The process of nodes as a whole: real broker, real ingest, killed and started again; and the truth that it leaves."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from pole.broker import Broker
from simulators import scenario
from simulators.truth import blocks
from tests.ingest.fakes import Service

POLES, EVERY_S, WORLD_S = 60, 30, 900


def order(folder, broker=None, *, seconds=WORLD_S, speed=None, seed=4, scene="quiet-day"):
    folder.mkdir(parents=True, exist_ok=True)
    passwords = folder / "nodes.password"
    passwords.write_text("".join(f"{user}:{secret}\n" for user, secret in (broker.passwords if broker else {}).items()))
    path = folder / "order.json"
    path.write_text(json.dumps({
        "folder": str(folder), "scenario": scene, "seed": seed, "poles": POLES, "every_s": EVERY_S,
        "began_ms": (int(time.time()) - 7200) // 10 * 10_000, "start": scenario.load(scene).start.isoformat(),
        "speed": speed, "for_s": seconds, "broker": {"host": "127.0.0.1", "port": broker.port if broker else 9},
        "passwords": str(passwords), "tls": None, "sources": ["127.0.0.1", "127.0.0.2"],
    }))  # fmt: skip
    return path


def begin(path):
    return subprocess.Popen(
        [sys.executable, "-m", "simulators.fleet", str(path)], stdout=subprocess.PIPE,
        stderr=(path.parent / "fleet.log").open("ab"), text=True,
    )  # fmt: skip


def lines(process):
    return [json.loads(line) for line in process.stdout]


@pytest.fixture
def city_broker(tmp_path):
    nodes = {f"P{index + 1:05}-node": f"secret-{index}" for index in range(POLES)}
    broker = Broker(folder=tmp_path / "broker", passwords={"ingest": "ingest-secret"} | nodes)
    broker.start()
    yield broker
    broker.kill()


def test_every_reading_of_a_city_is_stored_though_its_process_is_killed(city_broker, tmp_path):
    with Service(tmp_path / "ingest", city_broker) as service:
        path = order(tmp_path / "run", city_broker)
        for _ in range(3):
            with begin(path) as process:
                state = {}
                for line in process.stdout:
                    state = json.loads(line)
                    if state["kind"] == "end" or state["packs"]:
                        break
                os.kill(process.pid, signal.SIGKILL)
        with begin(path) as process:
            end = lines(process)[-1]
        assert process.returncode == 0
        assert (end["kind"], end["pending"], end["dropped"]) == ("end", 0, 0)
        assert end["stored"] == end["packs"] > POLES * WORLD_S // EVERY_S * 0.9
        with sqlite3.connect(service.folder / "readings.db") as db:
            packs, readings, refused = db.execute("SELECT count(*), sum(readings), sum(refused) FROM packs").fetchone()
            rows = db.execute("SELECT count(*) FROM readings").fetchone()[0]
        assert (packs, readings + refused) == (end["packs"], end["readings"])
        assert refused == 0
        assert rows == readings
    account = json.loads((tmp_path / "run" / "account.json").read_text())["nodes"]
    assert sum(node["head"] for node in account.values()) == end["packs"]
    assert all(node["stored"] == node["head"] and not node["pending"] for node in account.values())
    # the truth of a run that was killed three times, beside that of one whose broker was never there
    alone = order(tmp_path / "alone")
    with begin(alone) as process:
        deaf = lines(process)[-1]
    assert deaf["truth_sha256"] == end["truth_sha256"]
    assert (deaf["packs"], deaf["pending"], deaf["stored"]) == (end["packs"], end["packs"], 0)
    assert (tmp_path / "alone/truth" / blocks.FILE).read_bytes() == (tmp_path / "run/truth" / blocks.FILE).read_bytes()


def test_the_truth_is_of_the_seed_and_not_of_the_speed(tmp_path):
    told = {}
    for name, speed, seed in (("fast", None, 4), ("slow", 200.0, 4), ("other", None, 5)):
        with begin(order(tmp_path / name, seconds=300, speed=speed, seed=seed, scene="storm")) as process:
            told[name] = lines(process)[-1]["truth_sha256"]
    assert told["fast"] == told["slow"] != told["other"]


def test_a_process_that_is_told_to_stop_keeps_what_is_not_stored(tmp_path):
    with begin(order(tmp_path / "run", speed=1.0)) as process:
        state = json.loads(process.stdout.readline())
        while not state["packs"]:
            state = json.loads(process.stdout.readline())
        process.terminate()
        end = lines(process)[-1]
    assert process.returncode == 0
    assert end["pending"] == end["packs"] > 0
    account = json.loads((tmp_path / "run" / "account.json").read_text())["nodes"]
    assert sum(last - first + 1 for node in account.values() for first, last in node["pending"]) == end["packs"]
