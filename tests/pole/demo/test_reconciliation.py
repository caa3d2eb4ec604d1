"""The demo's count must see what is wrong: each test takes a complete run and breaks one thing."""

import asyncio
import re
import shutil
import sqlite3

import pytest
import yaml

from edge.clock import Clock
from edge.journal import Journal
from gateway.disk.spool import Spool
from ingest.rows import Ledger, Names
from ingest.sqlite_store import SqliteStore
from pole.broker import free_port
from pole.demo import reconciliation, repeats
from simulators.city import AREA, City

NOW_MS = 1_763_683_200_000
PACKS = 4  # of each node, with two readings each: one of a device, one of the gateway itself
DEVICE_OF = {"gw-1": "P0001/meter-1", "gw-2": "P0007/meter-1", "gw-3": "P0010/meter-1"}
CONTROLLER, ON_CONTROLLER, ITSELF = "ctl-1", "P0012/meter-1", "P0012/ctl-1"


class Board:
    """As much of a controller's board as its journal needs."""

    def __init__(self, folder) -> None:
        self.folder = str(folder)

    def ms(self) -> int:
        return 0


class Run:
    """Spools, a journal and a store as three gateways, a controller and ingest leave them, in a folder."""

    def __init__(self, folder, city) -> None:
        self.site, self.store, self.folder, self.city = folder / "site.yaml", folder / "readings.db", folder, city

    def fill(self) -> None:
        folder = self.folder
        self.site.write_text(yaml.safe_dump(site_of(self.city)))
        rows, ledgers = [], []
        for node, device in DEVICE_OF.items():
            pole = device.split("/")[0]
            spool = Spool(path=folder / f"{node}.db", max_bytes=1 << 24)
            emulated = self.city.devices[device]
            for index in range(PACKS):
                time_ms = NOW_MS + 10_000 * index
                value = next(iter(emulated.held("voltage", time_ms)))
                readings = [
                    (device, "voltage", time_ms, value, None),
                    (f"{pole}/gateway", "uptime_s", time_ms, index, None),
                ]
                (number,) = spool.append(event=False, readings=readings)
                rows.append(("energy", AREA, pole, "meter-1", "voltage", time_ms, value, None))
                rows.append(("gateway", AREA, pole, "gateway", "uptime_s", time_ms, float(index), None))
                ledgers.append(Ledger(AREA, node, spool.epoch, number, 2, 0, 100 * index, time_ms))
            spool.confirm(spool.epoch, [[1, PACKS]])
            spool.close()
        (folder / CONTROLLER).mkdir()
        journal = self.journal()
        emulated = self.city.devices[ON_CONTROLLER]
        for index in range(PACKS):
            time_ms = NOW_MS + 10_000 * index
            number = journal.append(b"]", 2, time_ms, 0, False)
            value = next(iter(emulated.held("voltage", time_ms)))
            rows.append(("energy", AREA, "P0012", "meter-1", "voltage", time_ms, value, None))
            rows.append(("gateway", AREA, "P0012", CONTROLLER, "uptime_s", time_ms, float(index), None))
            ledgers.append(Ledger(AREA, CONTROLLER, journal.epoch, number, 2, 0, 100 * index, time_ms))
        asyncio.run(self._store(rows, ledgers))

    async def _store(self, rows, ledgers) -> None:
        await repeats.count_in(self.store)
        store = SqliteStore(path=self.store)
        await store.write(Names().runs(rows), ledgers)
        await store.close()

    def accounts(self):
        return {account.node: account for account in reconciliation.reconcile(self.site, self.store)}

    def spool(self, node: str) -> Spool:
        return Spool(path=self.folder / f"{node}.db", max_bytes=1 << 24)

    def journal(self) -> Journal:
        board = Board(self.folder / CONTROLLER)
        return Journal(board, {"journal": 1 << 19}, Clock(board, {"ntp": None}))

    def execute(self, sql: str, *arguments: object) -> None:
        with sqlite3.connect(self.store) as db:
            assert db.execute(sql, arguments).rowcount > 0


def site_of(city: City) -> dict:
    async def opened() -> dict:
        async with city:
            return city.site()

    return asyncio.run(opened())


@pytest.fixture(scope="module")
def complete(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("complete")
    run = Run(folder, City(folder=folder / "ports", free_port=free_port))
    run.fill()
    return run


@pytest.fixture
def run(complete, tmp_path) -> Run:
    """A copy, which the test may break."""
    shutil.copytree(complete.folder, tmp_path, dirs_exist_ok=True)
    return Run(tmp_path, complete.city)


def trouble(account) -> tuple[int, int, int]:
    return account.lost, account.duplicated, account.pending


def test_a_complete_run_is_complete(run):
    for account in run.accounts().values():
        assert (account.produced, account.stored, account.packs_dropped) == (2 * PACKS, 2 * PACKS, 0)
        assert trouble(account) == (0, 0, 0)
    compared = reconciliation.compare(run.store, run.city.devices, 0)
    assert (compared.wrong, compared.late, compared.checked) == ([], [], 4 * PACKS)
    assert reconciliation.latencies(run.store, 0) == sorted([0, 100, 200, 300] * 4)


def test_a_row_that_is_missing_is_lost(run):
    run.execute(
        "DELETE FROM points WHERE series = (SELECT id FROM series WHERE pole = 'P0007' LIMIT 1) AND time = ?", NOW_MS
    )
    accounts = run.accounts()
    assert trouble(accounts["gw-2"]) == (1, 0, 0)
    assert trouble(accounts["gw-1"]) == (0, 0, 0)


def test_one_nodes_surplus_does_not_hide_anothers_loss(run):
    run.execute(
        "DELETE FROM points WHERE series = (SELECT id FROM series WHERE pole = 'P0007' LIMIT 1) AND time = ?", NOW_MS
    )
    run.execute("INSERT INTO points SELECT id, 1, 1.0 FROM series WHERE pole = 'P0001' LIMIT 1")
    accounts = run.accounts()
    assert trouble(accounts["gw-2"]) == (1, 0, 0)
    assert trouble(accounts["gw-1"]) == (0, 1, 0)


def again(run, node, value, time_ms):
    """The node's device tells a voltage in one more pack, which is stored."""
    spool = run.spool(node)
    device = DEVICE_OF[node]
    (number,) = spool.append(event=False, readings=[(device, "voltage", time_ms, value, None)])
    spool.confirm(spool.epoch, [[number, number]])
    spool.close()
    row = ("energy", AREA, device.split("/")[0], "meter-1", "voltage", time_ms, value, None)
    asyncio.run(run._store([row], [Ledger(AREA, node, spool.epoch, number, 1, 0, 5, time_ms)]))


def test_what_a_device_tells_twice_is_one_row_and_not_lost(run):
    (held,) = run.city.devices[DEVICE_OF["gw-1"]].held("voltage", NOW_MS)
    again(run, "gw-1", held, NOW_MS)
    account = run.accounts()["gw-1"]
    assert (account.produced, account.stored, account.told_again) == (2 * PACKS + 1, 2 * PACKS, 1)
    assert trouble(account) == (0, 0, 0)
    run.execute("DELETE FROM points WHERE series = (SELECT id FROM series WHERE pole = 'P0001' LIMIT 1)")
    assert run.accounts()["gw-1"].lost == PACKS


def test_a_row_that_another_one_replaced_is_lost(run):
    again(run, "gw-1", 1.5, NOW_MS)
    account = run.accounts()["gw-1"]
    assert (account.told_again, account.lost) == (0, 1)


def test_a_pack_that_is_sent_again_tells_nothing_twice(run):
    with sqlite3.connect(run.store) as db:
        ((time_ms, value, number, epoch),) = db.execute(
            "SELECT points.time, value, number, epoch FROM points JOIN series ON series = id JOIN packs ON"
            " packs.time = points.time WHERE node = 'gw-1' AND pole = 'P0001' AND point = 'voltage' AND number = 2"
        )
    rows = [
        ("energy", AREA, "P0001", "meter-1", "voltage", time_ms, value, None),
        ("gateway", AREA, "P0001", "gateway", "uptime_s", time_ms, 1.0, None),
    ]
    asyncio.run(run._store(rows, [Ledger(AREA, "gw-1", epoch, number, 2, 0, 5, time_ms)]))
    account = run.accounts()["gw-1"]
    assert account.told_again == 0
    assert trouble(account) == (0, 0, 0)


def test_what_waits_in_a_spool_is_pending_and_not_lost(run):
    spool = run.spool("gw-1")
    readings = [(DEVICE_OF["gw-1"], "voltage", NOW_MS + 90_000, 230.0, None)] * 3
    spool.append(event=False, readings=readings)
    spool.close()
    account = run.accounts()["gw-1"]
    assert account.produced == 2 * PACKS + 3
    assert trouble(account) == (0, 0, 3)
    assert reconciliation.pending(run.folder / "gw-1.db") == 1


def test_what_is_stored_and_not_yet_confirmed_is_not_counted_twice(run):
    spool = run.spool("gw-3")
    time_ms = NOW_MS + 90_000
    (number,) = spool.append(event=False, readings=[(DEVICE_OF["gw-3"], "voltage", time_ms, 230.0, None)])
    run.execute("INSERT INTO packs VALUES (?, 'gw-3', ?, ?, 1, 0, 5, ?)", AREA, spool.epoch, number, time_ms)
    run.execute("INSERT INTO points SELECT id, ?, 230.0 FROM series WHERE pole = 'P0010' LIMIT 1", time_ms)
    spool.close()
    assert trouble(run.accounts()["gw-3"]) == (0, 0, 0)


def test_a_pack_that_vanished_between_spool_and_store_is_lost(run):
    spool = run.spool("gw-1")
    (number,) = spool.append(event=False, readings=[(DEVICE_OF["gw-1"], "voltage", NOW_MS + 90_000, 230.0, None)])
    spool.confirm(spool.epoch, [[number, number]])
    spool.close()
    assert trouble(run.accounts()["gw-1"]) == (1, 0, 0)


def test_a_pack_under_another_epoch_is_a_duplicate(run):
    run.execute("INSERT INTO packs VALUES (?, 'gw-1', '00000000', 1, 2, 0, 5, ?)", AREA, NOW_MS)
    assert trouble(run.accounts()["gw-1"]) == (0, 1, 0)


def test_packs_that_the_spool_says_it_dropped_are_not_lost_and_no_more_than_those(run):
    spool = run.spool("gw-2")
    for index in range(2):
        spool.append(event=False, readings=[(DEVICE_OF["gw-2"], "voltage", NOW_MS + 90_000 + index, 230.0, None)])
    spool.close()
    with sqlite3.connect(run.folder / "gw-2.db") as db:
        db.execute("DELETE FROM telemetry WHERE sq > ?", (PACKS,))
        db.execute("""UPDATE state SET dropped = '{"full": 2}'""")
    account = run.accounts()["gw-2"]
    assert account.packs_dropped == 2
    assert trouble(account) == (0, 0, 0)
    with sqlite3.connect(run.folder / "gw-2.db") as db:
        db.execute("""UPDATE state SET dropped = '{"full": 1}'""")
    assert run.accounts()["gw-2"].lost == 2


def test_a_value_that_no_device_held_is_wrong(run):
    run.execute("UPDATE points SET value = value + 0.001 WHERE time = ? AND series IN"
                " (SELECT id FROM series WHERE point = 'voltage')", NOW_MS)  # fmt: skip
    compared = reconciliation.compare(run.store, run.city.devices, 0)
    assert (compared.late, compared.checked) == ([], 4 * PACKS)
    assert {each.device for each in compared.wrong} == {*DEVICE_OF.values(), ON_CONTROLLER}
    assert [each.off_ms for each in compared.wrong] == [None] * 4


@pytest.mark.parametrize(
    ("moved_ms", "late", "told"),
    [
        (25_000, False, r"00:00:25.000\+00:00: .* (24|25)\.\d s before$"),
        (-25_000, False, r"23:59:35.000\+00:00: .* (24|25)\.\d s later$"),
        (-3000, False, r"23:59:57.000\+00:00: .* [23]\.\d s later$"),
        (3000, True, r"00:00:03.000\+00:00: .* [23]\.\d s before$"),
    ],
)
def test_a_right_value_at_the_wrong_time_is_late_by_seconds_or_wrong(run, moved_ms, late, told):
    device = DEVICE_OF["gw-1"]
    run.execute("UPDATE points SET time = time + ? WHERE time = ? AND series IN (SELECT id FROM series"
                " WHERE point = 'voltage' AND pole || '/' || device = ?)", moved_ms, NOW_MS, device)  # fmt: skip
    compared = reconciliation.compare(run.store, run.city.devices, 0)
    (mismatch,) = compared.late if late else compared.wrong
    assert (compared.wrong if late else compared.late) == []
    assert re.search(rf"^{device} voltage at 2025-11-2.T.*{told}", str(mismatch))


def test_what_a_controller_has_not_noted_as_confirmed_is_not_pending(run):
    assert run.journal().state()["pending"] == PACKS  # it notes confirmations now and then
    assert reconciliation.unstored(run.folder / CONTROLLER, run.store) == 0
    assert trouble(run.accounts()[CONTROLLER]) == (0, 0, 0)


def test_what_waits_in_a_journal_is_pending_and_not_lost(run):
    run.journal().append(b"]", 3, NOW_MS + 90_000, 0, True)
    account = run.accounts()[CONTROLLER]
    assert account.produced == 2 * PACKS + 3
    assert trouble(account) == (0, 0, 3)
    assert reconciliation.unstored(run.folder / CONTROLLER, run.store) == 1


def test_a_pack_that_vanished_between_journal_and_store_is_lost(run):
    journal = run.journal()
    number = journal.append(b"]", 5, NOW_MS + 90_000, 0, False)
    journal.stored(number, number)
    journal.save()
    assert trouble(run.accounts()[CONTROLLER]) == (5, 0, 0)


def test_a_row_of_a_controller_that_is_missing_is_lost_on_that_controller(run):
    device = ITSELF.split("/")[1]
    run.execute(
        "DELETE FROM points WHERE series = (SELECT id FROM series WHERE device = ?) AND time = ?", device, NOW_MS
    )
    accounts = run.accounts()
    assert trouble(accounts[CONTROLLER]) == (1, 0, 0)
    assert trouble(accounts["gw-3"]) == (0, 0, 0)
