from simulators.fleet import latency
from simulators.fleet.latency import Latency


def test_nothing_has_no_percentiles():
    assert Latency().recent() == Latency().whole() == {"p50": None, "p99": None}


def test_a_stall_is_in_the_whole_run_and_not_in_what_is_recent(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(latency.time, "monotonic", lambda: now[0])
    taken = Latency()
    taken.add([2.5] * 3)  # a stall
    now[0] += latency.RECENT_S + 1
    taken.add([0.01] * 96)
    taken.add([0.02])
    assert taken.recent() == {"p50": 10, "p99": 20}
    assert taken.whole() == {"p50": 10, "p99": 2500}
