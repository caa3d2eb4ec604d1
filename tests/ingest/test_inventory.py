"""What site files say of whose each device is, and how a running ingest hears of other ones."""

import asyncio
import os
import subprocess
import sys

import pytest

from device_profiles.problems import FileProblem
from ingest import config, inventory
from ingest.inventory import Inventory
from ingest.registry import Registry
from tests.ingest.fakes import Node, Service, birth, readings, wait_until
from tests.ingest.test_service import letters, stored, wanted

SITE = """
area: wuhou
gateways:
  gw-1: {broker: "mqtt://h", pole: P0001}
controllers:
  ctl-1: {board: linux, pole: P0002, broker: "mqtt://h", uarts: {rs485: {port: /dev/ttyS1}}}
poles: {P0001: {position: [30, 104]}, P0002: {position: [30, 104]}}
buses:
  rs485-1: {port: /dev/ttyUSB0, baud: 9600, gateway: gw-1}
  rs485-2: {uart: rs485, baud: 9600, controller: ctl-1}
devices:
  - {pole: P0001, device: air-1, profile: xy-md03, bus: rs485-1, unit: 5}
  - {pole: P0002, device: air-1, profile: xy-md03, bus: rs485-2, unit: 5}
"""


@pytest.fixture
def site(tmp_path):
    path = tmp_path / "wuhou.yaml"
    path.write_text(SITE)
    return path


def write(path, text):
    """A change that is seen, however coarse the clock of the files is."""
    path.write_text(text)
    later = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))


def test_each_device_has_the_node_that_reads_it_and_each_node_itself(site):
    found = Inventory([site])
    names = {
        "P0001/air-1": "gw-1", "P0001/gateway": "gw-1", "P0001/bus-rs485-1": "gw-1",
        "P0002/air-1": "ctl-1", "P0002/ctl-1": "ctl-1", "P0002/bus-rs485-2": None, "P0009/air-1": None,
    }  # fmt: skip
    assert {name: found.node("wuhou", f"{name}/") for name in names} == names
    assert found.node("jinjiang", "P0001/air-1/") is None
    assert len(found) == 5


def test_a_folder_is_all_of_its_site_files(site, tmp_path):
    (tmp_path / "jinjiang.yml").write_text(SITE.replace("wuhou", "jinjiang"))
    (tmp_path / "README").write_text("no site file")
    assert len(Inventory([tmp_path])) == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda site: site.unlink(), "is not there. Name a site file, or a folder"),
        (lambda site: site.write_text(SITE.replace("unit: 5", "unti: 5", 1)), "unti"),
        (
            lambda site: site.with_name("b.yaml").write_text(SITE.replace("gw-1", "gw-2")),
            "P0001/air-1, .* are devices of gw-1, and of gw-2",
        ),
    ],
)
def test_what_is_wrong_with_it_is_told(site, change, message):
    folder = site.parent
    change(site)
    with pytest.raises(FileProblem, match=message):
        Inventory([site] if not site.exists() else [folder])


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(FileProblem, match="no site file is in"):
        Inventory([tmp_path])


def test_another_file_is_heard_and_a_wrong_one_changes_nothing(site, tmp_path, monkeypatch):
    monkeypatch.setattr(inventory, "LOOK_S", 0.02)

    async def scenario():
        sites = Inventory([tmp_path])
        registry = Registry(path=tmp_path / "births.db", sites=sites)
        registry.learn("wuhou", "gw-1", birth(["P0001/air-1", "P0001/air-2"]))
        following = asyncio.create_task(inventory.follow(sites, registry))
        barred = lambda: [device for device, _, _ in registry.barred("wuhou", "gw-1")]  # noqa: E731
        assert barred() == ["P0001/air-2"]
        write(site, "area: [")
        await asyncio.sleep(0.2)
        assert barred() == ["P0001/air-2"]
        registry.take_changed()
        more = "  - {pole: P0001, device: air-2, profile: xy-md03, bus: rs485-1, unit: 6}\n"
        write(tmp_path / "wuhou.yaml", SITE + more)
        async with asyncio.timeout(20):
            while barred():
                await asyncio.sleep(0.02)
        assert registry.take_changed() == {("wuhou", "gw-1")}
        following.cancel()
        registry.close()

    asyncio.run(scenario())


def test_the_configuration_names_one_or_several(tmp_path):
    plain = "broker: mqtt://i@h\nstore: sqlite:r.db\ndead_letters: d.db\n"
    for told in ("sites", "[a.yaml, b]", "a.yaml, b"):
        (tmp_path / "ingest.yaml").write_text(f"{plain}inventory: {told}\n")
        found = config.load(tmp_path / "ingest.yaml", {}).inventory
        assert [str(path) for path in found] == (["sites"] if told == "sites" else ["a.yaml", "b"])


def test_what_no_site_file_names_is_kept_aside_and_stored_when_one_does(broker, tmp_path, site):
    # the rest of the site has no such points: a birth tells them
    few = SITE.replace("  - {pole: P0001, device: air-1, profile: xy-md03, bus: rs485-1, unit: 5}\n", "")
    write(site, few)
    node = Node(broker)
    with Service(tmp_path / "ingest", broker, inventory=str(site)) as service:
        node.birth()
        node.pack(readings(1))
        node.wait_confirmed()
        (letter,) = letters(service)
        assert {(each["reason"], each["detail"]) for each in letter["refused"]} == {
            ("unknown-device", "P0001/air-1 is in no site file of the inventory")
        }
        write(site, SITE)
        wait_until(lambda: letters(service) == [], 30.0, what="a replay by itself")
        assert stored(service) == wanted([1])
    node.close()


def test_who_has_none_starts_without_what_reads_one():
    asks = "import sys, ingest.service, pole.command; sys.exit('device_profiles.site' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asks], check=False).returncode == 0
