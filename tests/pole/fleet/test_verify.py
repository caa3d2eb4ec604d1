"""A store that is as it should be is good; whatever is spoilt in it is found, counted once, and named."""

import asyncio
import json

import pytest
import typer
from typer.testing import CliRunner

from ingest.accept import Refusal
from ingest.dead_letters import DeadLetters
from ingest.store_url import open_store
from pole.fleet.account import AccountError
from pole.fleet.judge_outcome import BAD
from pole.fleet.judge_run import verify_run
from pole.fleet.verify import verify as verb
from simulators.truth.blocks import FILE, TruthError
from tests.pole.fleet.stored_run import BEGAN_MS, EPOCH, StoredRun, one
from wire import packs as wire_packs


def bad(outcome):
    return {kind: outcome.kinds[kind] for kind in BAD if outcome.kinds[kind]}


def assert_whole(outcome, run):
    """Every reading is in exactly one kind."""
    assert outcome.produced == run.readings
    assert sum(outcome.kinds[kind] for kind in outcome.kinds if kind != "false") == run.readings


@pytest.fixture
def run(tmp_path):
    return StoredRun(tmp_path)


def newest(run, point, *, coded=False):
    """The only reading of a point in the last pack that has one."""
    return next(found for rows in reversed(run.packs.values()) if (found := one(rows, point=point, coded=coded)))


def spoil(run, reading, point, statement, *values, table="points"):
    series = "(SELECT id FROM series WHERE pole = ? AND device = ? AND point = ?)"
    sql = f"{statement} WHERE series = {series} AND time = ?".format(table=table)
    assert run.sql(sql, *values, reading.pole, reading.device, point, reading.time) == 1


def named(outcome, kind):
    assert len(outcome.examples[kind]) == outcome.kinds[kind] == 1
    return outcome.examples[kind][0]


def test_a_store_that_has_everything_is_good(run):
    outcome = verify_run(run.folder)
    assert outcome.good
    assert outcome.kinds["right"] == outcome.produced == run.readings > 60
    assert outcome.packs == {"produced": len(run.packs), "right": len(run.packs), "pending": 0, "dropped": 0}
    assert (outcome.judged, outcome.examples, outcome.faults) == (7, {}, [])
    coded = sum(row[7] is not None for rows in run.packs.values() for row in rows)
    assert coded > 2  # there are bad qualities among what is right


@pytest.mark.parametrize(("point", "coded"), [("level", False), ("on", False), ("level", True)])
def test_a_row_that_is_gone_is_lost(run, point, coded):
    reading = newest(run, point, coded=coded)
    spoil(run, reading, point, "DELETE FROM {table}", table="quality" if coded else "points")
    outcome = verify_run(run.folder)
    assert (outcome.good, bad(outcome)) == (False, {"lost": 1})
    assert_whole(outcome, run)
    found = named(outcome, "lost")
    assert (found.pole, found.device, found.point) == (reading.pole, reading.device, point)
    assert "in the ledger" in found.found
    assert "not in" not in found.found


@pytest.mark.parametrize(
    ("point", "value", "shown"),
    [
        ("temperature", 99.9, "99.9"), ("on", "text", "a text"), ("on", 1.0, "1"), ("level", 1, "true"),
        ("level", None, "a text"),
    ],
)  # fmt: skip
def test_another_value_or_kind_is_wrong(run, point, value, shown):
    reading = newest(run, point)
    spoil(run, reading, point, "UPDATE {table} SET value = ?", value)
    outcome = verify_run(run.folder)
    assert (outcome.good, bad(outcome)) == (False, {"wrong": 1})
    assert_whole(outcome, run)
    found = named(outcome, "wrong")
    assert (found.pole, found.point, found.found) == (reading.pole, point, shown)
    wanted = reading.value
    assert found.wanted == (str(wanted).lower() if isinstance(wanted, bool) else f"{wanted:.10g}")


@pytest.mark.parametrize(("off", "good"), [(0.04, True), (0.06, False), (-0.06, False)])
def test_a_value_may_be_off_by_half_of_its_last_digit(run, off, good):
    reading = newest(run, "temperature")
    spoil(run, reading, "temperature", "UPDATE {table} SET value = value + ?", off)
    assert verify_run(run.folder).good is good


@pytest.mark.parametrize(("other", "shown"), [("crc", "quality crc"), ("exception-4", "quality exception-4")])
def test_another_quality_is_wrong(run, other, shown):
    reading = newest(run, "level", coded=True)
    assert reading.quality != other
    spoil(run, reading, "level", "UPDATE {table} SET code = ?", other, table="quality")
    outcome = verify_run(run.folder)
    assert bad(outcome) == {"wrong": 1}
    found = named(outcome, "wrong")
    assert (found.wanted, found.found) == (f"quality {reading.quality}", shown)


def test_a_value_where_there_was_none_to_take_is_wrong(run):
    reading = newest(run, "level", coded=True)
    series = "SELECT id, ?, 17.0 FROM series WHERE pole = ? AND device = ? AND point = 'level'"
    run.sql(f"INSERT INTO points {series}", reading.time, reading.pole, reading.device)
    assert bad(verify_run(run.folder)) == {"false": 1}  # beside the quality that is right
    spoil(run, reading, "level", "DELETE FROM {table}", table="quality")
    outcome = verify_run(run.folder)
    assert bad(outcome) == {"wrong": 1}
    assert_whole(outcome, run)
    assert named(outcome, "wrong").found == "17"


@pytest.mark.parametrize(("late", "shown"), [(5, "5 ms later"), (-3_600_000, "3600000 ms earlier")])
def test_a_time_that_is_shifted_is_found_as_one(run, late, shown):
    reading = newest(run, "temperature")
    spoil(run, reading, "temperature", "UPDATE {table} SET time = time + ?", late)
    outcome = verify_run(run.folder)
    assert bad(outcome) == {"moved": 1}
    assert_whole(outcome, run)
    assert named(outcome, "moved").found == f"{reading.value:.10g}, {shown}"


def test_what_nobody_produced_is_false(run):
    reading = newest(run, "level")
    series = "SELECT id, ?, 12345.0 FROM series WHERE pole = ? AND device = ? AND point = 'level'"
    assert run.sql(f"INSERT INTO points {series}", reading.time + 1, reading.pole, reading.device) == 1
    found = named(verify_run(run.folder), "false")
    assert (found.pole, found.point, found.found) == (reading.pole, "level", "12345")


@pytest.mark.parametrize(
    ("function", "area", "pole", "point"),
    [
        ("lighting", "wuhou", "P99999", "level"), ("lighting", "wuhou", "P00001", "power"),
        ("air", "wuhou", "P00001", "level"), ("lighting", "nowhere", "P00001", "level"),
    ],
)  # fmt: skip
def test_series_that_no_pole_has_are_false(run, function, area, pole, point):
    run.sql("INSERT INTO series VALUES (9000, ?, ?, ?, 'lamp-1', ?)", function, area, pole, point)
    run.sql("INSERT INTO points VALUES (9000, ?, 12.0), (9000, ?, 13.0)", BEGAN_MS + 5, BEGAN_MS + 10_005)
    outcome = verify_run(run.folder)
    assert bad(outcome) == {"false": 2}
    assert outcome.examples["false"][0].pole == pole
    assert f"{function}, area {area}" in outcome.examples["false"][0].found


def test_a_pack_that_is_in_the_ledger_alone_is_lost_reading_by_reading(run):
    pole, number = max(run.packs)
    rows = run.packs[pole, number]
    for table in ("points", "quality"):
        run.sql(
            f"DELETE FROM {table} WHERE time = ? AND series IN (SELECT id FROM series WHERE pole = ?)",
            rows[0][5], rows[0][2],
        )  # fmt: skip
    outcome = verify_run(run.folder)
    assert bad(outcome) == {"lost": len(rows)}
    assert all(f"pack {number} is in the ledger" in each.found for each in outcome.examples["lost"])


def test_a_pack_that_nobody_tells_of_is_lost(tmp_path):
    run = StoredRun(tmp_path, lacking={(3, 2)})
    outcome = verify_run(run.folder)
    assert bad(outcome) == {"lost": len(run.packs[3, 2])}
    assert_whole(outcome, run)
    assert "pack 2 is not in the ledger" in outcome.examples["lost"][0].found


@pytest.mark.parametrize("kind", ["pending", "dropped"])
def test_what_waits_and_what_was_given_up_is_explained(tmp_path, kind):
    lacking = {(3, 2), (3, 3), (4, 1)}
    run = StoredRun(tmp_path, lacking=lacking)
    run.has(3, kind, (2, 3))
    run.has(4, kind, (1, 1))
    outcome = verify_run(run.folder)
    assert outcome.good
    assert outcome.kinds[kind] == sum(len(run.packs[pack]) for pack in lacking)
    assert_whole(outcome, run)
    assert outcome.packs[kind] == 3


def test_what_waits_is_told_with_what_keeps_its_node_from_sending(tmp_path):
    run = StoredRun(tmp_path, lacking={(3, 4), (4, 4)})
    run.account[run.node(3)]["end"] = "dark"
    run.has(3, "pending", (4, 4))
    run.has(4, "pending", (4, 4))
    outcome = verify_run(run.folder)
    assert outcome.good
    assert outcome.reasons["pending"] == {"dark": len(run.packs[3, 4]), "up": len(run.packs[4, 4])}


def test_another_store_is_named_from_where_one_stands(run, tmp_path, monkeypatch):
    (run.folder / "readings.db").rename(run.folder / "other.db")
    monkeypatch.chdir(run.folder.parent)
    assert verify_run(run.folder, store=f"sqlite:{run.folder.name}/other.db").good
    with pytest.raises(AccountError, match=r"other\.db is not there"):
        verify_run(run.folder, store="sqlite:other.db")


def test_a_pack_that_is_stored_and_still_waits_for_its_confirmation_is_right(run):
    run.has(3, "pending", (2, 4))
    outcome = verify_run(run.folder)
    assert outcome.good
    assert outcome.kinds["right"] == run.readings


def test_what_was_refused_is_explained_by_its_dead_letter(tmp_path):
    run = StoredRun(tmp_path, lacking={(3, 2), (5, 1)}, not_good=0)
    whole, single = run.packs[3, 2], run.packs[5, 1]
    letters = DeadLetters(path=tmp_path / "dead-letters.db")
    for pole, number, rows, refused in (
        (3, 2, whole, [Refusal(None, "size", "too long")]),
        (5, 1, single, [Refusal(2, "future", "ahead")]),
    ):
        readings = [(f"{row[2]}/{row[3]}", row[4], row[5], row[6], row[7]) for row in rows]
        body = wire_packs.encode(EPOCH, number, readings)
        letters.keep([(f"poles/{run.city.area[pole]}/{run.node(pole)}/up/telemetry", body, refused)])
    letters.close()
    outcome = verify_run(run.folder)
    assert outcome.kinds["refused"] == len(whole) + 1
    assert outcome.reasons == {"refused": {"size": len(whole), "future": 1}}
    assert bad(outcome) == {"lost": len(single) - 1}  # of that pack one record alone was refused
    assert_whole(outcome, run)


def test_a_clock_that_is_set_back_overwrites_and_is_explained(tmp_path):
    """Pole 3 reads at steps 0, 3, 6 …; at 6 its clock is back by 30 s, and says the time of step 3 once more."""
    run = StoredRun(tmp_path, offsets={(3, 3): 500, (3, 6): 500 - 30_000}, not_good=0)
    assert run.packs[3, 2][0][5] == run.packs[3, 3][0][5]
    outcome = verify_run(run.folder)
    assert outcome.good
    assert outcome.kinds["overwritten"] == len(run.packs[3, 2])
    assert_whole(outcome, run)
    # The earlier one comes last, as after a retransmission: that is as good.
    asyncio.run(run.store(open_store("sqlite:readings.db", folder=tmp_path), {(3, 2): run.packs[3, 2]}))
    again = verify_run(run.folder)
    assert (again.good, again.kinds) == (True, outcome.kinds)
    # A third value at that time is neither's.
    reading = one(run.packs[3, 2], point="temperature")
    spoil(run, reading, "temperature", "UPDATE {table} SET value = 77.7")
    assert bad(verify_run(run.folder)) == {"wrong": 1}


def test_of_two_readings_with_one_time_the_one_that_waits_is_pending(tmp_path):
    run = StoredRun(
        tmp_path, offsets={(3, 3): 500, (3, 6): 500 - 30_000}, not_good=0, lacking={(3, 3)}
    )  # fmt: skip
    assert bad(verify_run(run.folder)) == {"lost": len(run.packs[3, 3])}
    run.has(3, "pending", (3, 3))
    outcome = verify_run(run.folder)
    assert outcome.good
    assert (outcome.kinds["pending"], outcome.kinds["overwritten"]) == (len(run.packs[3, 3]), 0)


def test_stamps_of_a_clock_that_is_wrong_are_right(tmp_path):
    run = StoredRun(tmp_path, offsets={(2, 2): -1_000_000_000, (3, 3): 7_200_123})
    assert verify_run(run.folder).good


def test_the_last_step_of_a_run_that_was_stopped_is_explained(tmp_path):
    last = {(pole, number) for (pole, number) in StoredRun(tmp_path / "whole").packs if number == 4 and pole in (2, 5)}
    run = StoredRun(tmp_path / "cut", lacking=last)
    for pole in (2, 5):
        run.account[run.node(pole)].update(head=3, stored=3)
    run.tell()
    outcome = verify_run(run.folder)
    assert outcome.good
    assert outcome.kinds["ended"] == sum(len(run.packs[pack]) for pack in last)
    run.account[run.node(3)].update(head=2, stored=2)  # but not more than that step
    run.tell()
    earlier = run.packs[3, 3]
    assert run.sql(
        "DELETE FROM points WHERE time = ? AND series IN (SELECT id FROM series WHERE pole = ?)", earlier[0][5],
        earlier[0][2],
    )  # fmt: skip
    assert verify_run(run.folder).kinds["lost"] > 0


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE packs SET epoch = '00000000' WHERE node = 'P00004-node' AND number = 1", "epoch 00000000"),
        ("UPDATE packs SET number = 99 WHERE node = 'P00004-node' AND number = 1", "99 in the ledger, and 4"),
        ("UPDATE packs SET readings = 7 WHERE node = 'P00004-node' AND number = 1", "readings in the ledger"),
    ],
)
def test_a_ledger_that_does_not_agree_is_a_fault(run, statement, said):
    assert run.sql(statement) == 1
    outcome = verify_run(run.folder)
    assert not outcome.good
    assert any(said in fault and "P00004-node" in fault for fault in outcome.faults)


def test_an_account_that_does_not_add_up_is_a_fault(run):
    run.account[run.node(3)]["stored"] -= 1
    run.account["P77777-node"] = run.account[run.node(0)]
    run.account[run.node(4)].update(head=9, stored=9)
    run.tell()
    faults = verify_run(run.folder).faults
    assert len(faults) == 3
    assert any("P00004-node: 4 packs produced are not 3 stored + 0 pending" in fault for fault in faults)
    assert any("P77777-node" in fault for fault in faults)
    assert any("P00005-node counted 9 packs, the truth has 4" in fault for fault in faults)


def test_a_truth_that_was_not_closed_is_a_fault(run):
    path = run.folder / "truth" / FILE
    path.write_bytes(path.read_bytes()[:-20])
    outcome = verify_run(run.folder)
    assert not outcome.good
    assert "torn" in outcome.faults[0]


@pytest.mark.parametrize("at_once", [1, 20])
def test_poles_are_judged_some_at_a_time(run, monkeypatch, at_once):
    whole = verify_run(run.folder)
    run.sql("INSERT INTO series VALUES (9000, 'air', 'wuhou', 'P99999', 'air-1', 'temperature')")
    run.sql("INSERT INTO points VALUES (9000, ?, 12.0)", BEGAN_MS)
    monkeypatch.setattr("pole.fleet.judge_run.AT_ONCE", at_once)
    seen = []
    outcome = verify_run(run.folder, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 2
    assert seen[-1] == (7, 7)
    assert outcome.kinds - whole.kinds == {"false": 1}  # counted once
    assert outcome.produced == whole.produced


def test_a_sample_looks_at_some_poles(run):
    outcome = verify_run(run.folder, sample=3)
    assert outcome.good
    assert (outcome.judged, outcome.poles) == (3, 7)
    assert 0 < outcome.produced < run.readings
    assert outcome.packs["produced"] == 12


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        ("run.json", None, AccountError, "name the folder of a run"),
        ("run.json", "{}", AccountError, "damaged"),
        ("account.json", None, AccountError, "written at the end of a run"),
        ("account.json", '{"nodes": {"P00001-node": {}}}', AccountError, "damaged"),
        ("truth/truth.bin", None, TruthError, "No such file"),
        ("readings.db", None, AccountError, "nothing was stored"),
    ],
)
def test_a_folder_that_cannot_be_judged_is_said(run, name, content, error, said):
    path = run.folder / name
    path.unlink() if content is None else path.write_text(content, encoding="utf-8")
    with pytest.raises(error, match=said) as told:
        verify_run(run.folder)
    assert path.name in str(told.value)


def test_another_store_may_hold_what_others_read_before_and_after(run, tmp_path):
    """In the run's own file all of it counts."""
    area, name = run.city.area[3], run.city.names[3]
    day_ms = 86_400_000
    rows = [("air", area, name, "air-1", "temperature", BEGAN_MS + late, 17.0, None) for late in (-day_ms, day_ms)]
    strange = [(*row[:2], "P99999", *row[3:]) for row in rows]
    ledger = "INSERT INTO packs VALUES (?, ?, 'ffffffff', 1, 1, 0, 9, ?)"
    run.sql(ledger, area, run.node(3), BEGAN_MS - day_ms)
    for late, row in enumerate((*rows, *strange)):
        run.sql("INSERT OR IGNORE INTO series VALUES (?, ?, ?, ?, ?, ?)", 9000 + late, *row[:5])
        series = "SELECT id, ?, ? FROM series WHERE function = ? AND pole = ? AND device = ? AND point = ?"
        assert run.sql(f"INSERT INTO points {series}", row[5], row[6], row[0], *row[2:5]) == 1
    outcome = verify_run(run.folder)
    assert bad(outcome) == {"false": 4}
    assert "epoch ffffffff" in outcome.faults[0]
    (tmp_path / "elsewhere").mkdir()
    (run.folder / "readings.db").rename(tmp_path / "elsewhere" / "city.db")
    beside = verify_run(run.folder, store=f"sqlite:{tmp_path / 'elsewhere' / 'city.db'}")
    assert beside.good
    assert beside.kinds["right"] == run.readings
    assert "it was looked at from 2026-07-15T08:58:00.000Z" in beside.notes[0]


def test_the_verb_tells_people_and_programs_and_exits_non_zero(run):
    app = typer.Typer()
    app.command()(verb)
    good = CliRunner().invoke(app, [str(run.folder)])
    assert (good.exit_code, "every reading is explained" in good.output) == (0, True)
    reading = newest(run, "temperature")
    spoil(run, reading, "temperature", "UPDATE {table} SET value = 99.9")
    spoilt = CliRunner().invoke(app, [str(run.folder), "--json"])
    assert spoilt.exit_code == 1
    told = json.loads(spoilt.stdout)
    assert (told["good"], told["wrong"], told["lost"]) == (False, 1, 0)
    assert told["examples"]["wrong"][0]["pole"] == reading.pole
    shown = CliRunner().invoke(app, [str(run.folder)])
    assert "NOT as promised" in shown.output
    assert reading.pole in shown.output
    missing = CliRunner().invoke(app, [str(run.folder / "truth")])
    assert missing.exit_code == 2


def test_a_run_in_a_real_influxdb_is_judged_like_one_in_a_file(run, influx1):
    async def fill(packs):
        await run.store(open_store(influx1.store), packs)

    asyncio.run(fill(run.packs))
    assert verify_run(run.folder, store=influx1.store).kinds == verify_run(run.folder).kinds
    rows = run.packs[3, 2]
    false = [(*rows[0][:5], rows[0][5] + 3, 12.0, None), ("air", "wuhou", "P99999", "x", "y", BEGAN_MS, 1.0, None)]
    asyncio.run(fill({(3, 2): [*rows, *false]}))
    outcome = verify_run(run.folder, store=influx1.store)
    assert bad(outcome) == {"false": 2}
    assert any("readings in the ledger" in fault for fault in outcome.faults)
