"""What nodes can make ingest remember has an end, and those that are known go on as before."""

import asyncio
import gc
import random
import sqlite3

import pytest

from ingest import births, census, config, registry, replayer, service, sqlite_store, waiting
from ingest.accept import Refusal, accept
from ingest.births import Births
from ingest.dead_letters import DeadLetters
from ingest.errors import IngestError, Unavailable
from ingest.nodes import Nodes
from ingest.owners import MAX_BYTES, Owners
from ingest.registry import Registry
from ingest.replayer import Replayer
from ingest.rows import Names, Rule, Step
from ingest.session import Message
from ingest.sqlite_store import SqliteStore
from tests.ingest.fakes import EPOCH, birth, status
from wire import messages, packs
from wire.errors import MessageError

D1 = "P0001/air-1"


@pytest.fixture
def known(tmp_path):
    opened = Registry(path=tmp_path / "births.db")
    yield opened
    opened.close()


def configured(folder):
    told = {"broker": "mqtt://localhost:1", "store": "sqlite:readings.db", "dead_letters": "dead-letters.db"}
    (folder / "ingest.yaml").write_text("".join(f"{key}: {value}\n" for key, value in told.items()))
    return config.load(folder / "ingest.yaml")


def points(count, *, first=0):
    return {f"p{number}": {"unit": "V"} for number in range(first, first + count)}


def learn(known, node, body, *, area="wuhou"):
    """ "" where it is taken, else why not."""
    try:
        known.learn(area, node, body)
    except MessageError as error:
        return error.reason
    return ""


def test_more_nodes_than_a_city_has_are_refused_and_those_that_are_known_go_on(known, monkeypatch):
    monkeypatch.setattr(census, "MOST_NODES", 3)
    assert [learn(known, f"gw-{number}", birth([f"P{number}/a"])) for number in range(5)] == [
        "",
        "",
        "",
        "full",
        "full",
    ]
    assert learn(known, "gw-0", birth(["P0/a", "P0/b"])) == ""
    assert len(known.devices("wuhou", "gw-0")) == 2
    assert known.devices("wuhou", "gw-4") == {}


def test_one_node_s_credentials_do_not_make_it_a_city(known, monkeypatch):
    monkeypatch.setattr(census, "MOST_AREAS", 2)
    assert [learn(known, "gw-1", birth([D1]), area=area) for area in "abca"] == ["", "", "full", ""]
    assert learn(known, "gw-2", birth([D1]), area="c") == ""


def test_a_node_that_is_known_from_the_file_counts(known, tmp_path, monkeypatch):
    learn(known, "gw-1", birth([D1]))
    known.keep({("wuhou", "gw-1")})
    monkeypatch.setattr(census, "MOST_NODES", 2)
    again = Registry(path=tmp_path / "births.db")
    assert [learn(again, node, birth(["P2/a"])) for node in ("gw-1", "gw-2", "gw-3")] == ["", "", "full"]
    again.close()


def test_statuses_of_more_nodes_are_counted_and_not_kept(monkeypatch):
    monkeypatch.setattr(census, "MOST_NODES", 2)
    nodes = Nodes()
    body = messages.encode(status(pending=1, head=1), messages.STATUS)
    for node in ("a", "b", "c", "b", "d"):
        nodes.take("wuhou", node, body)
    assert (len(nodes), nodes.pending, nodes.unkept) == (2, 2, 2)
    nodes.take("wuhou", "b", messages.encode(status(), messages.STATUS))
    assert nodes.pending == 1


def test_devices_have_an_end_and_a_node_may_still_announce_fewer(known, monkeypatch):
    monkeypatch.setattr(registry, "MOST_DEVICES", 4)
    assert learn(known, "gw-1", birth([f"P1/a{number}" for number in range(4)])) == ""
    assert learn(known, "gw-2", birth([D1])) == "full"
    assert learn(known, "gw-1", birth(["P1/a0"])) == ""
    assert learn(known, "gw-1", birth(["P1/a0"], points=points(3))) == ""


def test_beyond_what_a_node_may_have_its_latest_birth_counts_even_where_it_names_as_many_others(known, monkeypatch):
    monkeypatch.setattr(registry, "MAX_DEVICES", 5)
    for turn in range(4):
        names = [f"P1/a{number}" for number in range(3 * turn, 3 * turn + 3)]
        assert learn(known, "gw-1", birth(names)) == ""
        assert known.devices("wuhou", "gw-1").keys() == {f"{name}/" for name in names}


def test_what_no_rule_foresaw_in_a_birth_is_kept_aside_and_stops_nobody(tmp_path):
    ingest = service.Ingest(config=configured(tmp_path))
    ingest._registry._claim = lambda *_: {}["a defect"]
    ingest._take(Message("poles/wuhou/gw-1/up/birth", birth([D1]), None, None))
    (entry,) = ingest._batcher._entries
    assert entry.pack.refused == [Refusal(None, "internal", "KeyError: 'a defect'")]
    ingest._registry.close()


def test_a_birth_with_more_points_than_a_node_has_is_refused_before_anything_is_made(known):
    many = points(births.MOST_POINTS_OF_NODE + 1)
    assert learn(known, "gw-1", birth([D1], points=many)) == "full"
    assert known._births.kinds() == []


def test_profiles_that_no_node_has_any_more_make_room(known, monkeypatch):
    monkeypatch.setattr(births, "MOST_POINTS", 500)
    monkeypatch.setattr(births, "MOST_POINTS_OF_NODE", 120)
    monkeypatch.setattr(births, "TEXTS_POINTS", 100)
    assert learn(known, "gw-1", birth([D1], points=points(20))) == ""
    for turn in range(30):  # at each of them the device has the points of before, too, until they are too many
        assert learn(known, "gw-2", birth(["P2/a"], points=points(50, first=50 * turn))) == ""
        known.keep({("wuhou", "gw-1"), ("wuhou", "gw-2")})
    assert len(known.devices("wuhou", "gw-1")[f"{D1}/"][1]) == 20
    assert "p1499" in known.devices("wuhou", "gw-2")["P2/a/"][1]
    assert sum(map(len, known._births.kinds())) == known._births._points <= 300
    others = [
        learn(known, f"gw-{turn}", birth([f"P{turn}/a"], points=points(60, first=9000 + 60 * turn)))
        for turn in range(3, 12)
    ]
    assert (others[0], others[-1]) == ("", "full")
    assert learn(known, "gw-1", birth([D1, "P1/b"], points=points(20))) == ""


def test_what_is_left_behind_waits_for_no_garbage_collector(known, monkeypatch):
    monkeypatch.setattr(births, "TEXTS_POINTS", 500)
    monkeypatch.setattr(births, "MOST_POINTS_OF_NODE", 500)

    def alive():
        return sum(isinstance(each, Step | Rule) for each in gc.get_objects())

    def tell(turn):
        order = [f"p{number}" for number in range(50 * turn, 50 * turn + 50)]
        chance.shuffle(order)
        body = packs.encode(EPOCH, 1, [("P2/a", point, 1_790_000_000_000, 1.0, None) for point in order])
        assert accept("wuhou", "gw-2", body, known.devices("wuhou", "gw-2"), 1_790_000_000_000).readings == 50

    chance = random.Random(3)
    gc.collect()
    gc.disable()
    try:
        for turn in range(120):
            learn(known, "gw-2", birth(["P2/a"], points=points(50, first=50 * turn)))
            tell(turn)
            tell(turn)
            if turn == 19:  # it has the points of its latest births, and so have the texts that are remembered
                before = alive()
        assert alive() < before + 1500  # and a hundred births made 30,000 rules and 10,000 steps
    finally:
        gc.enable()


def test_ways_of_all_profiles_together_have_an_end(known, monkeypatch):
    monkeypatch.setattr(births, "MOST_STEPS", 60)
    learn(known, "gw-1", birth([D1], points=points(30)))
    learn(known, "gw-2", birth(["P2/a"], points=points(40)))
    for node, device, count in (("gw-1", D1, 30), ("gw-2", "P2/a", 20), ("gw-2", "P2/a", 40)):
        body = packs.encode(EPOCH, 1, [(device, f"p{number}", 1_790_000_000_000, 1.0, None) for number in range(count)])
        for _ in range(2):
            pack = accept("wuhou", node, body, known.devices("wuhou", node), 1_790_000_000_000)
            assert pack.readings == count
            known.look()
    assert sum(kind.steps for kind in known._births.kinds()) == 40 + 1 + 20 // 4 + 1 + 40 // 4  # and two ends


def test_the_file_forgets_what_no_node_has_and_is_read_as_it_was(known, tmp_path, monkeypatch):
    monkeypatch.setattr(births, "MOST_POINTS", 400)
    monkeypatch.setattr(births, "TEXTS_POINTS", 50)
    monkeypatch.setattr(births, "MOST_POINTS_OF_NODE", 60)
    learn(known, "gw-1", birth([D1]))
    for turn in range(40):
        assert learn(known, "gw-2", birth(["P2/a", "P2/b"], points=points(40, first=40 * turn))) == ""
        known.keep({("wuhou", "gw-1"), ("wuhou", "gw-2")})
    db = sqlite3.connect(tmp_path / "births.db")
    rows = db.execute("SELECT count(*) FROM points").fetchone()[0]
    assert rows < 15
    learn(known, "gw-1", birth([D1, "P1/new"]))  # whose points are in the file since long
    known.keep({("wuhou", "gw-1")})
    again = Registry(path=tmp_path / "births.db")
    assert len(again._births.kinds()) == 2
    for node in ("gw-1", "gw-2"):
        now, before = again.devices("wuhou", node), known.devices("wuhou", node)
        told = {name: births.facts_of(rules) for name, (_, rules) in now.items()}
        assert told == {name: births.facts_of(rules) for name, (_, rules) in before.items()}
    again.close()
    db.close()


def test_texts_of_profiles_are_remembered_up_to_a_size(monkeypatch):
    monkeypatch.setattr(births, "TEXTS_BYTES", 10_000)
    read = Births()
    for turn in range(200):
        read.read(birth([D1], points=points(20, first=turn)))
        read.settle()
        assert sum(map(len, read._told)) <= 10_000
    assert len(read._told) > 5
    assert sum(map(len, read.kinds())) <= 20 * len(read._told)


def test_numbers_of_series_are_looked_up_again_beyond_those_that_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_store, "REMEMBERED", 40)
    names, store = Names(), SqliteStore(path=tmp_path / "readings.db")
    db = store._open()
    for turn in range(3):
        rows = [("air", "wuhou", "P1", f"d{number}", "pm10", 1000 + turn, 1.0, None) for number in range(40)]
        store._write(db, names.runs(rows), [])
        assert sum(3 + len(numbers) for numbers in store._series.values()) == store._remembered <= 40 + 3
    assert db.execute("SELECT count(*), count(DISTINCT device) FROM readings").fetchone() == (120, 40)
    db.close()


def test_letters_of_ever_new_nodes_are_swept_in_parts_and_only_known_nodes_are_noted(known, tmp_path, monkeypatch):
    monkeypatch.setattr(replayer, "SWEPT_AT_ONCE", 7)
    letters = DeadLetters(path=tmp_path / "dead-letters.db")
    unknown = [Refusal(0, "unknown-device", "no birth")]
    letters.keep([(f"poles/wuhou/gw-{number}/up/telemetry", b"x", unknown) for number in range(50)])
    learn(known, "gw-49", birth([D1]))
    sweeper = Replayer(
        letters=letters, registry=known, store=None, idle=lambda: True, stored=len, lock=tmp_path / "lock"
    )
    asyncio.run(sweeper._sweep())
    assert list(sweeper._due) == [("wuhou", "gw-49")]
    assert sweeper._swept == 50
    letters.close()


def test_many_that_announce_the_same_devices_cost_what_their_births_do(known):
    devices = [f"P1/a{number}" for number in range(50)]
    for number in range(100):
        learn(known, f"gw-{number}", birth(devices))
    judged, whole = 0, known._judged

    def count(*args, **kwargs):
        nonlocal judged
        judged += 1
        return whole(*args, **kwargs)

    known._judged = count
    learn(known, "gw-0", birth(["P9/a"]))
    assert judged <= 101  # each node once, and not once for each device
    assert known.barred("wuhou", "gw-1") == []


def test_a_full_file_of_owners_says_so_and_still_takes_an_operator_s_word(tmp_path, capsys):
    path = tmp_path / "owners"
    path.write_text("wuhou P1/a gw-1 first\n" * (MAX_BYTES // 22 + 1))
    owners = Owners(path=path)
    size = path.stat().st_size
    for _ in range(2):
        owners.write([(("wuhou", "P2/b/"), "gw-2", "first")])
    assert path.stat().st_size == size
    assert capsys.readouterr().out.count("who came first is written down no more") == 1
    owners.write([(("wuhou", "P1/a/"), "gw-2", "operator")])
    owners.look()
    assert owners.of(("wuhou", "P1/a/")) == "gw-2"


def test_whom_was_waited_for_in_vain_is_forgotten_in_time_and_statuses_without_room_are_on_the_page(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(service, "MOST_IMPATIENT", 3)

    async def scenario():
        ingest = service.Ingest(config=configured(tmp_path))
        ingest._waiting = waiting.Waiting(most=100, patience_s=0.0)
        body = packs.encode(EPOCH, 1, [(D1, "door", 1_790_000_000_000, True, None)])
        for number in range(8):
            ingest._take(Message(f"poles/wuhou/n{number}/up/telemetry", body, None, None))
        assert len(ingest._waiting) == 8
        watch = asyncio.create_task(ingest._watch())
        async with asyncio.timeout(20):
            while len(ingest._waiting):
                await asyncio.sleep(0.02)
        watch.cancel()
        assert ingest._impatient == {("wuhou", "n6"), ("wuhou", "n7")}
        ingest._nodes.unkept = 4
        assert b"multipole_ingest_statuses_unkept 4.0" in ingest._page()[2]
        ingest._registry.close()

    asyncio.run(scenario())


def test_the_accounts_are_right_whatever_births_come(tmp_path, monkeypatch):
    small = {"MOST_POINTS": 120, "MOST_POINTS_OF_NODE": 40, "TEXTS": 5, "TEXTS_POINTS": 30}
    for name, value in small.items():
        monkeypatch.setattr(births, name, value)
    for module, name, value in (
        (registry, "MAX_DEVICES", 6),
        (registry, "MOST_DEVICES", 30),
        (census, "MOST_NODES", 8),
    ):
        monkeypatch.setattr(module, name, value)
    chance, path = random.Random(11), tmp_path / "births.db"
    known, said = Registry(path=path), set()
    for turn in range(1500):
        node = f"gw-{chance.randrange(10)}"
        devices = [f"P1/a{chance.randrange(12)}" for _ in range(chance.randint(0, 5))]
        said.add(learn(known, node, birth(devices, points=points(chance.randint(0, 15), first=chance.randrange(40)))))
        if chance.random() < 0.2:
            known.keep({("wuhou", f"gw-{number}") for number in range(10)})
        if turn % 100 == 99:
            known.keep({("wuhou", f"gw-{number}") for number in range(10)})
            again = Registry(path=path)
            assert kept(again) == kept(known)
            known.close()
            known = again
        check_accounts(known)
    assert said == {"", "full"}
    known.close()


def kept(known):
    """Of each node the devices that its latest birth names, and their points' facts."""
    return {
        node: {
            name: births.facts_of(registry._real(rules))
            for name, (_, rules) in known.devices(*node).items()
            if name not in known._gone[node]
        }
        for node in known.nodes()
    }


def check_accounts(known):
    of_nodes = [{id(registry._real(rules)) for _, rules in known.devices(*node).values()} for node in known.nodes()]
    texts = [id(kind) for told in known._births._told.values() for kind in told.values()]
    kinds = known._births.kinds()
    assert {each for some in of_nodes for each in some} | set(texts) == {id(kind) for kind in kinds}
    for kind in kinds:
        assert kind.users == sum(id(kind) in some for some in of_nodes) + texts.count(id(kind))
    assert known._births._points == sum(map(len, kinds))
    assert known._devices == sum(len(known.devices(*node)) for node in known.nodes()) <= 30
    assert len(known.nodes()) <= 8


@pytest.mark.parametrize("damage", ["other", "torn", "json", "schema"])
def test_births_that_are_damaged_say_what_to_do(known, tmp_path, damage):
    learn(known, "gw-1", birth([D1]))
    known.keep({("wuhou", "gw-1")})
    known.close()
    path = tmp_path / "births.db"
    if damage == "other":
        path.write_bytes(b"not SQLite" * 100)
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[:4096] + bytes(8192))
    else:
        db = sqlite3.connect(path)
        db.execute("UPDATE nodes SET here = '[1'" if damage == "json" else "ALTER TABLE nodes DROP COLUMN gone")
        db.commit()
        db.close()
    with pytest.raises(
        IngestError, match=r"births\.db: .*Move the file away, its -wal and -shm with it, .*births come"
    ):
        Registry(path=path)


def test_dead_letters_and_a_store_that_are_damaged_say_what_to_do(tmp_path):
    (tmp_path / "d.db").write_bytes(b"not SQLite" * 100)
    with pytest.raises(Unavailable, match=r"d\.db: file is not a database\. Move the file away, .*\.recover"):
        DeadLetters(path=tmp_path / "d.db").keep([])
    store = SqliteStore(path=tmp_path / "d.db")
    with pytest.raises(Unavailable, match=r"d\.db: file is not a database\. Move the file away, .*\.recover"):
        store._guard(lambda db: None)
    with pytest.raises(Unavailable, match=r"unable to open database file$"):
        DeadLetters(path=tmp_path / "folder" / "d.db").keep([])
