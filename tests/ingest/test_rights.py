"""Which node may speak for which device: first come, decisions, and what an inventory says."""

import pytest

from ingest.accept import accept
from ingest.errors import Unavailable
from ingest.owners import Owners
from ingest.registry import Registry
from tests.ingest.fakes import EPOCH, birth
from wire import messages, packs

NOW_MS = 1_790_000_000_000
D1, D2 = "P0001/air-1", "P0002/air-1"


class Sites:
    """An inventory of one area."""

    def __init__(self, **nodes):
        self.nodes = {f"{device.replace('_', '/')}/": node for device, node in nodes.items()}

    def node(self, area, name):
        return self.nodes.get(name)


def left(*former, devices=()):
    """A birth of one that has `former` no more."""
    told = messages.decode(birth([*devices, *former]), messages.BIRTH)
    of = {f"{each['pole']}/{each['device']}": each for each in told["devices"]}
    changed = {"devices": [of[name] for name in devices], "former": [of[name] for name in former]}
    return messages.encode(told | changed, messages.BIRTH)


@pytest.fixture
def opened(tmp_path):
    """A function that opens the registry of a worker (by name); all share the file of owners."""
    registries = []

    def open_(name="births", **options):
        registries.append(Registry(path=tmp_path / f"{name}.db", **options))
        return registries[-1]

    yield open_
    for registry in registries:
        registry.close()


def told(registry, node, device, *, area="wuhou"):
    """What becomes of a reading: "" when it is stored, else its reason."""
    body = packs.encode(EPOCH, 1, [(device, "door", NOW_MS, True, None)])
    pack = accept(area, node, body, registry.devices(area, node), NOW_MS)
    assert bool(pack.runs) != bool(pack.refused)
    return pack.refused[0].reason if pack.refused else ""


def test_the_second_node_that_announces_a_device_is_refused_and_told_whose_it_is(opened):
    registry = opened()
    registry.learn("wuhou", "gw-1", birth([D1]))
    registry.learn("wuhou", "gw-2", birth([D1, D2]))
    registry.learn("jinjiang", "gw-3", birth([D1]))
    assert (told(registry, "gw-1", D1), told(registry, "gw-2", D1), told(registry, "gw-2", D2)) == ("", "not-yours", "")
    assert told(registry, "gw-3", D1, area="jinjiang") == ""
    ((device, reason, detail),) = registry.barred("wuhou", "gw-2")
    assert (device, reason) == (D1, "not-yours")
    assert detail.startswith("P0001/air-1 is a device of gw-1, which announced it first")
    assert registry.barred("wuhou", "gw-1") == []


def test_who_came_first_is_first_after_a_restart_too(opened):
    registry = opened()
    registry.learn("wuhou", "gw-9", birth([D1]))
    registry.learn("wuhou", "gw-1", birth([D1]))
    registry.keep({("wuhou", "gw-1"), ("wuhou", "gw-9")})
    again = opened()
    assert (told(again, "gw-9", D1), told(again, "gw-1", D1)) == ("", "not-yours")


def test_a_device_that_moves_goes_with_its_node_and_its_last_readings_are_still_taken(opened):
    registry = opened()
    registry.learn("wuhou", "gw-1", birth([D1, D2]))
    registry.learn("wuhou", "gw-2", birth([D1]))
    assert registry.take_changed() == {("wuhou", "gw-1"), ("wuhou", "gw-2")}
    registry.learn("wuhou", "gw-1", left(D1, devices=[D2]))
    assert ("wuhou", "gw-2") in registry.take_changed()
    assert (told(registry, "gw-1", D1), told(registry, "gw-2", D1)) == ("", "")
    registry.keep({("wuhou", "gw-1"), ("wuhou", "gw-2")})
    again = opened()
    assert (told(again, "gw-1", D1), told(again, "gw-2", D1)) == ("", "")


def test_to_say_that_one_had_a_device_does_not_make_it_one_s_own(opened):
    registry = opened()
    registry.learn("wuhou", "gw-1", birth([D1]))
    registry.learn("wuhou", "gw-2", left(D1, devices=[D2]))
    assert told(registry, "gw-2", D1) == "not-yours"
    registry.keep({("wuhou", "gw-1"), ("wuhou", "gw-2")})
    assert told(opened(), "gw-2", D1) == "unknown-device"


def test_two_workers_agree_on_who_was_first_and_both_hear_the_operator(opened, tmp_path):
    one, two = opened("births-1"), opened("births-2")
    one.learn("wuhou", "gw-1", birth([D1]))
    one.learn("wuhou", "gw-2", birth([D1]))
    two.learn("wuhou", "gw-2", birth([D1]))
    two.learn("wuhou", "gw-1", birth([D1]))
    for worker in (one, two):
        worker.keep({("wuhou", "gw-1"), ("wuhou", "gw-2")})
    for worker in (one, two):
        worker.look()
        assert (told(worker, "gw-1", D1), told(worker, "gw-2", D1)) == ("", "not-yours")
        worker.take_changed()
    Owners(path=tmp_path / "owners").write([(("wuhou", f"{D1}/"), "gw-2", "operator")])
    for worker in (one, two):
        worker.look()
        assert (told(worker, "gw-1", D1), told(worker, "gw-2", D1)) == ("not-yours", "")
        assert worker.take_changed() == {("wuhou", "gw-1"), ("wuhou", "gw-2")}
    for worker in (one, two):
        worker.learn("wuhou", "gw-2", birth([D2]))
        worker.keep({("wuhou", "gw-2")})
        worker.look()
        assert told(worker, "gw-1", D1) == ""  # whom the operator had chosen has it no more


def test_an_inventory_decides_whoever_came_first(opened):
    registry = opened(sites=Sites(**{"P0001_air-1": "gw-2"}))
    registry.learn("wuhou", "gw-1", birth([D1, D2]))
    registry.learn("wuhou", "gw-2", birth([D1]))
    assert (told(registry, "gw-1", D1), told(registry, "gw-2", D1)) == ("not-yours", "")
    assert registry.barred("wuhou", "gw-1") == [
        (D1, "not-yours", "P0001/air-1 is a device of gw-2, by the inventory"),
        (D2, "unknown-device", "P0002/air-1 is in no site file of the inventory"),
    ]
    body = packs.encode(EPOCH, 1, [(D2, "door", NOW_MS, True, None)])
    assert not accept("wuhou", "gw-1", body, registry.devices("wuhou", "gw-1"), NOW_MS).unknown  # no birth changes that


def test_another_inventory_is_heard_and_what_a_node_had_it_may_still_tell(opened):
    registry = opened(sites=Sites(**{"P0001_air-1": "gw-1"}))
    registry.learn("wuhou", "gw-1", birth([D1]))
    registry.learn("wuhou", "gw-2", birth([D1, D2]))
    registry.take_changed()
    registry.take_sites(Sites(**{"P0001_air-1": "gw-2", "P0002_air-1": "gw-2"}))
    registry.learn("wuhou", "gw-1", left(D1))
    for node in registry.nodes():
        registry.renew(*node)
    assert registry.take_changed() == {("wuhou", "gw-1"), ("wuhou", "gw-2")}
    assert (told(registry, "gw-1", D1), told(registry, "gw-2", D1), told(registry, "gw-2", D2)) == ("", "", "")


def test_a_device_keeps_its_place_and_its_points_while_it_is_disputed(opened):
    registry = opened()
    registry.learn("wuhou", "gw-1", birth([D1]))
    registry.learn("wuhou", "gw-2", birth([D1, D2]))
    before = registry.devices("wuhou", "gw-2")
    assert registry.learn("wuhou", "gw-2", birth([D1, D2])) is False
    registry.learn("wuhou", "gw-1", left(D1))
    after = registry.devices("wuhou", "gw-2")
    assert after[f"{D1}/"][0] is before[f"{D1}/"][0]
    assert after[f"{D1}/"][1] is after[f"{D2}/"][1]


def test_a_line_that_a_power_cut_tore_is_no_decision(tmp_path):
    path = tmp_path / "owners"
    path.write_text("wuhou P1/a gw-1 first\nwuhou P1/a gw-2 first\nwuhou P1/b gw-1 operator\nwuhou P1/b gw-2 oper")
    owners = Owners(path=path)
    assert owners.all() == [("wuhou", "P1/a", "gw-1", "first"), ("wuhou", "P1/b", "gw-1", "operator")]
    owners.write([(("wuhou", "P1/a/"), "gw-1", "released")])
    assert owners.look() == {("wuhou", "P1/a/")}
    assert owners.of(("wuhou", "P1/a/")) is None


def test_owners_that_cannot_be_written_are_told_and_written_later(opened, tmp_path):
    registry = opened(owners=tmp_path / "not-there" / "owners")
    registry.learn("wuhou", "gw-1", birth([D1]))
    registry.learn("wuhou", "gw-2", birth([D1]))
    with pytest.raises(Unavailable, match=r"owners: .*No such file"):
        registry.keep(set())
    (tmp_path / "not-there").mkdir()
    registry.keep(set())
    assert Owners(path=tmp_path / "not-there" / "owners").all() == [("wuhou", D1, "gw-1", "first")]
