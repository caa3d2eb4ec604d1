"""The spool of many nodes: what was appended is there after a kill, what was stored is not."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.fleet import ranges
from simulators.fleet.spool import Spool


def test_packs_go_when_they_are_stored_and_not_before(tmp_path):
    spool = Spool(path=tmp_path / "nodes.db")
    spool.append([(3, 1, 0, 1000, b"a"), (3, 2, 1, 1001, b"b"), (4, 1, 0, 1002, b"c")], 7, 2500)
    assert spool.pack(3, 2) == (1, 1001, b"b")
    spool.stored(3, [1, 9])
    spool.drop(4, 1)
    assert spool.pack(3, 1) is not None, "a confirmation that is not on the disk yet may be told again"
    salt = spool.salt
    spool.flush()
    spool.act(8, 3, "lamp_level", 40.0)
    spool.close()
    again = Spool(path=tmp_path / "nodes.db")
    assert (again.salt, again.done) == (salt, (7, 2500))
    assert list(again.pending()) == [(3, 2, 1)]
    assert list(again.dropped()) == [(4, 1)]
    assert again.acts() == [(8, 3, "lamp_level", 40.0)]
    again.close()


def test_a_portion_is_there_whole_or_not_at_all(tmp_path):
    spool = Spool(path=tmp_path / "nodes.db")
    spool.append([(1, 1, 0, 0, b"a")], 0, 10000)
    spool.stored(1, [1])
    with pytest.raises(sqlite3.Error):
        spool.append([(2, 1, 0, 0, b"a"), (2, 2, 0, object(), b"b")], 1, 10000)
    assert list(spool.pending()) == [(1, 1, 0)]
    spool.append([(2, 1, 0, 0, b"a")], 1, 10000)
    assert list(spool.pending()) == [(2, 1, 0)], "what was stored meanwhile is not forgotten"
    spool.close()


def test_a_killed_process_keeps_every_pack_that_it_counted(tmp_path):
    program = (
        "import sys; from pathlib import Path; from simulators.fleet.spool import Spool\n"
        "spool = Spool(path=Path(sys.argv[1])); number = 0\n"
        "while True:\n"
        "    number += 1; spool.append([(node, number, 0, 0, b'x' * 300) for node in range(5)], number, 10000)\n"
        "    print(number, flush=True)\n"
    )
    path = tmp_path / "nodes.db"
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True) as process:
        counted = [int(process.stdout.readline()) for _ in range(20)][-1]
        os.kill(process.pid, signal.SIGKILL)
    spool = Spool(path=path)
    kept = list(spool.pending())
    spool.close()
    for node in range(5):
        numbers = [number for index, number, _ in kept if index == node]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) == spool.done[0] >= counted


@given(st.sets(st.integers(1, 60)), st.integers(1, 60), st.integers(0, 30))
def test_ranges_are_the_set_that_they_stand_for(numbers, first, more):
    held = []
    for number in sorted(numbers):
        ranges.add(held, number)
    gone = ranges.remove(held, first, first + more)
    assert sorted(gone) == sorted(numbers & set(range(first, first + more + 1)))
    left = numbers - set(gone)
    assert sum(last - low + 1 for low, last in held) == len(left)
    assert [ranges.oldest(held) for _ in range(len(left))] == sorted(left)
    assert held == []
