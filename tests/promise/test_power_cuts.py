"""The power goes at every write that a spool makes, and the disk keeps what it will of what was not synced.

Some of these disks are looked at in the suite; all of them where MULTIPOLE_POWER_CUTS is `all`.
"""

import functools
import json
import os
import random
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog

from gateway.disk import spool as spool_module
from gateway.disk import spool_file
from gateway.disk.spool import Spool
from tests.parts.servers import missing
from tests.promise import power_cut
from wire import packs

ALL = os.environ.get("MULTIPOLE_POWER_CUTS") == "all"
STATES = 1500  # in the suite
MAX_BYTES = 1  # the least that a spool can have: 64 pages
SMALL = {"WAL_BYTES": 24 * 4096, "BALLAST_BYTES": 4096}  # so that a short life has many checkpoints
DROP_AT_ONCE = 4


def readings(name):
    """Of one pack, whose name is its value."""
    count = 300 if name % 23 == 0 else 60 + name % 90  # some are longer than a page
    return [
        (f"P0001/air-{name % 3}", f"p{index}", 1_763_683_200_000 + name * 1000, name, None) for index in range(count)
    ]


@functools.cache
def body(epoch, number, name):
    return packs.encode(epoch, number, readings(name))


WORKLOAD = """
import json, os, sys
from pathlib import Path
from gateway.disk import spool as spool_module, spool_file
from gateway.disk.spool import Spool
from tests.promise.test_power_cuts import DROP_AT_ONCE, MAX_BYTES, SMALL, readings

path, name = Path(sys.argv[1]), 0
vars(spool_file).update(SMALL)
spool_module.DROP_AT_ONCE = DROP_AT_ONCE

def say(**what):
    os.write(1, json.dumps(what).encode())

def append(count):
    global name
    for _ in range(count):
        name += 1
        event = name % 6 == 0
        say(do="append", name=name, event=event)
        numbers = spool.append(event=event, readings=readings(name), last_ms=name, set_back=1)
        kept = spool.telemetry(after=0, before=1 << 40, limit=1)
        say(done="append", name=name, event=event, number=numbers[0], epoch=spool.epoch, low=kept[0].number,
            dropped=spool.state().dropped)

def confirm(*ranges):
    say(do="confirm", ranges=ranges, epoch=spool.epoch)
    spool.confirm(spool.epoch, ranges)
    say(done="confirm", ranges=ranges, epoch=spool.epoch)

def begin():
    spool = Spool(path=path, max_bytes=MAX_BYTES)
    say(done="open", epoch=spool.epoch)
    return spool

spool = begin()
append(14)
confirm([1, 5], [7, 9])
append(10)
confirm([10, 14])
spool.close()
spool = begin()
append(90)
assert spool.state().dropped["full"] > 8, spool.state()
confirm([1, 70])
append(12)
say(do="damage")
db, roots = spool._db, []
(root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'telemetry'").fetchone()
spool.close()
with path.open("r+b", buffering=0) as file:  # one page that holds no pack
    os.pwrite(file.fileno(), bytes(4096), (root - 1) * 4096)
    os.fsync(file.fileno())
spool = begin()
append(8)
confirm([1, 9])
append(4)
spool.close()
"""


@dataclass
class Known:
    """What was promised, as the process said it."""

    epoch: str | None = None
    there: dict[int, tuple[int, bool]] = field(default_factory=dict)  # name: number, event
    last: int = 0
    dropped: int = 0
    appending: tuple[int, bool] | None = None
    confirming: list[list[int]] = field(default_factory=list)
    damaged: bool = False

    def take(self, said):
        if said.get("do") == "append":
            self.appending = (said["name"], said["event"])
        elif said.get("do") == "confirm":
            self.confirming = said["ranges"]
        elif said.get("do") == "damage":
            self.damaged = True
        elif said["done"] == "open":
            if self.epoch not in (None, said["epoch"]):  # renumbered: telemetry first
                order = sorted(self.there.items(), key=lambda each: (each[1][1], each[1][0]))
                self.there = {name: (new + 1, event) for new, (name, (_, event)) in enumerate(order)}
                self.last, self.dropped = len(order), 0
            self.epoch, self.damaged = said["epoch"], False
        elif said["done"] == "append":
            self.there[said["name"]] = (said["number"], said["event"])
            self.there = {
                name: (number, event) for name, (number, event) in self.there.items() if event or number >= said["low"]
            }
            self.last, self.dropped, self.appending = said["number"], sum(said["dropped"].values()), None
        elif said["done"] == "confirm":
            self.there = {name: each for name, each in self.there.items() if not named(each[0], said["ranges"])}
            self.confirming = []


def named(number, ranges):
    return any(first <= number <= last for first, last in ranges)


def check(folder, known):
    """The real spool on what a power cut left: everything promised, nothing else, and the account in order."""
    spool = Spool(path=folder / "gw.db", max_bytes=MAX_BYTES)
    try:
        state = spool.state()
        if known.epoch is not None and not known.damaged:
            assert state.epoch == known.epoch
            assert state.head >= known.last
        found = {}
        kept = [*spool.telemetry(after=0, before=1 << 40, limit=9999), *spool.events(after=0, limit=9999)]
        for pack in kept:
            name = int(re.search(rb'"v":(\d+)', pack.body)[1])
            assert pack.body == body(spool.epoch, pack.number, name), "byte for byte"
            assert name not in found, "once"
            found[name] = (pack.number, pack.event)
        assert len(kept) == state.pending == state.head - state.stored - sum(state.dropped.values())
        assert state.dropped.get("damaged", 0) == 0
        check_found(found, state, known)
        number = spool.append(event=False, readings=readings(1000))[-1]
        assert number == state.head + 1
        assert known.damaged or number > known.last, "no number is given twice"
    finally:
        spool.close()


def check_found(found, state, known):
    extra = found.keys() - known.there.keys()
    assert extra <= ({known.appending[0]} if known.appending else set()), f"invented: {extra}"
    lost = {name: known.there[name] for name in known.there.keys() - found.keys()}
    lost = {name: each for name, each in lost.items() if not named(each[0], known.confirming)}
    if lost:  # only to make room for what was being appended, and then the oldest telemetry
        assert known.appending
        assert len(lost) == sum(state.dropped.values()) - known.dropped
        assert not any(event for _, event in lost.values())
        oldest = sorted(number for number, event in known.there.values() if not event)[: len(lost)]
        assert sorted(number for number, _ in lost.values()) == oldest


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """The steps of a spool's life: it begins, is filled, drained, full, ended, begun again, damaged and rescued."""
    if reason := power_cut.can_record():
        missing(reason)
    folder = tmp_path_factory.mktemp("life")
    steps = power_cut.record([sys.executable, "-c", WORKLOAD, str(folder / "gw.db")], folder)
    return folder, steps


@pytest.mark.timeout(3600 if ALL else 300)
def test_a_power_cut_at_any_write_loses_nothing_and_invents_nothing(life, monkeypatch):
    for name, value in SMALL.items():
        monkeypatch.setattr(spool_file, name, value)
    monkeypatch.setattr(spool_module, "DROP_AT_ONCE", DROP_AT_ONCE)
    folder, steps = life
    writes = sum(step.kind != "say" for step in steps)
    looked_at = 0
    with (
        structlog.testing.capture_logs(),
        tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as memory,
    ):
        for image, known, step in cuts(steps, share=1.0 if ALL else STATES / (writes * 6)):
            looked_at += 1
            lay(image, folder, Path(memory) / "disk")
            try:
                check(Path(memory) / "disk", known)
            except BaseException as error:
                kept = Path(tempfile.mkdtemp(prefix="power-cut-"))
                lay(image, folder, kept)
                error.add_note(f"after {step.kind} {step.path} at {step.at}, {len(step.data)} bytes: {known}; {kept}")
                raise
    print(f"{writes} writes, {looked_at} disks after a power cut")
    assert looked_at > (10_000 if ALL else STATES // 3)


def cuts(steps, *, share):
    """(disk, what was promised, the last step before the power cut), no two alike; of all cuts so large a share."""
    source, disk, known, seen = random.Random(4), power_cut.Disk(), Known(), set()
    for step in steps:
        if step.kind == "say":
            if step.data.startswith(b"{"):  # the others are log lines
                known.take(json.loads(step.data))
                seen.clear()
            continue
        disk.take(step)
        for cut in disk.cuts(source, torn=None if ALL else 1, mixed=6 if ALL else 1):
            if source.random() < share:
                image = cut()
                key = hash(tuple(sorted(image.items())))
                if key not in seen:
                    seen.add(key)
                    yield image, known, step


def lay(image, folder, place):
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for path, content in image.items():
        (place / Path(path).relative_to(folder)).write_bytes(content)
