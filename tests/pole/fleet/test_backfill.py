"""A past for a store: what the world made is all in it, also when it was stopped in between."""

import asyncio
import json
import sqlite3
import time
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from ingest.errors import Unavailable
from ingest.sqlite_store import SqliteStore
from ingest.store_url import open_store
from pole.fleet import backfill_run
from pole.fleet.backfill_plan import BackfillError, Folder, Plan
from pole.fleet.backfill_run import Backfill
from pole.fleet.judge_run import verify_run
from pole.fleet.verb import app
from simulators.truth.blocks import FILE

STEPS = 60
BEGAN_MS = 1_784_106_000_000


def plan(folder, **changed):
    asked = Plan(
        poles=10, seed=3, every_s=60, steps=STEPS, scenarios=("quiet-day",),
        store=f"sqlite:{folder / 'readings.db'}", began_ms=BEGAN_MS,
    )  # fmt: skip
    return replace(asked, **changed)


def run(folder, asked, *, stop_at=None):
    """Steps until it is through, or has shown that step."""

    async def go():
        stop = asyncio.Event()

        def show(progress):
            if stop_at is not None and progress.step >= stop_at and not progress.catching_up:
                stop.set()

        return await Backfill(folder=Folder(folder, asked), token="", show=show).run(stop)

    return asyncio.run(go())


@pytest.fixture
def small_writes(monkeypatch):
    monkeypatch.setattr(backfill_run, "ROWS_A_WRITE", {"sqlite": 200, "influx": 200})


def test_everything_that_the_world_made_is_stored_and_right(tmp_path):
    outcome = run(tmp_path / "run", plan(tmp_path / "run"))
    assert (outcome.complete, outcome.stored) == (True, STEPS)
    verdict = verify_run(tmp_path / "run")
    assert verdict.good
    assert verdict.kinds["right"] == verdict.produced == outcome.readings > 10 * 5 * 10
    with sqlite3.connect(tmp_path / "run" / "readings.db") as db:
        times, poles = db.execute("SELECT count(DISTINCT time / 60000), count(DISTINCT pole) FROM readings").fetchone()
        assert (times, poles) == (10, 10)
        assert db.execute("SELECT count(*) FROM series").fetchone()[0] <= outcome.series
        first, last = db.execute("SELECT min(time), max(time) FROM readings").fetchone()
    assert BEGAN_MS <= first < last < BEGAN_MS + STEPS * 10_000
    assert outcome.store_bytes >= (tmp_path / "run" / "readings.db").stat().st_size > 0
    assert outcome.truth_bytes == (tmp_path / "run" / "truth" / FILE).stat().st_size


@pytest.mark.usefixtures("small_writes")
def test_one_that_was_stopped_is_right_so_far_and_goes_on_to_the_same_truth(tmp_path):
    whole = run(tmp_path / "whole", plan(tmp_path / "whole"))
    folder = tmp_path / "parts"
    first = run(folder, plan(folder), stop_at=20)
    assert not first.complete
    assert 20 <= first.stored < STEPS
    assert 0 < first.readings < whole.readings
    assert verify_run(folder).good
    second = run(folder, plan(folder, began_ms=BEGAN_MS + 777_000), stop_at=40)  # later, so it would end later
    assert first.stored < second.stored < STEPS
    assert verify_run(folder).good
    third = run(folder, plan(folder))
    assert third.complete
    assert first.readings + second.readings + third.readings == whole.readings
    assert (folder / "truth" / FILE).read_bytes() == (tmp_path / "whole" / "truth" / FILE).read_bytes()
    assert verify_run(folder).kinds["right"] == whole.readings
    with pytest.raises(BackfillError, match="complete already"):
        Folder(folder, plan(folder))


@pytest.mark.usefixtures("small_writes")
def test_one_that_is_stopped_while_it_catches_up_keeps_its_truth(tmp_path):
    folder = tmp_path / "run"
    first = run(folder, plan(folder), stop_at=30)

    async def stopped_at_once():
        stop = asyncio.Event()
        job = Backfill(folder=Folder(folder, plan(folder)), token="", show=lambda progress: stop.set())
        return await job.run(stop)

    again = asyncio.run(stopped_at_once())
    assert (again.readings, again.stored) == (0, first.stored)
    verdict = verify_run(folder)
    assert verdict.good
    assert verdict.produced == first.readings


@pytest.mark.usefixtures("small_writes")
def test_a_store_that_is_away_for_a_moment_is_waited_for_and_one_that_stays_away_loses_nothing(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    calls = []
    write = SqliteStore.write

    async def flaky(self, rows, ledgers):
        calls.append(len(rows))
        if len(calls) == 2 or len(calls) > 6:
            raise Unavailable("the store is away")
        await write(self, rows, ledgers)

    monkeypatch.setattr(SqliteStore, "write", flaky)
    monkeypatch.setattr(backfill_run, "ATTEMPTS", 2)
    with pytest.raises(BackfillError, match=r"the store is away\. What is stored stays"):
        run(folder, plan(folder))
    monkeypatch.setattr(SqliteStore, "write", write)
    assert run(folder, plan(folder)).complete
    assert verify_run(folder).good


def test_a_folder_of_another_plan_or_of_something_else_is_refused(tmp_path):
    Folder(tmp_path / "run", plan(tmp_path / "run"))
    with pytest.raises(BackfillError, match="poles 10 there, 30 asked for"):
        Folder(tmp_path / "run", plan(tmp_path / "run", poles=30))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(BackfillError, match="no backfill"):
        Folder(tmp_path / "other", plan(tmp_path / "other"))


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(tmp_path):
    asked = plan(tmp_path / "run", poles=20_000, every_s=10, steps=100_000_000)
    with pytest.raises(BackfillError, match=r"would grow by about .* GB, and .* are free"):
        run(tmp_path / "run", asked)
    assert not (tmp_path / "run" / "readings.db").exists()


def test_scenarios_come_once_each_at_their_own_hour_on_days_of_their_own(tmp_path):
    asked = plan(tmp_path, steps=30 * 8640, scenarios=("storm", "vandal", "heatwave"))
    coming = list(asked.coming())
    assert [name for name, _ in coming] == ["storm", "vandal", "heatwave"]
    days = [at_s // 86_400 for _, at_s in coming]
    assert days == sorted(set(days))
    hour = (asked.start.hour * 3600 + asked.start.minute * 60 + coming[0][1]) % 86_400 / 3600
    assert hour == 17  # as storm.yaml has it
    causes = asked.causes()
    assert [cause.number for cause in causes] == list(range(len(causes)))
    assert all(cause.end_s - cause.begin_s <= 6 * 3600 for cause in causes)
    assert list(plan(tmp_path, steps=1, scenarios=("vandal",)).coming()) == []  # a span that has no such hour


def test_a_real_influxdb_gets_the_same_as_a_file(tmp_path, influx1, monkeypatch):
    monkeypatch.setattr(backfill_run, "ROWS_A_WRITE", {"sqlite": 200, "influx": 200})
    asked = plan(tmp_path / "run", poles=5, store=influx1.store)
    outcome = run(tmp_path / "run", asked)
    assert (outcome.complete, outcome.store_bytes) == (True, None)

    async def counts():
        store = open_store(influx1.store)
        try:
            return await store.counts()
        finally:
            await store.close()

    found = asyncio.run(counts())
    assert found.points + found.qualities == outcome.readings > 300
    verdict = verify_run(tmp_path / "run")
    assert verdict.good
    assert verdict.kinds["right"] == outcome.readings


def test_a_store_that_is_named_stands_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ["backfill", "--days", "0.002", "--poles", "2", "--store", "sqlite:month.db", "--dir", "folder"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "month.db").exists()
    assert "pole fleet verify folder --sample 20" in done.output
    assert verify_run(tmp_path / "folder").good


def test_the_verb_ends_about_now_and_says_what_is_wrong(tmp_path):
    folder = tmp_path / "run"
    asked = ["backfill", "--days", "0.004", "--poles", "3", "--every", "1m", "--dir", str(folder)]
    done = CliRunner().invoke(app, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["complete"], told["steps"]) == (True, 35)
    order = json.loads((folder / "run.json").read_text(encoding="utf-8"))["order"]
    ends_ms = order["began_ms"] + 35 * 10_000
    assert 0 <= time.time() * 1000 - ends_ms < 3_600_000
    assert (folder / "readings.db").exists()
    again = CliRunner().invoke(app, asked)
    assert (again.exit_code, "complete already" in again.output) == (2, True)
    for wrong, said in (
        ("--every=7s", "multiple of 10s"),
        ("--store=mysql:x", "is not a store"),
        ("--every=x", "duration"),
    ):
        refused = CliRunner().invoke(app, [*asked, wrong])
        assert refused.exit_code == 2
        assert said in refused.output
