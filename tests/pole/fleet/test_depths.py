"""A real gateway and a real agent in the world: a pole loses its power, another its network, a lamp is dimmed."""

import asyncio
import json
import sqlite3
import sys
import time

import aiomqtt
import pytest
import yaml

from pole.broker import free_port
from pole.demo.processes import Service
from pole.demo.watch import Watch
from pole.fleet.depth_plan import DepthError
from pole.fleet.depth_truth import DepthTruth, Reading
from pole.fleet.depths import Depths

AGENT, GATEWAY = "P00001-ctl", "P00002-gw"
USERS = (AGENT, GATEWAY, "chirpstack", "ingest", "operator")
SEED = 5  # P00001 has a button at its pins; the gateway's poles have stations, a charger, an intercom, a base station
LEAD_MS = 15_000  # on a busy machine everything has started before the trouble begins
VALUES = "points JOIN series ON series = id"
SCENARIO = """\
scenario: trouble
labels: {en: Trouble, zh: 故障}
story: {en: A pole is dark and another one is cut off., zh: 一杆断电，一杆断网。}
start: 2026-07-15 20:00
length: 10m
causes:
  - {at: 10s, lasts: 10s, outage: {}, where: {poles: [P00002]}}
  - {at: 10s, lasts: 10s, offline: {}, where: {poles: [P00001]}}
  - {at: 0s, lasts: 5m, sos: {}, where: {poles: [P00001]}}
"""


def write_run(folder, broker):
    (folder / "trouble.yaml").write_text(SCENARIO)
    (folder / "node.passwords").write_text("".join(f"{user}:{word}\n" for user, word in broker.passwords.items()))
    (folder / "ingest.password").write_text(broker.passwords["ingest"])
    config = {
        "broker": broker.url("ingest"), "password_file": "ingest.password", "store": "sqlite:readings.db",
        "dead_letters": "dead-letters.db", "http": f"127.0.0.1:{free_port()}",
    }  # fmt: skip
    (folder / "ingest.yaml").write_text(yaml.safe_dump(config))
    began_ms = -(-(time.time_ns() // 1_000_000 + LEAD_MS) // 10_000) * 10_000
    return {
        "folder": str(folder), "scenario": str(folder / "trouble.yaml"), "seed": SEED, "poles": 60, "wires": 2,
        "agents": 1, "every_s": 30, "began_ms": began_ms, "start": "2026-07-15T20:00:00",
        "speed": 1.0, "for_s": None, "broker": {"host": "127.0.0.1", "port": broker.port},
        "passwords": str(folder / "node.passwords"), "tls": None,
    }  # fmt: skip


def rows(folder, query):
    with sqlite3.connect(folder / "readings.db", timeout=10) as db:
        return db.execute(query).fetchall()


async def until(condition, what):
    try:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"never came: {what}") from None


async def dim(broker, area):
    issued = time.time_ns() // 1_000_000
    command = {
        "id": "c1", "issued": issued, "expires": issued + 30_000, "issuer": "tests", "pole": "P00003",
        "device": "lamp-1", "action": "set_level", "args": {"level": 30},
    }  # fmt: skip
    async with aiomqtt.Client(
        "127.0.0.1", broker.port, username="operator", password=broker.passwords["operator"]
    ) as client:
        await client.publish(f"poles/{area}/{GATEWAY}/down/command", json.dumps(command), qos=1)


@pytest.mark.parametrize("broker", [USERS], indirect=True)
def test_a_pole_without_power_and_one_without_network_lose_nothing_and_tell_the_truth(tmp_path, broker):
    order = write_run(tmp_path, broker)

    async def scenario():
        watch = Watch()
        ingest = Service(
            name="ingest", command=[sys.executable, "-m", "pole", "ingest", "run", str(tmp_path / "ingest.yaml")],
            log=tmp_path / "ingest.log", watch=watch,
        )  # fmt: skip
        depths = Depths(order=order, folder=tmp_path, watch=watch)
        try:
            await ingest.start()
            await depths.start()
            await trouble(depths)
        finally:
            await depths.stop()
            await ingest.stop()
            watch.close()
        assert depths.pids == {}

    async def trouble(depths):
        agent, gateway = depths.parts
        assert {part.name for part in depths.parts} <= depths.pids.keys()
        await until(lambda: depths.state["step"] == 1 and not gateway.running, "the dark gateway is off")
        assert (depths.state["dark_nodes"], depths.state["cut_nodes"]) == ([GATEWAY], [AGENT])
        assert agent.running
        await until(lambda: depths.state["step"] == 2 and gateway.running, "it is on again")
        born = f"SELECT area FROM packs WHERE node = '{GATEWAY}' AND time >= {order['began_ms'] + 20_000}"
        await until(lambda: rows(tmp_path, born), "it tells again")
        await dim(broker, rows(tmp_path, born)[0][0])
        shown = f"SELECT 1 FROM {VALUES} WHERE pole = 'P00003' AND point = 'level' AND round(value) = 30"
        await until(lambda: rows(tmp_path, shown), "the dimmed level is stored")

    asyncio.run(scenario())
    told = json.loads((tmp_path / "depths.json").read_text())
    assert_nothing_is_lost(tmp_path, told)
    assert len(told["nodes"][GATEWAY]["off"]) == len(told["nodes"][AGENT]["cut"]) == len(told["dark"]["P00002"]) == 1
    acts = [json.loads(line) for line in (tmp_path / "acts-wires.jsonl").read_text().splitlines()]
    assert [act["device"] for act in acts if act.get("act") == "lamp_level"] == ["P00003/lamp-1"]
    assert_true(tmp_path, order)


def assert_nothing_is_lost(folder, told):
    for name, node in told["nodes"].items():
        stored = rows(
            folder, f"SELECT count(*), coalesce(sum(readings), 0), sum(refused) FROM packs WHERE node = '{name}'"
        )
        assert (node["stored"], node["readings"], 0) == stored[0]
        assert node["head"] == node["stored"] > 0
        assert node["pending"] == []
        assert node["dropped"] == 0


def assert_true(folder, order):
    truth = DepthTruth(order=order, folder=folder)
    stored = [
        Reading(time_ms=time_ms, device=device, point=point, value=value)
        for time_ms, device, point, value in rows(
            folder,
            f"SELECT time, pole || '/' || device, point, value FROM {VALUES} ORDER BY time",
        )
        if truth.knows(device, point)
    ]
    assert {reading.device.split("/")[0] for reading in stored} == {"P00001", "P00002", "P00003"}
    assert "P00001/sos-1" in {reading.device for reading in stored}
    assert list(truth.wrong(stored)) == []
    later = [Reading(time_ms=each.time_ms, device=each.device, point=each.point, value=each.value + 0.5)
             for each in stored if each.point == "voltage"]  # fmt: skip
    assert len(list(DepthTruth(order=order, folder=folder).wrong(later))) == len(later) > 0


def test_an_order_that_is_too_large_is_refused_before_anything_is_written(tmp_path):
    order = {"poles": 200, "wires": 65, "agents": 0, "speed": 1.0, "seed": 1}
    with pytest.raises(DepthError, match="--wires 65"):
        Depths(order=order, folder=tmp_path, watch=None)
    assert list(tmp_path.iterdir()) == []
