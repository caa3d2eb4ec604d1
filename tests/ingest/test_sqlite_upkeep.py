"""What stays of old readings in a SQLite file, and that nobody's pack is forgotten or counted twice."""

import asyncio
import sqlite3
import threading
import time

import pytest

from ingest import sqlite_store, sqlite_upkeep
from ingest.rows import Ledger, Names
from ingest.store_url import open_store
from ingest.stores import Wanted

HOUR = 3_600_000
NOW = time.time_ns() // 1_000_000


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(sqlite_upkeep, "PAUSE_S", 0.0)
    # what is old by this module's clock must be as old when its turn comes, minutes later
    monkeypatch.setattr(sqlite_store, "time_ns", lambda: (NOW + 1000) * 1_000_000)


def reading(at, value=1.0, device="d", quality=None):
    return ("air", "a", "P", device, "x", at, None if quality else value, quality)


def ledger(number, at, node="n"):
    return Ledger("a", node, "9f3c21aa", number, 2, 1, 5, at)


def run(path, options, *calls):
    async def work():
        store = open_store(f"sqlite:{path}{options}")
        try:
            return [await call(store) for call in calls]
        finally:
            await store.close()

    return asyncio.run(work())


def idle(store):
    return store.write([], [])


def times(found):
    return sorted(row[5] for row in found)


def test_without_options_everything_stays(tmp_path):
    old = Names().runs([reading(1_700_000_000_000)])
    *_, found = run(tmp_path / "a.db", "", lambda s: s.write(old, []), idle, lambda s: s.readings(Wanted()))
    assert len(found) == 1


def test_what_is_older_than_kept_goes(tmp_path):
    told = [reading(NOW - h * HOUR, device=d) for h in range(48) for d in ("d1", "d2")]
    told += [reading(NOW - h * HOUR, device="d3", quality="timeout") for h in range(48)]
    rows = Names().runs(told)
    *_, found = run(
        tmp_path / "a.db", "?keep=1d", lambda s: s.write(rows, []), idle, lambda s: s.readings(Wanted(limit=1000))
    )
    assert len(found) == 3 * 24
    assert min(times(found)) == NOW - 23 * HOUR


def test_of_each_interval_the_last_reading_stays(tmp_path):
    step = 15 * 60_000
    start = (NOW - 72 * HOUR) // step * step
    told = [reading(start + n * 60_000, float(n)) for n in range(72 * 60)]
    rows = Names().runs(told)
    *_, found = run(
        tmp_path / "a.db",
        "?keep=1d&thin=15m:2d",
        lambda s: s.write(rows, []),
        idle,
        idle,
        lambda s: s.readings(Wanted(limit=10_000)),
    )
    cutoff = (NOW - 24 * HOUR) // step * step
    old = [row for row in found if row[5] < cutoff]
    new = [row for row in found if row[5] >= cutoff]
    assert len(new) == sum(row[5] >= cutoff for row in told)
    assert {row[5] // step for row in old} == {row[5] // step for row in told if NOW - 48 * HOUR <= row[5] < cutoff}
    assert all(row[5] % step == step - 60_000 for row in old)
    assert all(row[6] == (row[5] - start) / 60_000 for row in old)


def test_what_comes_late_is_thinned_too(tmp_path):
    old = (NOW - 30 * HOUR) // HOUR * HOUR
    first, late = (Names().runs([reading(old + n * 60_000) for n in numbers]) for numbers in ((0, 2), (1, 3)))
    *_, found = run(
        tmp_path / "a.db",
        "?keep=1d&thin=1h",
        lambda s: s.write(first, []),
        idle,
        lambda s: s.write(late, []),
        idle,
        lambda s: s.readings(Wanted()),
    )
    assert times(found) == [old + 3 * 60_000]


def test_old_packs_are_summed_up_and_count_once(tmp_path):
    old, new = NOW - 30 * HOUR, NOW
    ledgers = [ledger(n, old + n) for n in (1, 2, 3, 5)] + [ledger(n, new) for n in (4, 6, 9)]
    ledgers.append(ledger(1, old, node="silent"))
    path = tmp_path / "a.db"
    before, kept = (
        run(path, options, lambda s: s.write([], ledgers), idle, lambda s: s.packs(), lambda s: s.counts())[2:]
        for options in ("", "?keep=1d")
    )
    assert kept == before
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT number FROM packs").fetchall() == [(4,), (6,), (9,)]
    again = [ledger(2, old + 2), ledger(7, old + 7)]
    _, late = run(path, "?keep=20d", lambda s: s.write([], again), lambda s: s.packs())
    assert late[0].ranges == [[1, 7], [9, 9]]
    assert (late[0].readings, late[0].refused) == (2 * 8, 8)
    *_, summed = run(path, "?keep=1d", idle, idle, lambda s: s.packs())
    assert summed == late


def test_a_round_is_done_in_small_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_upkeep, "SERIES_AT_ONCE", 3)
    names = Names()
    old = names.runs([reading(NOW - 30 * HOUR, device=f"d{n}") for n in range(20)])
    new = names.runs([reading(NOW)])
    path = tmp_path / "a.db"
    run(path, "", lambda s: s.write(old, []))
    monkeypatch.setattr("ingest.sqlite_store.BUSY_S", 0.0)  # one series a write
    calls = [lambda s: s.write(new, []), lambda s: s.counts()] * 25
    counts = run(path, "?keep=1d", *calls)[1::2]
    assert [told.points for told in counts[:3]] == [20, 19, 18]
    assert counts[-1].points == 1


def test_readers_read_while_it_writes_and_thins(tmp_path):
    path, stop, seen, failed = tmp_path / "a.db", threading.Event(), [], []
    names = Names()

    def read():
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0) as db:
            while not stop.is_set():
                try:
                    seen.append(db.execute("SELECT count(*), max(time) FROM points").fetchone()[0])
                except sqlite3.Error as error:
                    failed.append(error)

    async def write():
        store = open_store(f"sqlite:{path}?keep=1d&thin=1h")
        await store.write([], [])
        reader = threading.Thread(target=read)
        reader.start()
        for n in range(500):
            old, new = NOW - 30 * HOUR + n, NOW - n
            told = [reading(at, device=f"d{k}") for at in (old, new) for k in range(20)]
            await store.write(names.runs(told), [ledger(n + 1, old)])
            if len(set(seen)) > 4:
                break
        stop.set()
        reader.join()
        await store.close()

    asyncio.run(write())
    assert failed == []
    assert len(set(seen)) > 4


def test_numbers_and_ranges_melt_together():
    assert sqlite_upkeep.merged([[1, 3], [7, 9]], [4, 6, 20, 4]) == [[1, 4], [6, 9], [20, 20]]
    assert sqlite_upkeep.merged([], []) == []
