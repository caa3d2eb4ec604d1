"""The emulated line in its own process: its account adds up, and a list of requests takes the time that was planned."""

import asyncio
import itertools
import struct

import pytest

from bench import master, plans
from bench.bus_commands import share_of
from bench.rig import Window, rig
from bench.wire import EmulatedBus, Wire
from device_profiles.bus_time import Line
from protocols import modbus
from simulators.wire_account import Account


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Masters that wait for an answer: the line is another process, which may get its turn late."""
    monkeypatch.setattr(master, "PATIENCE_S", 20.0)


def asked(request):
    """(table, address, count) of a read's PDU."""
    function, first, count = struct.unpack(">BHH", request)
    return {code: table for table, code in modbus.READS.items()}[function], first, count


def bus(folder, places, **more):
    return EmulatedBus(name="bus", path=folder / "bus", places=places, **{"baud": 19200, **more})


def test_the_wire_needs_what_was_planned(tmp_path, places):
    reads = plans.reads(plans.fields(places), plans.each_run)
    at = bus(tmp_path, places)
    with Wire(at) as wire:
        outcome = master.plain(at, reads)
        account = wire.account("bus")
    assert (outcome.refused, outcome.silent) == ([], [])
    assert account.transactions == account.answered == len(reads)
    assert account.wire_s == pytest.approx(sum(read.seconds(Line(baud=19200)) for read in reads))
    assert sum(each.wire for each in account.journal) == pytest.approx(account.wire_s)
    assert [(each.unit, *asked(each.request)) for each in account.journal] == [
        (read.unit, read.table, read.address, read.count) for read in reads
    ]
    assert (account.violations, account.collisions, account.broken) == (0, 0, 0)


def test_nothing_on_the_line_is_quicker_than_a_wire(tmp_path, places):
    reads = plans.reads(plans.fields(places), plans.each_point)
    at = bus(tmp_path, places)
    with Wire(at) as wire:
        master.plain(at, reads)
        made = list(wire.account("bus").journal)
    silence = Line(baud=19200).silence
    for before, after in itertools.pairwise(made):
        assert before.end - before.start == pytest.approx(before.wire - silence)
        assert after.start >= before.end + silence - 0.0002


def test_accounts_begin_anew(tmp_path, places):
    at = bus(tmp_path, places)
    with Wire(at) as wire:
        master.plain(at, plans.reads(plans.fields(places), plans.each_run))
        wire.reset()
        assert wire.account("bus") == Account()


def test_faults_are_switched_from_outside(tmp_path, places, monkeypatch):
    reads = plans.reads(plans.fields(places), plans.telegraf)  # one of them bridges 2 to 3
    at = bus(tmp_path, places)
    with Wire(at) as wire:
        wire.fault("bus", 1, refused=frozenset({("holding", 2)}))
        assert [reads[index].address for index in master.plain(at, reads).refused] == [0]
        wire.fault("bus", 1)
        assert master.plain(at, reads).refused == []
        wire.fault("bus", 1, silent=True)
        monkeypatch.setattr(master, "PATIENCE_S", 0.3)
        assert len(master.plain(at, reads[:1]).silent) == 1


def test_the_line_s_name_goes_with_its_process(tmp_path, places):
    at = bus(tmp_path, places)
    with Wire(at):
        assert at.path.is_symlink()
    assert not at.path.is_symlink()


def test_pymodbus_keeps_no_silence_and_strict_devices_do_not_understand_it(tmp_path, places, monkeypatch):
    reads = plans.reads(plans.fields(places), plans.each_run)
    found = {}
    for strict in (True, False):
        monkeypatch.setattr(master, "PATIENCE_S", 0.3 if strict else 20.0)
        at = bus(tmp_path, places, baud=1200, strict=strict)  # 32 ms of silence
        with Wire(at) as wire:
            outcome = asyncio.run(master.pymodbus(at, reads))
            found[strict] = len(outcome.silent), wire.account("bus").violations
    assert found[True][0] > 0
    silent, violations = found[False]
    assert silent == 0
    assert 0 < violations < len(reads)  # on a loaded machine one may come late enough


def test_the_gateway_polls_and_the_window_counts_it(tmp_path, places):
    async def scene() -> Window:
        async with rig(bus(tmp_path, places)) as running:
            await asyncio.sleep(0.5)
            return (await running.window(4.2))["bus"]

    window = asyncio.run(scene())
    made = window.transactions
    assert len(made) >= 4
    assert len(made) - 1 <= window.account.answered <= len(made) + 1  # one may be under way at either end
    assert window.account.violations == 0
    assert window.share == pytest.approx(
        sum(each.wire for each in made[:-1]) / (made[-1].start - made[0].start)
    )  # fmt: skip
    assert 0 < window.share < 0.5
    assert window.lost_s == pytest.approx((1 - window.share) * (made[-1].start - made[0].start) / (len(made) - 1))
    live = {key: period for key, period in window.periods().items() if asked(key[1])[1:] == (0, 5)}
    assert len(live) == 1


@pytest.mark.parametrize(("part", "expected"), [(0, 1), (0.5, 51), (0.99, 100), (1, 100)])
def test_a_percentile_is_one_of_the_values(part, expected):
    assert share_of(list(range(1, 101)), part) == expected
