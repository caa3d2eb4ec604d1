"""`pole bench ingest` in small: that it measures what it says. Its figures are the bench's, not a test's."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import ingest, ingest_consumers, ingest_load, ingest_peers, ingest_picture, ingest_rig
from bench.ingest_consumers import Place
from bench.ingest_stores import Influx1
from device_profiles import loader
from ingest import lines
from ingest.accept import accept
from ingest.registry import Registry
from simulators.load.packs import AREA, Packs
from tests.parts.servers import program

TINY = ingest.Size(packs=300, rounds=1, scale=(20,), scale_packs=100, stores=("sqlite",), rate_s=1.0)


@pytest.fixture(scope="module")
def measured():
    """Ours into SQLite alone: each rig is four processes."""
    return ingest.run(size=TINY, telegraf=None)


def test_every_reading_is_in_the_store_and_what_it_cost_is_known(measured):
    (flood,) = measured["floods"]
    assert (flood["name"], flood["store"], flood["packs"], flood["missing"]) == ("ours", "sqlite", 300, 0)
    assert flood["readings_per_s"] > 0
    assert set(flood["cpu_us"]) == {"ingest", "broker", "load"}
    (direct,) = measured["direct"]
    assert direct["readings_per_s"] > 0
    (scale,) = measured["scale"]
    assert (scale["poles"], scale["series"], scale["missing"]) == (20, 200, 0)


def test_latencies_are_of_every_pack_and_from_when_it_was_due(measured):
    (row,) = measured["latency"]
    assert row["unconfirmed"] == 0
    assert row["packs"] == pytest.approx(row["readings_per_s"] / ingest.READINGS, abs=1)
    assert 0 < row["stored"]["p50"] <= row["stored"]["p99"] <= row["stored"]["max"]


def test_the_figures_are_for_people_and_for_programs(measured, capsys):
    assert json.loads(json.dumps(measured)) == measured
    assert all({"what", "wanted", "got", "kept"} == row.keys() for row in measured["verdicts"])
    ingest.show(measured)
    said = capsys.readouterr().out
    assert "readings published and not in the store" in said
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


def test_what_is_lost_on_the_way_is_told(measured):
    result = {**measured, "floods": [{**measured["floods"][0], "missing": 3}]}
    assert ingest.verdicts(result)[-1] | {"what": ""} == {"what": "", "wanted": 0, "got": 3, "kept": False}


def test_the_store_of_the_bench_counts_lines_and_readings(tmp_path):
    program("influxd")
    consumer = replace(ingest_consumers.known(None, 3)["paho-mqtt"])
    with ingest_rig.rig(consumer, "influx1", nodes=5, readings=3) as running:
        assert isinstance(running.store, Influx1)
        assert running.warm().stored == 15
        run = running.flood(10)
        assert (run.readings, run.stored, running.store.readings()) == (30, 30, 45)
        assert run.told()["missing"] == 0


def test_who_ends_at_once_is_told_with_its_last_words(tmp_path):
    broken = replace(ingest_consumers.known(None, 3)["ours"], command=lambda place: ["sh", "-c", "echo no such thing"])
    with pytest.raises(RuntimeError, match="no such thing"), ingest_rig.rig(broken, "sqlite", nodes=1, readings=3):
        pass


def place(folder: Path) -> Place:
    return Place(
        folder=folder, port=1883, password="x", store="", http="http://h:8086", database="bench", readings=3
    )  # fmt: skip


@pytest.mark.parametrize("name", ["telegraf", "telegraf by record"])
def test_telegraf_is_told_to_keep_its_session_and_to_acknowledge_after_the_write(tmp_path, name):
    command = ingest_consumers.known("/opt/telegraf", 3)[name].command(place(tmp_path))
    assert command[0] == "/opt/telegraf"
    told = tomllib.loads(Path(command[2]).read_text())
    (consumer,) = told["inputs"]["mqtt_consumer"]
    assert (consumer["persistent_session"], consumer["qos"]) == (True, 1)
    assert consumer["max_undelivered_messages"] == ingest_consumers.WINDOW >= told["agent"]["metric_batch_size"]
    (parser,) = consumer["json_v2"]
    if name == "telegraf":
        assert [field["path"] for field in parser["field"]] == ["0.v", "1.v", "2.v"]


def test_the_peers_write_the_points_that_ours_does(tmp_path):
    packs = Packs(profiles=loader.profiles(), readings=5, epoch="0badcafe")
    registry = Registry(path=tmp_path / "births.db")
    registry.learn(AREA, "P1", packs.birth("P1", 1_763_683_200_000))
    body = packs.pack(b"P1", 7, 1_763_683_200_250)
    rows = accept(AREA, "P1", body, registry.devices(AREA, "P1"), 1_763_683_300_000).rows
    registry.close()
    assert ingest_peers.line(f"poles/{AREA}/P1/up/telemetry", body) == (lines.encode(rows, []).decode(), 5)


def test_a_share_is_one_of_the_values():
    assert ingest_load.shares([]) == {}
    assert ingest_load.shares([n / 1000 for n in range(1, 101)]) == {"p50": 51.0, "p99": 100.0, "max": 100.0}
