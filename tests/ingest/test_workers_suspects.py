"""Which pack is taken for the one that ends workers, and which is not."""

import asyncio
import os
import subprocess
import sys

import pytest

from ingest import suspects
from ingest.dead_letters import DeadLetters
from ingest.suspects import BYTES, Ends, Memory, Note, Suspects, digest
from tests.ingest.fakes import EPOCH, readings
from wire import packs

BODY = packs.encode(EPOCH, 7, readings(7))
TOPIC = "poles/wuhou/gw-1/up/telemetry"


@pytest.fixture
def letters(tmp_path):
    kept = DeadLetters(path=tmp_path / "letters.db")
    yield kept
    kept.close()


def at(looking, body=BODY):
    return Note(TOPIC, body, looking)


@pytest.mark.parametrize(("looking", "ends"), [(True, 2), (False, 3)])
def test_a_pack_is_set_aside_when_enough_have_ended_at_it(tmp_path, letters, looking, ends):
    counted = Ends(folder=tmp_path, letters=letters)
    assert [counted.ended(at(looking)) for _ in range(ends)] == [(end, end == ends) for end in range(1, ends + 1)]
    (letter,) = letters.all()
    assert (letter.topic, letter.body, letter.refused[0].reason) == (TOPIC, BODY, "crash")
    assert (tmp_path / "crashes").read_text() == digest(BODY) + "\n"


def test_workers_that_are_killed_at_one_good_pack_after_the_other_set_none_aside(tmp_path, letters):
    counted = Ends(folder=tmp_path, letters=letters)
    found = [counted.ended(at(True, packs.encode(EPOCH, number, readings(number)))) for number in range(1, 2100)]
    assert set(found) == {(1, False)}
    assert letters.all() == []


def test_what_cannot_be_set_aside_is_at_the_next_end(tmp_path, letters):
    counted = Ends(folder=tmp_path / "gone", letters=letters)
    counted.ended(at(True))
    with pytest.raises(OSError, match="gone"):
        counted.ended(at(True))
    (tmp_path / "gone").mkdir()
    assert counted.ended(at(True)) == (3, True)


def test_what_was_set_aside_is_refused_by_all_with_its_own_time(tmp_path, letters):
    worker = Suspects(folder=tmp_path, number=0, careful=False)
    assert worker.refused("wuhou", "gw-1", TOPIC, BODY) is None
    counted = Ends(folder=tmp_path, letters=letters)
    counted.ended(at(True))
    counted.ended(at(True))
    worker.look()
    told = worker.refused("wuhou", "gw-1", TOPIC, BODY)
    assert (told.epoch, told.number, told.refused[0].reason) == (EPOCH, 7, "crash")
    at_ms = readings(7)[0][2]
    first, again = told.ledger(at_ms + 5000), told.ledger(at_ms + 9000)
    assert first[:-2] == again[:-2]
    assert first[-1] == again[-1] == at_ms  # one line of the ledger, however often it comes
    assert worker.refused("wuhou", "gw-1", TOPIC, BODY + b" ") is None


def test_a_time_that_is_none_is_not_taken(tmp_path, letters):
    for number, body in enumerate((b'[{"bt":99999999999,"ep":"9f3c21aa","sq":1}]', b"[{}]", b"")):
        assert suspects._refused("a", "n", body).newest_ms is None, number


DIES = """
import asyncio, os, sys
from pathlib import Path
from ingest.suspects import Suspects
async def work():
    worker = Suspects(folder=Path(sys.argv[1]), number=1, careful=sys.argv[2] == "careful")
    for body in (b"one", b"two"):
        assert worker.refused("a", "n", "poles/a/n/up/event", body) is None
    if sys.argv[3] == "later":
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), 9)
asyncio.run(work())
"""


@pytest.mark.parametrize(
    ("mode", "when", "left"), [("usual", "at once", True), ("usual", "later", None), ("careful", "later", False)]
)
def test_the_memory_outlives_a_worker(tmp_path, mode, when, left):
    memory = Memory()
    assert memory.note() is None
    ended = subprocess.run([sys.executable, "-c", DIES, tmp_path, mode, when], stdin=memory.fd, check=False)
    assert ended.returncode == -9
    assert memory.note() == (None if left is None else Note("poles/a/n/up/event", b"two", left))
    memory.clear()
    assert memory.note() is None


def test_a_message_that_no_broker_sends_is_not_noted():
    memory = Memory()
    memory.put(b"topic", bytes(BYTES))
    assert memory.note() is None


def test_another_standard_input_is_no_memory(tmp_path):
    asks = [sys.executable, "-c", "from ingest import suspects; print(suspects.inherited())"]
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for given in (os.open(file, os.O_RDONLY), os.open(os.devnull, os.O_RDONLY)):
        assert subprocess.run(asks, stdin=given, capture_output=True, check=True).stdout == b"None\n"
        os.close(given)


def test_who_is_alone_has_no_memory(tmp_path):
    alone = Suspects(folder=tmp_path, number=0, careful=False)
    assert asyncio.run(asyncio.sleep(0, alone.refused("a", "n", TOPIC, BODY))) is None
