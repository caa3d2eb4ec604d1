"""When a result may be believed, and when the load was held."""

import os
import time

import pytest

from simulators.load.account import StageAccount
from simulators.load.meter import Cost, Meter
from simulators.load.schedule import Stage


def account(*, late=0.0005, took=0.02, sent=1000, confirmed=1000, waiting=20, own=3.0):
    made = StageAccount(Stage(rate=100, last_rate=100, seconds=10))
    made.sent, made.waiting = sent, waiting
    made.cost = Cost(own=own, others={"broker": 1.0}, rest=0.5, kept_waiting=0.1)
    for _ in range(1000):
        made.lateness.record(late)
    for _ in range(confirmed):
        made.to_stored.record(took)
        made.to_puback.record(took / 10)
    return made


@pytest.mark.parametrize(
    ("changed", "word", "why"),
    [
        ({}, "held", ""),
        ({"own": 9.1}, "do not trust", "91% of a core"),
        ({"late": 0.02, "took": 0.03}, "do not trust", "p99 20.0 ms"),
        ({"late": 0.02, "took": 0.25}, "held", ""),  # a twelfth of what is told
        ({"late": 0.2, "confirmed": 900}, "do not trust", "p99 200"),  # late, beside what never came
        ({"sent": 990, "confirmed": 990}, "not held", "10 packs fell due at nodes"),
        ({"confirmed": 999}, "not held", "1 packs were never confirmed"),
        ({"waiting": 51}, "not held", "51 packs were waiting"),
        ({"waiting": 50}, "held", ""),
    ],
)
def test_a_verdict(changed, word, why):
    found = account(**changed).verdict("stored")
    assert found[0] == word
    assert why in found[1]


def test_what_never_came_is_no_latency():
    row = account(confirmed=985).row("stored")
    assert row["stored_ms"]["p50"] == pytest.approx(20, rel=0.005)
    assert row["stored_ms"]["p99"] is None
    assert row["stored_ms"]["max"] is None
    assert (row["due"], row["stored"]) == (1000, 985)
    assert row["own_cpu"] == 0.3
    assert row["own_cpu_us_per_pack"] == 3000
    assert row["others_cpu"] == {"broker": 0.1}


def test_without_ingest_the_brokers_receipt_is_the_end():
    made = account(took=0.02, confirmed=1000)
    made.to_stored = type(made.to_stored)()
    assert made.verdict("broker")[0] == "held"
    assert made.verdict("stored")[0] == "not held"


def test_what_a_stretch_cost():
    meter = Meter({"me": os.getpid(), "nobody": 2**22 + 1})
    ends = time.process_time() + 0.15
    while time.process_time() < ends:
        pass
    cost = meter.lap()
    assert cost.own >= 0.15
    assert cost.others["me"] >= 0.1
    assert cost.others["nobody"] == 0
    assert meter.lap().own < cost.own
