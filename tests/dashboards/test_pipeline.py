"""Every query of the pipeline's dashboard, against VictoriaMetrics, over pages of a real ingest."""

import json
import re
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from dashboards import generate, panels, promql
from dashboards.pipeline import pipeline
from tests.ingest.fakes import Node, Service, readings, wait_until

ROOT = Path(__file__).resolve().parents[2]
STEP_S = 30  # between two pages
PACKS = (3, 20)  # stored before each of them


def every_panel():
    for panel in pipeline()["panels"]:
        yield panel
        yield from panel.get("panels", [])


QUERIES = [(panel["title"], one["expr"]) for panel in every_panel() for one in panel.get("targets", [])]

PAGE = (ROOT / "docs/ingest-operation.md").read_text(encoding="utf-8")
ALARMS = [line.strip() for line in PAGE.splitlines() if re.match(r"    .*multipole_ingest_.* > ", line)]
assert len(ALARMS) == 5


def page(service):
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/metrics", timeout=20) as answer:
        return answer.read()


def keep(victoria, text, at_s):
    """A page as Prometheus' scrape of that time would have it."""
    told = urllib.parse.urlencode({"timestamp": int(at_s * 1000), "extra_label": f"job={promql.JOB}"})
    urllib.request.urlopen(f"{victoria.url}/api/v1/import/prometheus?{told}", text, timeout=60).close()


def answered(victoria, query, at_s):
    """Values of every series at a time."""
    plain = query.replace("$__rate_interval", f"{2 * STEP_S}s")
    assert "$" not in plain
    told = urllib.parse.urlencode({"query": plain, "time": at_s})
    return [
        float(series["value"][1]) for series in json.loads(victoria.request(f"/api/v1/query?{told}"))["data"]["result"]
    ]


@pytest.fixture
def told(broker, victoria, tmp_path):
    """The time of the second page."""
    node, now = Node(broker, again_s=600.0), int(time.time())  # each pack is counted once, however slow it is stored
    with Service(tmp_path / "ingest", broker) as service:
        node.birth()
        node.status(pending=5)
        for index, count in enumerate(PACKS):
            for _ in range(count):
                node.pack(readings(len(node.sent) + 1))
            node.pack([("P0001/air-9", "temperature", now * 1000, 1, None)])
            node.wait_confirmed(seconds=60)
            wait_until(lambda: service.metric("nodes ") == 1, what="the status")
            keep(victoria, page(service), now + index * STEP_S)
        service.stop()
    node.close()
    victoria.request("/internal/force_flush")
    return now + STEP_S


def test_every_query_has_an_answer_and_the_rates_are_those_of_what_was_sent(victoria, told):
    empty = [
        (title, query)
        for title, query in QUERIES
        if not any(value == value for value in answered(victoria, query, told))  # histograms without news are NaN
    ]
    assert empty == []
    (rate,) = answered(victoria, promql.rate("packs_stored"), told)
    assert rate * STEP_S == pytest.approx(PACKS[1] + 1)
    (readings_rate,) = answered(victoria, promql.rate("readings_stored"), told)
    assert readings_rate * STEP_S == pytest.approx(3 * PACKS[1])
    assert answered(victoria, promql.largest("nodes_pending_packs"), told) == [5]
    by_reason = promql.above_zero(promql.rate("refused", by="reason", times=60))
    assert answered(victoria, by_reason, told) == [pytest.approx(60 / STEP_S)]
    for reason, rate in (('=~"unknown-.*"', 60 / STEP_S), ('="not-yours"', 0)):
        query = promql.rate("refused", where=f"reason{reason}", times=60)
        assert answered(victoria, query, told) == [pytest.approx(rate)]

    for alarm in ALARMS:
        answered(victoria, alarm, told)  # a query that is wrong is refused


def test_the_file_is_up_to_date():
    assert generate.PIPELINE.read_text(encoding="utf-8") == generate.as_text(pipeline()), (
        "python -m dashboards.generate"
    )


def test_panels_have_numbers_of_their_own_and_stay_on_the_screen():
    found = list(every_panel())
    assert len({panel["id"] for panel in found}) == len(found)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in found)


def test_the_provisioned_source_and_the_scraped_job_are_those_of_the_panels():
    path = ROOT / "dashboards/provisioning/datasources/prometheus.yaml"
    (source,) = yaml.safe_load(path.read_text())["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == panels.PROMETHEUS
    used = [
        one["datasource"] for panel in every_panel() if panel["type"] != "row" for one in (panel, *panel["targets"])
    ]
    assert all(one == panels.PROMETHEUS for one in used)
    (job,) = yaml.safe_load((ROOT / "compose/prometheus.yaml").read_text())["scrape_configs"]
    assert job["job_name"] == promql.JOB
