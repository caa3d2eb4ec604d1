import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pole.fleet import judge_outcome
from pole.fleet.outcome import Outcome, table
from pole.fleet.plan import Plan
from tests.pole.fleet.emulator import END

ROOT = Path(__file__).resolve().parents[3]
PLAN = Plan(
    scenario=Path("storm.yaml"), title="Thunderstorm 雷暴", start="2026-07-15T17:00:00", seed=1, poles=6, for_s=630
)  # fmt: skip


def outcome(*, held: dict[str, int] | None = None, **kinds: int) -> Outcome:
    verdict = judge_outcome.Outcome(
        poles=6, judged=6, produced=sum(kinds.values()), kinds=Counter(kinds), held=Counter(held or {})
    )  # fmt: skip
    return Outcome(
        plan=PLAN, end=END, verdict=verdict, cpu_s={"emulator": 1.5, "broker": 0.5, "ingest": 3.0}, connected=6,
        seconds=61.5, restarts=0,
    )  # fmt: skip


def test_what_is_stored_and_what_is_missing_add_up_over_all_depths():
    told = json.loads(outcome(right=900, pending=80, ended=20, held={"right": 60, "told": 40}).json_line("run"))
    assert told["stored"] == 1000
    assert told["missing"] == {"pending": 80, "ended": 20}
    assert told["cpu_us_per_reading"] == {"emulator": 1500.0, "broker": 500.0, "ingest": 3000.0}
    assert told["verified"] is True
    assert told["speed"] == 1.0
    assert told["folder"] == "run"


@pytest.mark.parametrize("bad", ["lost", "wrong", "moved", "false"])
def test_one_bad_reading_at_any_depth_spoils_a_run(bad):
    assert outcome(right=900).good
    for spoiled in (outcome(right=900, **{bad: 1}), outcome(right=900, held={bad: 1})):
        assert not spoiled.good
        assert json.loads(spoiled.json_line("run"))[bad] == 1


def test_a_run_that_stored_nothing_is_not_good():
    assert not outcome(pending=1000).good


def test_people_read_the_costs_side_by_side():
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table(replace(outcome(right=1000), connected=5)))
    text = " ".join(capture.get().split())
    for wanted in (
        "emulator │ 1.5 │ 1500.0",
        "5 of 6 nodes had a session",
        "4.2 kB",
        "p50 11 ms",
        "every reading is explained",
    ):
        assert wanted in text, wanted


def test_the_page_shows_the_keys_of_a_real_outcome():
    (shown,) = [
        line for line in (ROOT / "docs" / "fleet.md").read_text().splitlines() if line.startswith('{"scenario"')
    ]
    assert list(json.loads(shown)) == list(json.loads(outcome(right=1).json_line("")))
