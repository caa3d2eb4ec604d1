import json
import subprocess
import sys

from bench import full_pole, spool


def test_a_spools_life_is_told_in_figures(tmp_path):
    life = [sys.executable, "-m", "bench.spool_life", str(tmp_path), "1200", "64", "20", "usual"]
    done = subprocess.run(life, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    hour = full_pole.told(start_ms=1_800_000_000_000, seconds=3600)[:1200]
    assert figures["readings"] == sum(len(second.telemetry) + len(second.events) for second in hour)
    assert figures["packs"] == sum(bool(second.telemetry) + bool(second.events) for second in hour)
    assert figures["dropped"] == {}
    assert figures["events_kept"] == figures["events"] > 0
    assert len(figures["appends_per_s_by_tenth"]) == 10
    assert 30 < figures["bytes_a_reading"] < 100


def test_the_busiest_pole_tells_every_point_at_every_poll():
    usual, busiest = (
        sum(len(second.telemetry) + len(second.events) for second in full_pole.told(
            start_ms=1_800_000_000_000, seconds=600, busiest=which)) for which in (False, True)
    )  # fmt: skip
    assert busiest > 2 * usual
    assert busiest / 600 > 10


def test_the_figures_are_shown(capsys):
    spool.show({"disk": {"packs": 5}, "reconnect": {"stored_per_s": 7}, "week_drained_min": 1.5})
    shown = capsys.readouterr().out
    assert "packs" in shown
    assert "1.5 minutes" in shown
