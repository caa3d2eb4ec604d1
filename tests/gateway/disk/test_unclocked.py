import sqlite3

import pytest

from gateway.clock import Boot
from gateway.disk import unclocked
from gateway.disk.spool import Spool
from wire import packs

NOW = Boot("b", 1_800_000_000_000)


def reading(number, ms=None, point="x"):
    return ("P0001/air-1", point, 10 * number if ms is None else ms, number, None)


def wait(spool, numbers, *, event=False, boot="b", boot_ms=None):
    readings = [reading(number) for number in numbers]
    spool.append_unclocked(event=event, readings=readings, boot=boot, boot_ms=boot_ms or readings[-1][2])


def give_all(spool, now=NOW):
    while any(spool.give_times(now, last_ms=now.began_ms, set_back=0).values()):
        pass


def stored(spool):
    kept = spool.telemetry(after=0, before=1 << 40, limit=100_000) + spool.events(after=0, limit=100_000)
    found = [each for pack in kept for each in packs.decode(pack.body).readings]
    return [(value, ms - NOW.began_ms, quality) for _, _, _, ms, value, quality, _ in found]


@pytest.fixture
def spool(tmp_path):
    made = Spool(path=tmp_path / "gw.db", max_bytes=8 << 20)
    yield made
    made.close()


def test_a_number_only_with_the_time(spool):
    wait(spool, [1, 2])
    wait(spool, [3])
    assert (spool.state().head, spool.state().unclocked) == (0, 3)
    give_all(spool)
    assert stored(spool) == [(1, 10, None), (2, 20, None), (3, 30, None)]
    state = spool.state()
    assert (state.head, state.readings, state.unclocked) == (1, 3, 0)  # small rows become one pack
    assert state.last_ms == NOW.began_ms + 30


def test_earlier_boots_end_when_the_next_begins(spool):
    wait(spool, [100, 200], boot="z")
    wait(spool, [1, 50], boot="a")
    wait(spool, [7])
    give_all(spool)
    # boot a was 500 ms long, boot z 2000 ms before it; a grid step lies between them
    assert stored(spool) == [
        (None, -1530, "clock"), (100, -1520, None), (200, -520, None),
        (None, -510, "clock"), (1, -500, None), (50, -10, None), (7, 70, None),
    ]  # fmt: skip


def test_a_row_of_no_boot_has_its_times_already(spool):
    wait(spool, [1])
    spool.append_unclocked(event=False, readings=[reading(2, NOW.began_ms + 5000)], boot="", boot_ms=999)
    assert spool.oldest_unclocked(NOW) == NOW.began_ms + 10 - 10
    give_all(spool)
    assert stored(spool) == [(1, 10, None), (2, 5000, None)]


def test_killed_between_two_commits_nothing_is_lost_or_doubled(tmp_path, monkeypatch):
    monkeypatch.setattr(unclocked, "ROWS_AT_ONCE", 2)
    spool = Spool(path=tmp_path / "gw.db", max_bytes=8 << 20)
    for number in range(1, 8):
        wait(spool, [number], boot="a")
    for _ in range(4):
        spool.give_times(NOW, last_ms=NOW.began_ms, set_back=0)
        spool.close()
        spool = Spool(path=tmp_path / "gw.db", max_bytes=8 << 20)
    values = [(value, ms) for value, ms, quality in stored(spool) if quality is None]
    assert [value for value, _ in values] == list(range(1, 8))
    assert [ms for _, ms in values] == [10 * number - 70 - 10 for number in range(1, 8)]
    spool.close()


def test_a_row_that_is_damaged_is_counted_and_the_others_get_their_time(tmp_path):
    path = tmp_path / "gw.db"
    spool = Spool(path=path, max_bytes=8 << 20)
    for number in range(1, 4):
        wait(spool, [number])
    spool.close()
    db = sqlite3.connect(path)
    db.execute("UPDATE unclocked SET boot_ms = boot_ms + 1 WHERE id = 2")
    db.commit()
    db.close()
    spool = Spool(path=path, max_bytes=8 << 20)
    give_all(spool)
    assert [value for value, _, _ in stored(spool)] == [1, 3]
    state = spool.state()
    assert state.dropped == {"damaged": 1}
    assert state.head == state.pending + 1
    assert state.unclocked == 0
    spool.close()


def test_a_full_spool_gives_up_the_oldest_telemetry_that_waits_and_no_event(tmp_path):
    spool = Spool(path=tmp_path / "gw.db", max_bytes=256 << 10)
    wait(spool, [1], event=True)
    number = 2
    while not spool.state().dropped:
        wait(spool, range(number, number + 100))
        number += 100
    give_all(spool)
    state = spool.state()
    assert set(state.dropped) <= {"clock", "full"}
    assert state.dropped["clock"] > 0
    assert state.head == state.pending + sum(state.dropped.values())
    values = [value for value, _, _ in stored(spool)]
    assert 1 in values
    assert sorted(values)[1:] == list(range(number - len(values) + 1, number))
    spool.close()


def test_a_damaged_file_keeps_what_waited_for_the_time(tmp_path):
    path = tmp_path / "gw.db"
    spool = Spool(path=path, max_bytes=8 << 20)
    for number in range(1, 40):
        wait(spool, [number])
    spool.close()
    data = bytearray(path.read_bytes())
    data[100] = 99  # the kind of the first page, under the schema
    path.write_bytes(data)
    spool = Spool(path=path, max_bytes=8 << 20)
    assert list(tmp_path.glob("gw.db.damaged-*"))
    assert spool.state().unclocked == 39
    give_all(spool)
    assert [value for value, _, _ in stored(spool)] == list(range(1, 40))
    spool.close()
