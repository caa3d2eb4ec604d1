"""The page for Prometheus, read by Prometheus' own parser for Python."""

import math
import re
from pathlib import Path

import pytest
from prometheus_client import Histogram, generate_latest, parser
from prometheus_client.registry import CollectorRegistry

from ingest.accept import Accepted
from ingest.metrics import Ages, Metrics

NOW_MS = 1_790_000_000_000


def samples(metrics):
    """(name, labels as sorted pairs) -> value, of everything on the page."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parser.text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def pack(number, age_ms, readings=2):
    at = None if age_ms is None else NOW_MS - age_ms
    return Accepted("wuhou", "gw-1", "9f3c21aa", number, [], readings, oldest_ms=at, newest_ms=at)


def test_a_batch_is_counted_as_its_packs_and_readings():
    metrics = Metrics()
    metrics.stored([pack(1, 90), pack(2, 40_000, readings=10), pack(3, None, readings=0)], NOW_MS)
    metrics.stored([pack(4, -5000)], NOW_MS)
    told = {
        name.removeprefix("multipole_ingest_"): value
        for (name, labels), value in samples(metrics).items()
        if not labels
    }
    assert (told["packs_stored_total"], told["readings_stored_total"]) == (4, 14)
    assert (told["batch_packs_count"], told["batch_packs_sum"], told["batch_readings_sum"]) == (2, 4, 14)
    assert (told["latency_seconds_count"], told["latency_seconds_sum"]) == (3, pytest.approx(40.09))
    assert told["newest_reading_timestamp_seconds"] == NOW_MS / 1000 + 5


def test_older_readings_do_not_move_the_newest_back():
    metrics = Metrics()
    for age_ms in (100, 86_400_000):
        metrics.stored([pack(1, age_ms)], NOW_MS)
    assert samples(metrics)["multipole_ingest_newest_reading_timestamp_seconds", ()] == NOW_MS / 1000 - 0.1


def test_ages_are_the_histogram_that_prometheus_client_makes_of_the_same_values():
    ages_ms = [0, 9, 10, 11, 25, 99, 100, 101, 4999, 5001, 3_600_000, 3_600_001, 10**9]
    mine, theirs = CollectorRegistry(), CollectorRegistry()
    ages = Ages("latency_seconds", "of one")
    mine.register(ages)
    for half in (ages_ms[:5], ages_ms[5:]):
        ages.observe(list(reversed(half)))
    family = next(iter(mine.collect()))
    bounds = [float(sample.labels["le"]) for sample in family.samples if sample.name.endswith("_bucket")]
    other = Histogram("multipole_ingest_latency_seconds", "of one", registry=theirs, buckets=bounds)
    for age_ms in ages_ms:
        other.observe(age_ms / 1000)
    text = [line for line in generate_latest(theirs).decode().splitlines() if "_created" not in line]
    assert generate_latest(mine).decode().splitlines() == text
    assert bounds[-1] == math.inf


def test_the_time_that_a_part_was_waited_for_is_added_up():
    metrics = Metrics()
    for reason in (None, "it is down", "it is down", None):
        metrics.waits({"store": reason, "broker": None}, 0.5)
    told = samples(metrics)
    part = (("part", "store"),)
    assert told["multipole_ingest_waiting_seconds_total", part] == 1.0
    assert told["multipole_ingest_waiting", part] == 0
    assert told["multipole_ingest_waiting_seconds_total", (("part", "broker"),)] == 0


def test_counts_of_others_are_taken_over_as_they_stand():
    metrics = Metrics()
    for received in (3, 3, 10):
        metrics.count_up(received, 1)
    told = samples(metrics)
    assert told["multipole_ingest_messages_received_total", ()] == 10
    assert told["multipole_ingest_broker_connections_total", ()] == 1


def test_the_page_about_metrics_names_each_and_no_other():
    page = (Path(__file__).resolve().parents[2] / "docs/ingest-operation.md").read_text(encoding="utf-8")
    table = page.partition("| name | what |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    families = {family.name for family in parser.text_string_to_metric_families(Metrics().text().decode())}
    own = {name.removeprefix("multipole_ingest_") for name in families if name.startswith("multipole_ingest_")}
    assert named == {name for name in own if not name.endswith("_created")}


def test_each_reason_of_the_page_is_counted_from_zero_so_that_the_first_refusal_is_an_increase():
    page = (Path(__file__).resolve().parents[2] / "docs/ingest.md").read_text(encoding="utf-8")
    table = page.partition("| reason | meaning |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])}
    told = {
        labels[0][1]: value for (name, labels), value in samples(Metrics()).items() if name.endswith("refused_total")
    }
    assert told == dict.fromkeys(named, 0)


def test_names_are_as_prometheus_asks_for():
    for family in parser.text_string_to_metric_families(Metrics(store="SQLite").text().decode()):
        if family.name.startswith("multipole_ingest_") and not family.name.endswith("_created"):
            assert family.documentation
            assert not family.name.endswith(("_total", "_count", "_sum", "_bucket"))
            assert "_ms" not in family.name  # seconds and bytes, never anything else
