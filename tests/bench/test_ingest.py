"""`pole bench ingest` in small: that it measures what it says. Its figures are the bench's, not a test's."""

import contextlib
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import ingest, ingest_consumers, ingest_load, ingest_peers, ingest_picture, ingest_rig
from bench.ingest_consumers import Place
from bench.ingest_packs import CITY
from device_profiles import loader
from ingest import lines
from ingest.accept import accept
from ingest.registry import Registry
from simulators.load.packs import AREA, PROFILE, Packs
from tests.ingest.fakes import wait_until
from tests.parts.servers import program

TINY = ingest.Size(readings=3_000, rounds=1, scale=(20,), stores=("sqlite",), mixes=(), rate_s=1.0)


@pytest.fixture(scope="module")
def measured():
    """Ours into SQLite alone: each rig is four processes."""
    return ingest.run(size=TINY, telegraf=None)


def test_every_reading_is_in_the_store_and_what_it_cost_is_known(measured):
    (flood,) = measured["floods"]
    told = [flood[key] for key in ("name", "store", "mix", "packs", "readings", "missing")]
    assert told == ["ours", "sqlite", "10", 300, 3_000, 0]
    assert flood["readings_per_s"] > 0
    assert set(flood["cpu_us"]) == {"ingest", "broker", "load"}
    assert flood["peak_mb"] >= flood["rss_mb"] > 10
    (direct,) = measured["direct"]
    assert direct["readings_per_s"] > 0
    told = [(row["store"], row["poles"], row["series"], row["missing"]) for row in measured["scale"]]
    assert told == [("sqlite", 20, 200, 0), ("nowhere", 20, 200, 0)]


def test_latencies_are_of_every_pack_and_from_when_it_was_due(measured):
    (row,) = measured["latency"]
    assert (row["mix"], row["unconfirmed"]) == ("10", 0)
    assert row["packs"] == pytest.approx(row["readings_per_s"] / 10, abs=1)
    assert row["readings"] == 10 * row["packs"]
    assert 0 < row["stored"]["p50"] <= row["stored"]["p99"] <= row["stored"]["max"]


def test_the_figures_are_for_people_and_for_programs(measured, capsys):
    assert json.loads(json.dumps(measured)) == measured
    assert all({"what", "wanted", "got", "kept"} == row.keys() for row in measured["verdicts"])
    city = [{**row, "mix": CITY} for row in measured["floods"]]
    ingest.show({**measured, "floods": measured["floods"] + city})
    said = capsys.readouterr().out
    assert "readings published and not in the store" in said
    assert [line.split()[:3] for line in said.splitlines() if line.startswith("ours")] == [
        ["ours", "sqlite", "10"], ["ours", "sqlite", "city"],
    ]  # fmt: skip
    assert "There is no Telegraf here" in said or measured["telegraf"]


def test_the_picture_shows_every_flood(measured):
    drawn = ElementTree.fromstring(ingest_picture.picture(measured))
    assert [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")].count("ours, sqlite") == 2


@pytest.mark.parametrize(
    ("ours", "other", "kept"),
    [((900, 1.0), (300, 3.0), [True, True]), ((899, 1.01), (300, 3.0), [False, False])],
)
def test_a_promise_is_kept_or_not(measured, ours, other, kept):
    def row(name, figures):
        return {**measured["floods"][0], "name": name, "readings_per_s": figures[0], "cpu_us": {"ingest": figures[1]}}

    result = {**measured, "floods": [row("ours", ours), row("telegraf", other)]}
    assert [found["kept"] for found in ingest.verdicts(result) if "telegraf" in found["what"]] == kept


def test_each_mix_goes_to_those_who_understand_it():
    found = ingest.cases(ingest_consumers.known("/opt/telegraf"), ingest.Size())
    assert found.count(("ours", "influx1", "10")) == 1
    assert {case for case in found if case[2] != "10"} == {
        ("ours", "influx1", "50"), ("telegraf", "influx1", "50"), ("telegraf by script", "influx1", "50"),
        ("ours", "influx1", "city"), ("telegraf by script", "influx1", "city"), ("ours", "sqlite", "city"),
    }  # fmt: skip
    assert {store for name, store, mix in found if name == "telegraf" and mix == "10"} == {"influx1", "victoria"}


def test_each_mix_is_compared_with_its_own(measured):
    def row(name, mix, rate):
        return {**measured["floods"][0], "name": name, "mix": mix, "readings_per_s": rate}

    floods = [row("ours", "10", 900), row("ours", "city", 500), row("telegraf by script", "city", 100)]
    (found,) = [each for each in ingest.verdicts({**measured, "floods": floods}) if "times" in each["what"]]
    assert (found["got"], found["kept"]) == (5.0, True)
    assert found["what"] == "sqlite, a city's packs: readings a second, times telegraf by script"


def test_a_cost_is_flat_by_itself_and_with_broker_and_store(measured):
    def row(store, ingest_us, store_us):
        cpu_us = {"ingest": ingest_us, "broker": 2.0, "store": store_us, "load": 1.0}
        return {**measured["scale"][0], "store": store, "cpu_us": cpu_us}

    rows = [row("influx1", 2.0, 3.0), row("influx1", 2.2, 5.8), row("nowhere", 1.0, 1.0), row("nowhere", 1.2, 0.8)]
    found = {each["what"]: (each["got"], each["kept"]) for each in ingest.verdicts({**measured, "scale": rows})}
    assert {what: told for what, told in found.items() if "grows" in what} == {
        "influx1: CPU a reading of ingest grows from 20 poles on": (0.1, True),
        "influx1: CPU a reading of ingest, broker and store grows from 20 poles on": (0.429, False),
        "nowhere: CPU a reading of ingest grows from 20 poles on": (0.2, False),
        "nowhere: CPU a reading of ingest, broker and store grows from 20 poles on": (0.0, True),
    }


def test_latencies_are_the_middle_of_the_rounds_and_a_round_without_any_leaves_none():
    rounds = [{"p50": 1.0, "p99": 9.0}, {"p50": 3.0, "p99": 5.0}, {"p50": 2.0, "p99": 7.0}]
    assert ingest._middles(rounds) == {"p50": 2.0, "p99": 7.0}
    assert ingest._middles([*rounds, {}]) == {}


def test_what_is_not_confirmed_is_in_no_time(measured):
    slow = {**measured["latency"][0], "unconfirmed": 1}
    found = ingest.verdicts({**measured, "latency": [slow]})
    assert [each["kept"] for each in found if "p99" in each["what"]] == [False]


def test_what_is_lost_on_the_way_is_told(measured):
    result = {**measured, "floods": [{**measured["floods"][0], "missing": 3}]}
    assert ingest.verdicts(result)[-1] | {"what": ""} == {"what": "", "wanted": 0, "got": 3, "kept": False}


@pytest.mark.parametrize(("name", "store"), [("ours", "influx1"), ("paho-mqtt", "influx1"), ("ours", "nowhere")])
def test_the_store_of_the_bench_counts_lines_and_readings(name, store):
    if store == "influx1":
        program("influxd")
    consumer = ingest_consumers.known(None)[name]
    with ingest_rig.rig(consumer, store, nodes=5, mix=CITY if name == "ours" else "3") as running:
        warm = running.warm()
        run = running.flood(200)  # each of a city's packs is among them
        assert run.packs == 200
        assert (warm.stored, run.stored) == (warm.readings, run.readings)
        assert running.store.readings() == warm.readings + run.readings
        assert run.told()["missing"] == 0
        if name == "ours":
            told = running.load.ask("rate", packs_per_s=400, seconds=0.5)
            assert (told["packs"], told["unconfirmed"]) == (200, 0)
            assert told["readings"] == run.readings  # the same poles say the same again


def test_who_ends_at_once_is_told_with_its_last_words():
    broken = replace(ingest_consumers.known(None)["ours"], command=lambda place: ["sh", "-c", "echo no such thing"])
    with pytest.raises(RuntimeError, match="no such thing"), ingest_rig.rig(broken, "sqlite", nodes=1):
        pass


def place(folder: Path, mix: str = "3") -> Place:
    return Place(folder=folder, port=1883, password="x", store="", http="http://h:8086", database="bench", mix=mix)


def telegraf_told(folder: Path, name: str, mix: str = "3") -> dict:
    command = ingest_consumers.known("/opt/telegraf")[name].command(place(folder, mix))
    assert command[0] == "/opt/telegraf"
    return tomllib.loads(Path(command[2]).read_text())


@pytest.mark.parametrize("name", ["telegraf", "telegraf by script"])
def test_telegraf_is_told_to_keep_its_session_and_to_acknowledge_after_the_write(tmp_path, name):
    told = telegraf_told(tmp_path, name)
    (consumer,) = told["inputs"]["mqtt_consumer"]
    assert (consumer["persistent_session"], consumer["qos"]) == (True, 1)
    assert consumer["max_undelivered_messages"] == ingest_consumers.WINDOW
    assert told["agent"]["metric_batch_size"] == ingest_consumers.WINDOW / 2
    if name == "telegraf":
        (parser,) = consumer["json_v2"]
        assert [field["path"] for field in parser["field"]] == ["0.v", "1.v", "2.v"]
    else:
        (script,) = told["processors"]["starlark"]
        assert "track=True" in script["source"]


def test_telegraf_by_place_writes_a_line_a_device_and_cannot_name_a_city(tmp_path):
    told = telegraf_told(tmp_path, "telegraf", "50")
    (consumer,) = told["inputs"]["mqtt_consumer"]
    parsers = consumer["json_v2"]
    per_device = len(loader.profiles()[PROFILE].points)
    assert [parser["tag"][0]["path"] for parser in parsers] == [f"{at}.bn" for at in range(0, 50, per_device)]
    fields = [field["path"] for parser in parsers for field in parser["field"]]
    assert fields == [f"{at}.v" for at in range(50)]
    assert told["agent"]["metric_batch_size"] == len(parsers) * ingest_consumers.WINDOW / 2
    consumers = ingest_consumers.known("/opt/telegraf")
    assert [name for name, each in consumers.items() if each.understands(CITY)] == ["ours", "telegraf by script"]


def test_the_peers_write_the_points_that_ours_does(tmp_path):
    packs = Packs(profiles=loader.profiles(), readings=5, epoch="0badcafe")
    registry = Registry(path=tmp_path / "births.db")
    registry.learn(AREA, "P1", packs.birth("P1", 1_763_683_200_000))
    body = packs.pack(b"P1", 7, 1_763_683_200_250)
    runs = accept(AREA, "P1", body, registry.devices(AREA, "P1"), 1_763_683_300_000).runs
    registry.close()
    assert ingest_peers.line(f"poles/{AREA}/P1/up/telemetry", body) == (lines.encode(runs, []).decode(), 5)


def test_a_share_is_one_of_the_values():
    assert ingest_load.shares([]) == {}
    assert ingest_load.shares([n / 1000 for n in range(1, 101)]) == {"p50": 51.0, "p99": 100.0, "max": 100.0}


def test_a_bench_that_is_ended_leaves_nothing_behind(tmp_path):
    def there():
        """Command lines of the parts, whose files are in the folder."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                found.append(file.read_bytes())
        return [line for line in found if bytes(tmp_path) in line]

    command = [sys.executable, "-m", "pole", "bench", "ingest", "--quick"]
    bench = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: any(b"mosquitto" in line for line in there()), 30, "a broker")
        bench.terminate()
        assert bench.wait(30) == 143
        assert there() == []
    finally:
        bench.kill()
        bench.wait()
