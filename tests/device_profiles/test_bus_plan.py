"""A bus's plan by hand: loads, real periods, waits, a dead device, and what to change."""

from pathlib import Path

import pytest

from device_profiles import bus_load, loader, site
from device_profiles.bus_plan import BusPlan, plan

CHARACTER = 10 / 9600
# wp8028adam, 8 inputs: 14 characters and a silence of 3.5 on the wire, and 20 ms of latency; every second
INPUTS_S = 17.5 * CHARACTER + 0.02
# xy-md03, 2 registers: 17 characters and a silence; latency 20 ms; every 10 s
HEAD = """area: wuhou
gateways: {gw-1: {broker: "mqtt://127.0.0.1:1883", pole: P0001}}
poles: {P0001: {position: [30.6410, 104.0430]}}
buses:
"""


def planned(folder: Path, buses: str, *devices: str, bus: str = "b") -> BusPlan:
    lines = "".join(f"  - {{pole: P0001, {device}}}\n" for device in devices)
    path = folder / "site.yaml"
    path.write_text(f"{HEAD}{buses}\ndevices:\n{lines}", encoding="utf-8")
    return plan(site.load(path, crowded=True), bus, loader.profiles())


def crowd(count: int, profile: str = "wp8028adam", bus: str = "b", first: int = 1) -> list[str]:
    return [f"device: {profile}-{unit}, profile: {profile}, bus: {bus}, unit: {unit}"
            for unit in range(first, first + count)]  # fmt: skip


def test_a_bus_with_room_keeps_all_periods(tmp_path: Path) -> None:
    found = planned(tmp_path, "  b: {port: /dev/ttyUSB0}", *crowd(10))
    assert found.load == pytest.approx(10 * INPUTS_S)
    assert (found.fits, found.stretch, found.reliefs) == (True, 1.0, ())
    (group,) = found.groups
    assert (group.profile, group.group, len(group.devices), group.event) == ("wp8028adam", "inputs", 10, True)
    assert (group.every, group.period) == (1.0, 1.0)
    assert [(read.what, read.count) for read in group.reads] == [("discrete", 8)]
    assert found.turn_s == pytest.approx(INPUTS_S)
    # read just before the change; then nine others are due first, and after each event another's read could stand
    assert found.event_s == pytest.approx(1.0 + 10 * INPUTS_S + 10 * INPUTS_S)


def test_alike_units_that_are_too_many_stretch_alike(tmp_path: Path) -> None:
    found = planned(tmp_path, "  b: {port: /dev/ttyUSB0}", *crowd(40))
    assert not found.fits
    assert found.stretch == pytest.approx(40 * INPUTS_S)
    assert found.groups[0].period == pytest.approx(40 * INPUTS_S)


def test_on_a_full_bus_the_shortest_periods_stretch_and_the_long_ones_stay(tmp_path: Path) -> None:
    found = planned(tmp_path, "  b: {port: /dev/ttyUSB0, baud: 2400}", *crowd(25, "sdm120"))
    live, energy = found.groups
    assert live.period > live.every == 10
    assert energy.period == energy.every == 60
    live_s = sum(read.seconds for read in live.reads)
    energy_s = sum(read.seconds for read in energy.reads)
    # read together they take no more than one after the other, and no less than the longer of both
    assert 25 * live_s / live.period < 1.0 < 25 * (live_s / live.period + energy_s / 60)


def test_groups_with_events_keep_their_periods_until_every_other_request_is_theirs(tmp_path: Path) -> None:
    slow = "  b: {port: /dev/ttyUSB0, baud: 2400}"
    found = planned(tmp_path, slow, *crowd(2), *crowd(25, "sdm120", first=3))
    periods = {(group.profile, group.group): group.period for group in found.groups}
    assert periods["wp8028adam", "inputs"] == 1.0
    assert periods["sdm120", "live"] > 10
    found = planned(tmp_path, slow, *crowd(20), *crowd(25, "sdm120", first=21))
    inputs, live, energy = found.groups
    # between two events stands one read of a meter, six times as often one of the live group as one of the other
    reads = [(read.seconds, share) for group, share in ((live, 6), (energy, 1)) for read in group.reads]
    between = sum(seconds * share for seconds, share in reads) / sum(share for _, share in reads)
    assert inputs.period == pytest.approx(20 * (inputs.reads[0].seconds + between))


def test_groups_that_fall_due_together_share_requests() -> None:
    (unit,) = bus_load.polled(
        [site.Device(pole="P0001", device="m", profile="sdm120", bus="b", unit=1)],
        loader.profiles(),
        site.SerialBus(port="/dev/ttyUSB0").line,
    )
    live, energy = unit.shares
    alone = sum(read.seconds for read in energy.reads)
    assert energy.adds < alone  # its registers come with those of the live group
    assert unit.load == pytest.approx(live.adds / 10 + energy.adds / 60)


def test_a_dead_device_costs_its_first_failures_and_then_the_share(tmp_path: Path) -> None:
    found = planned(tmp_path, "  b: {port: /dev/ttyUSB0, dead_share: 0.1}", *crowd(10))
    assert found.dead is not None
    assert found.dead.request_s == pytest.approx(INPUTS_S - 0.02 + 0.3)
    assert found.dead.first_s == pytest.approx(3 * found.dead.request_s)
    assert found.dead.share == 0.1
    assert found.dead.load == pytest.approx(9 * INPUTS_S + 0.1)
    assert found.dead.stretch == 1.0
    full = planned(tmp_path, "  b: {port: /dev/ttyUSB0, dead_share: 0.1}", *crowd(26))
    assert full.fits
    assert full.dead is not None
    assert full.dead.stretch == pytest.approx(25 * INPUTS_S / 0.9)


def test_a_device_alone_on_its_bus_costs_nobody_anything(tmp_path: Path) -> None:
    assert planned(tmp_path, "  b: {port: /dev/ttyUSB0}", *crowd(1)).dead is None


def test_every_change_that_is_proposed_was_planned(tmp_path: Path) -> None:
    buses = "  b: {port: /dev/ttyUSB0}\n  c: {port: /dev/ttyUSB1}"
    found = planned(tmp_path, buses, *crowd(30), *crowd(1, "xy-md03", "c", first=31))
    changes = {relief.change: relief for relief in found.reliefs}
    assert set(changes) == {"baud", "move", "slower"}
    # the silence is 1.75 ms then, and the device still takes 20 ms: at 57,600 baud it would be 73 %
    assert changes["baud"].load == pytest.approx(30 * (14 * 10 / 115200 + 0.02 + 0.00175))
    assert "from 9600 to 115200: 69%" in changes["baud"].text
    assert "the manuals of wp8028adam" in changes["baud"].text
    assert changes["move"].load <= 0.7
    assert " to c: " in changes["move"].text
    assert changes["slower"].load == pytest.approx(30 * INPUTS_S / 2)
    assert "every 2 s" in changes["slower"].text
    assert "wp8028adam inputs (1 s)" in changes["slower"].text


def test_devices_go_to_no_bus_where_their_unit_is_taken(tmp_path: Path) -> None:
    buses = "  b: {port: /dev/ttyUSB0}\n  c: {port: /dev/ttyUSB1}"
    found = planned(tmp_path, buses, *crowd(30), *crowd(1, "xy-md03", "c", first=1))
    (move,) = (relief for relief in found.reliefs if relief.change == "move")
    assert "to a bus of their own" in move.text


def test_what_two_buses_cannot_carry_is_split_over_more(tmp_path: Path) -> None:
    found = planned(tmp_path, "  b: {port: /dev/ttyUSB0}", *crowd(60))
    (split,) = (relief for relief in found.reliefs if relief.change == "split")
    assert "over 4 buses" in split.text


def test_larger_reads_are_proposed_where_the_profile_forbids_them(tmp_path: Path) -> None:
    sdm120 = loader.profile("sdm120")
    assert sdm120.modbus is not None
    narrow = sdm120.model_copy(update={"modbus": sdm120.modbus.model_copy(update={"block": 2})})
    planned(tmp_path, "  b: {port: /dev/ttyUSB0, baud: 2400}", *crowd(14, "sdm120"))
    found = plan(site.load(tmp_path / "site.yaml", crowded=True), "b", {"sdm120": narrow})
    (wider,) = (relief for relief in found.reliefs if relief.change == "reads")
    assert "sdm120 (its profile allows 2 registers at once)" in wider.text
    alone = planned(tmp_path, "  b: {port: /dev/ttyUSB0, baud: 2400}", *crowd(14, "sdm120"))
    assert wider.load == pytest.approx(alone.load)


def test_meters_of_dlt645_are_planned_item_by_item(tmp_path: Path) -> None:
    meters = [f"device: m-{i}, profile: dlt645-3p, bus: b, address: '{i:012}'" for i in range(12)]
    found = planned(tmp_path, "  b: {protocol: dlt645, port: /dev/ttyUSB0}", *meters)
    assert not found.fits
    live, energy = found.groups
    assert live.period > live.every == 30
    assert energy.period == energy.every == 300
    assert {read.what for read in live.reads} == {"items"}
    assert found.dead is None


@pytest.mark.parametrize(
    ("bus", "device", "said"),
    [
        ("{protocol: snmp}", "device: ap, profile: openwrt-ap, bus: b, address: 10.0.0.7", "none waits for another"),
        ("{protocol: hj212, port: /dev/ttyS1}", "device: s, profile: hj212-air, bus: b, address: MN1", "one station"),
        ("{protocol: ocpp, listen: '127.0.0.1:9000'}", "device: c, profile: ocpp16, bus: b, address: c1", "nothing is"),
    ],
)
def test_a_bus_without_a_load_says_what_applies(tmp_path: Path, bus: str, device: str, said: str) -> None:
    found = planned(tmp_path, f"  b: {bus}", device)
    assert found.load is None
    assert found.fits
    assert said in found.note
    assert all(group.period == group.every for group in found.groups)


def test_modbus_over_a_network_is_counted_by_the_latency(tmp_path: Path) -> None:
    found = planned(tmp_path, "  b: {host: 10.0.0.7, framing: rtu}", *crowd(3))
    assert found.load == pytest.approx(3 * 0.02)
    assert "converter's serial line" in found.note
