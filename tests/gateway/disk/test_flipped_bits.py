"""One bit of a spool's files flips, anywhere: it is found, said, and costs no more than the page that it is on.

Some bits in the suite; 30 times as many where MULTIPOLE_FLIPS is `many`.
"""

import collections
import functools
import os
import random
import re
import shutil
import tempfile
from pathlib import Path

import pytest
import structlog

from gateway.disk import spool_file
from gateway.disk.spool import Spool
from gateway.disk.spool_file import PAGE
from wire import packs

FLIPS = 400 * (30 if os.environ.get("MULTIPOLE_FLIPS") == "many" else 1)
GONE = range(1, 61)  # confirmed
COUNT = 160
HEADER, FRAME = 32, 24 + PAGE


def readings(name):
    count = 300 if name % 50 == 0 else 8 + name % 7  # some are longer than a page
    return [
        (f"P0001/air-{name % 3}", f"p{index}", 1_763_683_200_000 + name * 1000, name, None) for index in range(count)
    ]


@functools.cache
def body(epoch, number, name):
    return packs.encode(epoch, number, readings(name))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """(closed, epoch), (as a power cut leaves it, with a log, epoch)."""
    folder = tmp_path_factory.mktemp("good")
    spool = Spool(path=folder / "gw.db", max_bytes=8 << 20)
    for name in range(1, COUNT + 1):
        spool.append(event=name % 10 == 0, readings=readings(name), last_ms=name)
        if name == 100:
            spool.confirm(spool.epoch, [[GONE[0], GONE[-1]]])
            spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if name == 140:
            spool._db.execute("PRAGMA wal_checkpoint(FULL)")  # what follows begins the log anew
    cut = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".ballast"}
    spool.close()
    closed = {"gw.db": (folder / "gw.db").read_bytes()}
    assert set(cut) == {"gw.db", "gw.db-wal"}
    return {"closed": (closed, spool.epoch), "cut": (cut, spool.epoch), "unchecked": (closed, spool.epoch)}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["closed", "cut", "unchecked"])
def test_a_flipped_bit_costs_its_own_packs_and_is_told(files, kind, monkeypatch):
    monkeypatch.setattr(spool_file, "BALLAST_BYTES", 1)
    if kind == "unchecked":  # a backlog so large, on a card so slow, that the time for a look at all of it is over
        monkeypatch.setattr(spool_file, "_check_all", lambda *_: None)
    content, epoch = files[kind]
    source = random.Random(kind)
    found = collections.Counter()
    with (
        structlog.testing.capture_logs() as said,
        tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as memory,
    ):
        for name, at in positions(content, source):
            said.clear()
            folder = Path(memory) / "disk"
            flipped = bytearray(content[name])
            flipped[at] ^= 1 << source.randrange(8)
            lay(content | {name: bytes(flipped)}, folder)
            try:
                outcome = look(
                    folder,
                    epoch,
                    said,
                    checked=kind != "unchecked",
                    in_last_commit=name.endswith("-wal") and in_last_commit(content[name], at),
                )
            except BaseException as error:
                error.add_note(f"a bit of byte {at} of {name} (page {at // PAGE + 1}, byte {at % PAGE})")
                raise
            found[outcome] += 1
    print(f"{kind}: {dict(found)}")
    assert found["nothing lost"] > FLIPS // 4
    assert found["told and lost"] > FLIPS // 20
    assert sum(found.values()) >= FLIPS


def positions(content, source):
    """Of each file: the beginnings of its pages and of the log's frames, where a bit means most, and any others."""
    for name, data in content.items():
        for at in (source.randrange(len(data)) for _ in range(FLIPS * 2 // 3 // len(content))):
            yield name, at
        size, first = (FRAME, HEADER) if name.endswith("-wal") else (PAGE, 0)
        for _ in range(FLIPS // 3 // len(content) + 1):
            page = source.randrange((len(data) - first) // size)
            yield name, first + page * size + source.randrange(120)
        yield from ((name, at) for at in range(0, 100, 3))
        if name.endswith("-wal"):  # each frame's own checksum, with which the next one's begins
            yield from ((name, at + 16 + source.randrange(8)) for at in range(HEADER, len(data) - FRAME + 1, FRAME))


def in_last_commit(log, at):
    """A power cut may leave a last commit like that."""
    ends = [at for at in range(HEADER, len(log) - FRAME + 1, FRAME) if log[at + 4 : at + 8] != bytes(4)]
    salts = log[16:24]
    ends = [at for at in ends if log[at + 8 : at + 16] == salts]
    return len(ends) < 2 or ends[-2] + FRAME <= at < ends[-1] + FRAME


def all_of(spool):
    """As the uplink reads it: again where a new epoch began meanwhile."""
    while True:
        epoch = spool.epoch
        kept = [*spool.telemetry(after=0, before=1 << 40, limit=9999), *spool.events(after=0, limit=9999)]
        if spool.epoch == epoch:
            return kept


def true_packs(spool):
    """Name -> number."""
    kept = {}
    for pack in all_of(spool):
        name = int(re.search(rb'"v":(\d+)', pack.body)[1])
        assert pack.body == body(spool.epoch, pack.number, name), "byte for byte"
        assert pack.event == (name % 10 == 0)
        assert kept.get(name, pack.number) == pack.number, "a damaged tree may show a pack twice, under one number"
        kept[name] = pack.number
    return kept


def look(folder, epoch, said, *, checked, in_last_commit):
    """Nothing but true packs; what is not there is told, and no more than a page's."""
    spool = Spool(path=folder / "gw.db", max_bytes=8 << 20)
    kept = true_packs(spool)
    if len(kept) < spool.state().pending:  # what a page hides from SQLite is missed when all others are sent
        assert not checked
        spool.tell_missing()
        kept = true_packs(spool)
    state = spool.state()
    assert len(kept) == state.pending == state.head - state.stored - sum(state.dropped.values())
    lost = {name for name in range(1, COUNT + 1) if name not in GONE} - kept.keys()
    again = kept.keys() & set(GONE)
    told = any(line["log_level"] == "error" for line in said)
    if state.epoch == epoch:
        assert all(name == number for name, number in kept.items())
        assert not again, "confirmed, and there again"
    assert len(lost) <= 14, f"more than a page's: {sorted(lost)}"
    if lost and not told:
        assert in_last_commit
        assert len(lost) == 1
    assert spool.append(event=False, readings=readings(1)) == [spool.state().head]
    for _ in range(2):  # some damage is met by a deletion alone: then everything is there again, in a new epoch
        spool.confirm(spool.epoch, [[1, state.head + 1]])
        spool.tell_missing()
    spool.confirm(spool.epoch, [[1, state.head + 1]])
    assert spool.state().pending == 0
    spool.close()
    if lost:
        return f"{'told' if told else 'silent'} and lost"
    return "sent again" if again else "nothing lost"


def lay(content, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in content.items():
        (folder / name).write_bytes(data)
