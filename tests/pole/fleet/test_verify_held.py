"""What real nodes stored of devices on wires: values that the devices held are right, all else is found and named."""

import copy
import json
from collections import defaultdict

import pytest

from ingest.rows import Packs
from ingest.store_url import open_store
from pole.fleet.account import AccountError
from pole.fleet.depth_truth import DepthTruth
from pole.fleet.depth_world import WireWorld
from pole.fleet.judge_held import judge_held, poles
from pole.fleet.judge_outcome import BAD, Outcome
from pole.fleet.judge_store import Codes, SqliteSource, StoreSource
from tests.pole.fleet.stored_run import BEGAN_MS, StoredRun

EPOCH = "0a1b2c3d"
TIMES_MS = [BEGAN_MS + 4_000 + 10_000 * step for step in range(3)]
ORDER = {
    "scenario": "quiet-day", "seed": 5, "poles": 40, "wires": 2, "agents": 1, "began_ms": BEGAN_MS,
    "start": "2026-05-20T09:00:00",
}  # fmt: skip


class Run:
    """rows as the store has them; packs: one for each node and time; told: depths.json."""

    def __init__(self, folder, rows, nodes, devices):
        self.folder = folder
        self.rows = list(rows)
        self.told = {"nodes": nodes, "devices": devices, "left_out": {}, "dark": {}}
        self.packs = [
            Packs(node["area"], name, EPOCH, [[1, 3]], node["readings"], 0, TIMES_MS[-1])
            for name, node in nodes.items()
        ]

    def judged(self):
        (self.folder / "depths.json").write_text(json.dumps(self.told), encoding="utf-8")
        (self.folder / "acts-wires.jsonl").touch()
        outcome = Outcome(poles=40)
        rows = sorted(self.rows, key=lambda row: row[5])
        judge_held(folder=self.folder, order=ORDER, rows=rows, ledger=self.packs, outcome=outcome)
        return outcome

    def change(self, name, point, /, **changed):
        """Another content of the newest reading of a point; gives its index."""
        index = max(
            (index for index, row in enumerate(self.rows) if (f"{row[2]}/{row[3]}", row[4]) == (name, point)),
            key=lambda index: self.rows[index][5],
        )
        columns = ("function", "area", "pole", "device", "point", "time", "value", "code")
        cells = dict(zip(columns, self.rows[index], strict=True))
        self.rows[index] = tuple((cells | changed).values())
        return index

    def node(self, pole):
        return next(node for node in self.told["nodes"].values() if pole in node["poles"])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Every point of every device at three times, as it was held."""
    folder = tmp_path_factory.mktemp("held")
    (folder / "acts-wires.jsonl").touch()
    world, truth = WireWorld(ORDER), DepthTruth(order=ORDER, folder=folder)
    rows, counts = [], defaultdict(int)
    node_of = {world.city.names[index]: node for node in world.nodes for index in node.poles}
    for time_ms in TIMES_MS:
        for name, each in world.devices.items():
            pole, device = name.split("/")
            for point in each.profile.points:
                value = min(truth.held(name, point, time_ms), key=str) if truth.knows(name, point) else None
                if value is not None:
                    function = each.profile.function_of(point)
                    rows.append((function, node_of[pole].area, pole, device, point, time_ms, value, None))
                    counts[node_of[pole].name] += 1
    nodes = {
        node.name: {
            "kind": node.kind, "area": node.area, "poles": [world.city.names[index] for index in node.poles],
            "ep": EPOCH, "head": 3, "readings": counts[node.name], "stored": 3, "pending": [],
            "pending_readings": 0, "dropped": 0, "cut": [], "off": [],
        }
        for node in world.nodes
    }  # fmt: skip
    devices = {name: {"profile": each.profile.profile} for name, each in world.devices.items()}
    return rows, nodes, devices


@pytest.fixture
def run(made, tmp_path):
    rows, nodes, devices = copy.deepcopy(made)
    return Run(tmp_path, rows, nodes, devices)


def bad(outcome):
    return {kind: outcome.held[kind] for kind in BAD if outcome.held[kind]}


def test_what_devices_held_is_right(run):
    outcome = run.judged()
    assert outcome.good
    assert outcome.held["right"] == len(run.rows) > 60
    assert (outcome.faults, outcome.notes) == ([], [])
    assert {row[2] for row in run.rows} == set(poles(ORDER)) == {"P00001", "P00002", "P00003"}


@pytest.mark.parametrize(("value", "shown"), [(-3.25, "-3.25"), ("a text", "a text")])
def test_a_value_that_the_device_did_not_hold_is_wrong(run, value, shown):
    index = run.change("P00002/meter-1", "voltage", value=value)
    outcome = run.judged()
    assert (outcome.good, bad(outcome)) == (False, {"wrong": 1})
    found = outcome.examples["wrong"][0]
    assert (found.pole, found.device, found.point, found.found) == ("P00002", "meter-1", "voltage", shown)
    assert run.rows[index][5] == TIMES_MS[-1]


def test_a_value_that_was_held_at_another_time_is_wrong(run):
    values = defaultdict(list)
    for row in run.rows:
        values[f"{row[2]}/{row[3]}", row[4]].append(row[6])
    moved = [(where, held) for where, held in values.items() if len({*held}) == len(TIMES_MS)]
    assert len(moved) > 3
    for where, held in moved:
        run.change(*where, value=held[0])
    wrong = bad(run.judged())["wrong"]
    assert len(moved) / 2 < wrong <= len(moved)  # a value may come again


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"device": "meter-9"}, "of a device that is not there"), ({"point": "flavour"}, "does not have"),
        ({"area": "nowhere"}, "in area nowhere"), ({"function": "air"}, "in air"),
    ],
)  # fmt: skip
def test_a_series_that_there_is_not_is_false(run, changed, said):
    run.change("P00002/meter-1", "voltage", **changed)
    outcome = run.judged()
    assert bad(outcome) == {"false": 1}
    assert said in outcome.examples["false"][0].found


def test_qualities_and_what_a_node_tells_of_itself_are_told_apart(run):
    run.change("P00002/meter-1", "voltage", value=None, code="timeout")
    node = run.node("P00002")
    own = ("gateway", node["area"], node["poles"][0], "gateway", "queue", TIMES_MS[0], 3.0, None)
    run.rows.append(own)
    run.packs = [each._replace(readings=each.readings + 1) for each in run.packs]
    node["readings"] += 1
    outcome = run.judged()
    assert (outcome.held["told"], outcome.held["unjudged"]) == (1, 1)
    assert bad(outcome) == {"lost": 1}  # of the other node, whose pack now has a reading that is not stored


def test_a_row_that_is_gone_is_lost_unless_the_node_was_killed(run):
    del run.rows[0]
    assert bad(run.judged()) == {"lost": 1}
    run.node("P00001")["off"] = [[TIMES_MS[0], TIMES_MS[1]]]
    outcome = run.judged()
    assert outcome.good
    assert outcome.held["repeated"] == 1


def test_a_row_too_many_is_a_fault(run):
    function, area, pole, device, point, time_ms, value, _ = run.rows[0]
    run.rows.append((function, area, pole, device, point, time_ms + 1, value, None))
    outcome = run.judged()
    assert not outcome.good
    assert "readings are stored, and its packs had" in outcome.faults[0]


def without_the_last_pack(run):
    """The rows and the ledger of P00002's node end after its second pack; gives how many readings are gone."""
    node = run.node("P00002")
    gone = [row for row in run.rows if row[2] in node["poles"] and row[5] == TIMES_MS[-1]]
    run.rows = [row for row in run.rows if row not in gone]
    run.packs = [
        each._replace(ranges=[[1, 2]], readings=each.readings - len(gone))
        if each.node.startswith(node["poles"][0])
        else each
        for each in run.packs
    ]
    return node, len(gone)


def test_a_pack_that_is_nowhere_is_lost(run):
    _, gone = without_the_last_pack(run)
    outcome = run.judged()
    assert bad(outcome) == {"lost": gone}
    assert "1 of its 3 packs are neither stored, pending nor dropped" in outcome.faults[0]


def test_a_pack_that_waits_or_was_given_up_is_explained(run):
    node, gone = without_the_last_pack(run)
    node.update(pending=[[3, 3]], pending_readings=gone, stored=2)
    outcome = run.judged()
    assert outcome.good
    assert outcome.held["pending"] == gone
    node.update(pending=[], pending_readings=0, dropped=1)
    outcome = run.judged()
    assert outcome.good
    assert outcome.held["dropped"] == gone


def test_packs_of_another_epoch_or_beyond_the_head_are_faults(run):
    run.packs.append(run.packs[0]._replace(epoch="ffffffff"))
    run.packs[1] = run.packs[1]._replace(ranges=[[1, 4]])
    faults = run.judged().faults
    assert any("epoch ffffffff" in fault for fault in faults)
    assert any("pack 4 in the ledger, and the node numbered 3" in fault for fault in faults)


def test_a_device_of_which_nothing_is_stored_is_noted(run):
    lamp = [row for row in run.rows if (row[2], row[3]) == ("P00002", "lamp-1")]
    run.rows = [row for row in run.rows if row not in lamp]
    assert run.judged().notes == ["No reading is stored of P00002/lamp-1."]


def test_an_account_that_is_not_there_is_said(run):
    run.judged()
    (run.folder / "depths.json").unlink()
    with pytest.raises(AccountError, match=r"depths\.json: No such file"):
        judge_held(folder=run.folder, order=ORDER, rows=[], ledger=[], outcome=Outcome(poles=40))


def test_rows_of_some_poles_come_by_time_from_a_file_and_from_a_store(tmp_path):
    stored = StoredRun(tmp_path)
    names = [stored.city.names[3], stored.city.names[4]]
    wanted = sorted(row for (pole, _), rows in stored.packs.items() if pole in (3, 4) for row in rows)
    file = SqliteSource(path=tmp_path / "readings.db", codes=Codes())
    store = StoreSource(store=open_store("sqlite:readings.db", folder=tmp_path), codes=Codes())
    for source in (file, store):
        rows = list(source.rows(names))
        assert [row[5] for row in rows] == sorted(row[5] for row in rows)
        assert sorted(rows, key=lambda row: row[:6]) == sorted(wanted, key=lambda row: row[:6])
        assert {type(row[6]) for row in rows} == {type(row[6]) for row in wanted}
        source.close()
