"""`pole bench size` in small: that it measures what it says. Its figures are the bench's, not a test's."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import size, size_profile, size_site, size_world
from bench.size_process import sample
from device_profiles import loader
from device_profiles.blocks import blocks
from device_profiles.problems import FileProblem
from protocols import modbus

ROOT = Path(size.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A gateway with two buses and five connections, measured for some seconds."""
    table = tmp_path_factory.mktemp("size") / "rows.csv"
    return size.run(seconds=6.0, warm=1.0, buses=2, units=4, tcp=5, table=table, every=1.0), table


def test_every_device_is_heard_and_none_is_silent(measured):
    result, _ = measured
    assert result["devices"] == result["units_answering"] == result["devices_heard"] == 2 * 4 + 5
    assert result["refused"] == 0
    assert result["without_value"] < 20 * result["devices"] / 2  # on a loaded machine an emulator may answer too late


def test_readings_are_taken_as_planned_and_told_by_exception(measured):
    result, _ = measured
    assert result["wanted_per_s"] == pytest.approx(20 * (8 / 5 + 1 + 1 / 2 + 1 / 5 + 1 + 1 / 2))
    assert 0.4 < result["taken_share"] < 1.4  # six seconds hold one round of 5 s, or two
    assert 0 < result["told_per_s"] < result["taken_per_s"] / 2


def test_what_it_costs_is_measured(measured):
    result, table = measured
    assert 0 < result["cpu_share"] < 2
    assert result["rss_last_mb"] > 20
    assert 0 < result["connected_s"] < 30
    assert 0 < result["every_bus_s"] < 30
    assert 0 < result["start_cpu_s"] < 30
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 4
    seconds = [float(row["cpu_seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    assert int(rows[-1]["rss_bytes"]) > 20e6


def test_the_figures_are_for_people_and_for_programs(measured, capsys):
    result, _ = measured
    assert json.loads(json.dumps(result)) == result
    size.show(result)
    shown = capsys.readouterr().out
    assert f"{100 * result['cpu_share']:.1f} %" in shown
    assert f"{result['transactions_per_s']:.0f}/s" in shown
    size.show({**result, "verdicts": size.verdicts({**result, "cpu_share": 0.51}), "where": {"decode": 0.25}})
    shown = capsys.readouterr().out
    assert "NOT KEPT CPU, of one core: 0.51, at most 0.5" in shown
    assert "decode" in shown


@pytest.mark.parametrize(
    ("worse", "which"),
    [({"cpu_share": 0.6}, 0), ({"every_bus_s": 5.1}, 1), ({"every_bus_s": None}, 1), ({"rss_last_mb": 106.0}, 2)],
)
def test_a_promise_that_is_not_kept_is_told(worse, which):
    good = {"cpu_share": 0.4, "every_bus_s": 2.0, "rss_first_mb": 100.0, "rss_last_mb": 104.0}
    assert [row["kept"] for row in size.verdicts(good)] == [True, True, True]
    assert [row["kept"] for row in size.verdicts(good | worse)] == [index != which for index in range(3)]


def test_a_profile_needs_py_spy(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(FileProblem, match="py-spy"):
        size.run(profile=True)


def test_the_whole_site_is_right(tmp_path):
    size_site.write_profiles(tmp_path)
    whole = size_site.Size()
    site = size_site.write_site(tmp_path, whole, broker=1883, tcp_ports=list(range(20000, 20000 + whole.tcp)))
    command = [sys.executable, "-m", "bench.size_gateway", str(tmp_path), "site", "check", str(site), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert whole.devices == 712


def test_a_device_has_twenty_points_in_two_blocks(tmp_path):
    for path in size_site.write_profiles(tmp_path):
        profile = loader.load(path)
        assert len(profile.points) == size_site.POINTS
        asked = blocks(profile, "live")
        held = [size_world.answer(modbus.read(block.table, block.address, block.count), 0)[1] for block in asked]
        assert held == [10, 10]


def test_a_fifth_of_the_values_moves_from_one_round_to_the_next():
    def words(phase):
        return [*size_world.image("input", phase), *size_world.image("holding", phase)]

    for phase in range(size_world.PHASES):
        following = (phase + 1) % size_world.PHASES
        moved = sum(_value(place, phase) != _value(place, following) for place in size_site.PLACES.values())
        assert moved == size_site.POINTS / size_world.MOVED_OF
        assert words(phase) != words(following)


def test_the_emulated_devices_refuse_what_they_do_not_have():
    answer, points = size_world.answer(modbus.read("holding", 10, 30), 0)
    assert (answer, points) == (bytes((0x83, 2)), 0)


def test_a_gateway_that_ends_by_itself_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(size_site, "SERIAL_PROFILE", "no-such-profile")
    monkeypatch.setattr(size_site, "write_profiles", lambda folder: [])
    with pytest.raises(ExceptionGroup) as failed:
        size.run(seconds=5.0, warm=5.0, buses=1, units=1, tcp=0)
    assert "no-such-profile" in str(failed.value.exceptions[0])


def test_a_sample_counts_what_was_worked():
    first = sample(os.getpid())
    until = first.cpu + 0.1
    while sample(os.getpid()).cpu < until:
        sum(range(10_000))
    assert sample(os.getpid()).cpu >= until
    assert first.rss > 10e6


def test_shares_of_a_profile_name_the_parts(tmp_path):
    path = tmp_path / "stacks"
    path.write_text(
        "run (asyncio/base_events.py:1);value (device_profiles/registers.py:40) 3\n"
        "run (asyncio/base_events.py:1) 6\n"
        "x (somewhere.py:1) 1\n"
    )
    assert size_profile.shares(path) == {"event loop": 0.6, "decode": 0.3, "others": 0.1}


def _value(place, phase):
    table, address, kind, _ = place
    width = 1 if kind == "uint16" else 2
    return size_world.image(table, phase)[address : address + width]
