"""`pole fleet load`: what it is asked for, a real run with all parts of its own, and how it went."""

import io
import json
import re
from xml.etree import ElementTree

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from pole.fleet import load_order
from pole.fleet.load import load
from pole.fleet.load_order import OrderError
from pole.fleet.load_outcome import InStore, LoadOutcome, tables
from pole.fleet.load_picture import picture
from simulators.load.account import StageAccount
from simulators.load.result import Result
from simulators.load.schedule import Stage

app = typer.Typer()
app.command()(load)


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def plan(**changed):
    return load_order.plan(**{"rate": None, "duration": "60s", "ramp": None, "steps": None, "each": "20s"} | changed)


def order(**changed):
    wanted = {
        "plan": plan(), "nodes": 100, "readings": 10, "broker": None, "passwords": None, "tls": False, "ca": None,
        "sources": 2, "confirm": "stored",
    }  # fmt: skip
    return load_order.order(**wanted | changed)


@pytest.mark.parametrize(
    ("asked", "rates", "seconds"),
    [
        ({}, [(500, 500)], 60),
        ({"rate": 40.0, "duration": "2m"}, [(40, 40)], 120),
        ({"steps": "500, 1000,2000"}, [(500, 500), (1000, 1000), (2000, 2000)], 60),
        ({"ramp": "100:1100/3s"}, [(100, 433), (433, 767), (767, 1100)], 3),
    ],
)
def test_a_plan(asked, rates, seconds):
    made = plan(**asked)
    assert [(round(stage.rate), round(stage.last_rate)) for stage in made.stages] == rates
    assert made.seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"rate": 5.0, "steps": "1,2"}, "three ways to say one thing"),
        ({"rate": 0.0}, "--rate: '0.0' is no rate"),
        ({"rate": float("nan")}, "is no rate"),
        ({"steps": "100,many"}, "--steps: 'many' is no rate"),
        ({"steps": "100", "each": "20"}, "--each: '20': a duration is a number with"),
        ({"duration": "10ms"}, "--for: 10ms is too short"),
        ({"ramp": "100-500/60s"}, "write LOW:HIGH/TIME, as in 100:5000/60s"),
        ({"ramp": "100:0/60s"}, "--ramp: '0' is no rate"),
    ],
)
def test_a_plan_that_cannot_be(asked, told):
    with pytest.raises(OrderError) as error:
        plan(**asked)
    assert told in str(error.value)


def test_orders_that_cannot_be(tmp_path):
    users = tmp_path / "users"
    users.write_text("ingest:x\nL1:secret\nL2:secret\n")
    torn = tmp_path / "torn"
    torn.write_text("L1:secret\nL 2:secret\n")
    there = {"broker": "mqtt://127.0.0.1", "passwords": users}
    for changed, told in [
        ({"nodes": 2, "plan": plan(rate=2001.0)}, "take at least 3 nodes"),
        ({"nodes": 2000, "plan": plan(rate=4.0)}, "silent for 500 s"),
        ({"plan": plan(rate=0.4, duration="1s"), "nodes": 1}, "no pack falls due"),
        ({"passwords": users}, "name it with --broker"),
        ({"broker": "mqtt://127.0.0.1"}, "Name a file of USER:PASSWORD lines"),
        (there | {"broker": "http://127.0.0.1"}, "write mqtt://HOST:PORT"),
        (there | {"broker": "mqtt://me@127.0.0.1"}, "users stand in --passwords"),
        (there | {"broker": "mqtt://127.0.0.1:x"}, "write mqtt://HOST:PORT"),
        (there | {"tls": True}, "write mqtts://"),
        (there | {"nodes": 3}, "has 2 nodes; write --nodes 2"),
        (there | {"passwords": torn}, f"{torn}:2: write USER:PASSWORD"),
        (there | {"passwords": tmp_path / "none"}, "cannot be read"),
        (there | {"nodes": 2, "broker": "mqtts://127.0.0.1", "ca": users}, "--ca: "),
    ]:
        with pytest.raises(OrderError) as error:
            order(**changed)
        assert told in str(error.value)


def test_a_brokers_users_become_nodes_but_for_those_that_are_none(tmp_path):
    users = tmp_path / "users"
    users.write_text("ingest:x\nP00001-node:a:b\n\noperator:y\nP00002-node:c\n")
    made = order(broker="mqtts://broker.example:8884", passwords=users, nodes=2, plan=plan(rate=10.0))
    assert made.users == {"P00001-node": "a:b", "P00002-node": "c"}
    assert (made.host, made.port, made.tls) == ("broker.example", 8884, True)


def test_a_load_on_parts_of_its_own_is_stored_and_told(tmp_path):
    folder = tmp_path / "run"
    told = run("--nodes", "20", "--steps", "50,100", "--each", "1s", "--tls", "--json", "--dir", str(folder))
    found = json.loads(told.stdout)
    assert (found["sent"], found["confirmed"], found["in_store"]["packs"]) == (150, 150, 150)
    assert [(row["due"], row["acknowledged"], row["stored"]) for row in found["stages"]] == [(50,) * 3, (100,) * 3]
    for row in found["stages"]:
        assert row["stored_ms"]["p50"] >= row["puback_ms"]["p50"] > 0
        assert row["stored_ms"]["max"] >= row["stored_ms"]["p99"]
        assert set(row["others_cpu"]) == {"broker", "ingest"}
    kept, slowest = found["in_store"], max(row["stored_ms"]["max"] for row in found["stages"])
    assert 0 < kept["p50_ms"] <= kept["p99_ms"] <= slowest + 5  # ours has the way back as well
    assert (found["tls"], found["nodes"], found["lost_connections"]) == (True, 20, {})
    assert (told.exit_code == 0) == (found["trusted"] and found["highest_held"] is not None)
    _, tls_port = re.findall(r"^listener (\d+)", (folder / "broker" / "mosquitto.conf").read_text(), re.M)
    assert (folder / "broker" / "broker.log").read_text().count(f" on port {tls_port}.\n") == 21  # and its own line
    again = run("--dir", str(folder))
    assert again.exit_code == 2
    assert "name a folder that is new or empty" in again.stderr


def outcome(*, in_store=100, late=0.001, stored=100):
    made = StageAccount(Stage(rate=10, last_rate=10, seconds=10))
    made.sent = 100
    for number in range(100):
        made.lateness.record(late)
        made.to_puback.record(0.003)
        if number < stored:
            made.to_stored.record(0.04)
    result = Result(
        nodes=5, sources=1, tls=False, readings=10, confirm="stored", priority="usual", connected_s=0.5,
        accounts=[made], losses={"gone": 2},
    )  # fmt: skip
    return LoadOutcome(
        result=result, broker="its own", folder=None,
        in_store=None if in_store is None else InStore(packs=in_store, p50_ms=38, p99_ms=39),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "good", "told"),
    [
        ({}, True, "highest rate held: 10 packs/s"),
        ({"in_store": None}, True, "100 packs sent, 100 confirmed"),
        ({"in_store": 99}, False, "The store has 99 of them; by ingest's clock they took 38 (p99: 39) ms."),
        ({"late": 0.5}, False, "10 packs/s do not trust: the generator itself was late: p99 500"),
        ({"stored": 90}, False, "10 packs/s not held: 10 packs were never confirmed."),
        ({"stored": 90}, False, "40 never never"),
    ],
)
def test_how_it_went(changed, good, told):
    made = outcome(**changed)
    assert made.good is good
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(*tables(made), sep="\n")
    shown = console.export_text()
    assert told in shown
    assert "2 connections ended: gone" in shown


def test_a_broker_that_is_not_there(tmp_path):
    users = tmp_path / "users"
    users.write_text("L1:secret\n")
    told = run("--broker", "mqtt://127.0.0.1:9", "--passwords", str(users), "--nodes", "1", "--rate", "10")
    assert told.exit_code == 2
    assert "127.0.0.1:9: cannot connect: ECONNREFUSED" in told.stderr


@pytest.mark.parametrize("confirm", ["stored", "broker"])
def test_the_picture_has_a_line_for_each_percentile_and_marks_what_was_not_held(confirm):
    row = {
        "rate": 100, "due": 10, "verdict": "held", "puback_ms": {"p50": 0.2, "p99": 2.0},
        "stored_ms": {"p50": 20.0, "p99": 200.0}, "late_ms": {"p99": 0.1},
    }  # fmt: skip
    failed = row | {"rate": 200, "verdict": "not held", "stored_ms": {"p50": 500.0, "p99": None}}
    drawn = picture({"stages": [row, failed], "confirm": confirm, "nodes": 5, "readings": 10, "tls": True})
    tree = ElementTree.fromstring(drawn)
    lines = [each.get("points") for each in tree.iter("{http://www.w3.org/2000/svg}polyline")]
    assert len(lines) == (5 if confirm == "stored" else 3)
    ys = [[float(place.split(",")[1]) for place in line.split()] for line in lines]
    if confirm == "stored":
        assert ys[0][1] < ys[1][1] < ys[1][0]  # never, above 500 ms, above 20 ms
    marked = [each.get("class") for each in tree.iter("{http://www.w3.org/2000/svg}circle")]
    assert marked.count("bad") == len(lines) + 1  # and the legend


@pytest.mark.parametrize("broker", [("ingest", "n-1", "n-2")], indirect=True)
def test_a_load_on_somebody_elses_broker(broker, tmp_path):
    users = tmp_path / "users"
    users.write_text("".join(f"{user}:{word}\n" for user, word in broker.passwords.items()))
    told = run(
        "--broker", f"mqtt://127.0.0.1:{broker.port}", "--passwords", str(users), "--nodes", "2", "--rate", "30",
        "--for", "1s", "--confirm", "broker", "--sources", "1",
    )  # fmt: skip
    assert "30 packs sent, 30 confirmed" in told.stdout
    assert "The store has" not in told.stdout
    log = broker.log.read_text()
    assert all(f" as {node} " in log for node in ("n-1", "n-2"))
    assert " as ingest " not in log
