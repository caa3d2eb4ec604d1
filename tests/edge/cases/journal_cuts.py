"""The power goes at every write and erasure of the journal's disk: when packs are appended, confirmed and dropped."""

import os
import random

import vfs
from journal_rig import UTC, Node, body, time_of
from ram_disk import RamDisk, Sweep

BLOCK = 256
BLOCKS = 48
SEGMENT = 320


class Life:
    """What became of a node's packs, as far as its own calls returned, and what may be under way.

    twice: the power also goes, once more, at every operation of the start after a cut, and of the first pack after it.
    """

    def __init__(self, every, twice):
        self.given = {}  # number -> (value, is it an event)
        self.confirmed = set()
        self.value = None  # being appended
        self.twice = twice
        self.disks = 0
        self.disk = RamDisk(BLOCK, BLOCKS).format()
        self.disk.mount("/live")
        self.sweep = Sweep(self.disk, self.look, every)
        self.node = None
        self.epoch = ""

    def start(self):
        self.node = self.sweep.step(lambda: self.open("/live"))
        self.epoch = self.node.journal.epoch

    def open(self, folder):
        node = Node(folder, SEGMENT * 32)
        node.journal.telemetry.most = 4
        node.journal.events.most = 3
        return node

    def append(self, value, event, length):
        self.value = value, event
        number = self.sweep.step(lambda: self.node.append(value, event, length))
        self.value = None
        assert number == len(self.given) + 1
        self.given[number] = value, event

    def stored(self, first, last):
        self.confirmed.update(range(first, last + 1))
        self.sweep.step(lambda: self.node.journal.stored(first, last))

    def look(self, disk):
        """At a disk that a cut left."""
        if self.twice:
            self.look_twice(disk)
            return
        node = self.open("/cut")
        self.check(node)
        head = node.journal.head
        assert node.append(99) == head + 1
        node = self.open("/cut")
        assert node.journal.head == head + 1
        assert node.waiting()[head + 1] == 99

    def look_twice(self, disk):
        sweep = Sweep(disk, lambda _: self.check(self.open("/again")), path="/again")
        node = sweep.step(lambda: self.open("/cut"))
        self.check(node)
        given, value = self.given, self.value
        if node.journal.head > len(given):
            self.given = dict(given)
            self.given[len(given) + 1] = value
        self.value = 99, False
        self.epoch, epoch = node.journal.epoch, self.epoch
        sweep.step(lambda: node.append(99))
        self.given, self.value, self.epoch = given, value, epoch
        self.disks += sweep.disks

    def check(self, node):
        head, stored, _, dropped = node.counts()
        assert node.journal.damaged == 0
        assert len(self.given) <= head <= len(self.given) + (self.value is not None), head
        assert node.journal.readings == head, "each pack has one"
        if not self.given and not head:
            return
        assert node.journal.epoch == self.epoch
        there = node.waiting()
        assert len(there) == node.counts()[2]
        for number in there:
            given = self.given.get(number, self.value)
            assert there[number] == given[0], "never invented, and a number means one content"
        assert stored <= len([number for number in self.confirmed if number in self.given])
        for event in (False, True):
            row = [number for number in self.given if self.given[number][1] == event]
            oldest = min([number for number in row if number in there] + [head + 1])
            gone = [number for number in row if number not in there and number not in self.confirmed]
            assert not gone or max(gone) < oldest, "only the oldest are dropped"
            dropped -= len(gone)
        assert dropped >= 0, "what was dropped is counted"


def test_every_cut(args):
    random.seed(args.get("seed", 7))
    life = Life(args.get("every", 1), args.get("twice", False))
    life.start()
    turns = args.get("turns", 48)
    for turn in range(1, turns + 1):
        life.append(turn, turn % 5 == 0, random.randint(0, 60))
        if turns // 4 < turn < turns // 2 and turn % 2:
            first = random.randint(max(1, turn - 8), turn)
            life.stored(first, first + random.randint(0, 3))
        if turn in (7, turns // 2, turns - 3):
            life.start()
        if turn in (turns // 3, turns - 8):
            life.sweep.step(life.node.journal.save)
        if turn in (turns * 3 // 4, turns - 5):
            life.stored(1, turn)
    life.check(life.node)
    full = life.node.journal.full
    print("%d cuts, %d disks; %d packs dropped" % (life.sweep.cuts, life.sweep.disks + life.disks, full))
    assert full > 0


class Ruin:
    """A journal that has to begin a new epoch. values: of the packs that have to come with it."""

    def __init__(self, folder, every):
        self.folder = folder
        self.every = every
        self.disk = RamDisk(BLOCK, BLOCKS).format()
        self.disk.mount(self.folder)
        node = Node(self.folder, SEGMENT * 32)
        for value in range(20):
            node.append(value, value % 4 == 0, 30)
        node.journal.stored(1, 2)
        node.journal.save()
        self.values = set(node.waiting().values())
        self.epoch = node.journal.epoch

    def restart(self):
        sweep = Sweep(self.disk, self.look, self.every)
        node = sweep.step(lambda: Node(self.folder, SEGMENT * 32))
        self.check(node)
        print("%d cuts, %d disks" % (sweep.cuts, sweep.disks))
        vfs.umount(self.folder)

    def look(self, _):
        node = Node("/cut", SEGMENT * 32)
        self.check(node)
        epoch = node.journal.epoch
        node = Node("/cut", SEGMENT * 32)
        assert node.journal.epoch == epoch
        self.check(node)

    def check(self, node):
        node.counts()
        assert node.journal.epoch != self.epoch
        there = set(node.waiting().values())
        assert there - set(range(20)) == set(), "none is invented"
        assert self.values - there == set(), "and each is there, once or more often"


def test_every_cut_while_a_new_epoch_begins(args):
    ruin = Ruin("/state", args.get("ruin_every", 1))
    with open("/state/journal/state", "wb") as file:
        file.write(b"ruin")
    ruin.restart()


def test_every_cut_after_the_end_of_a_row_was_damaged(args):
    ruin = Ruin("/end", args.get("ruin_every", 1))
    name = max([name for name in os.listdir("/end/journal") if name[0] == "t"])
    with open("/end/journal/" + name, "r+b") as file:
        file.seek(-len(body(19, 30)) - 20, 2)
        file.write(b"ruin")
    ruin.values.remove(19)
    ruin.restart()


def test_every_cut_while_the_time_gets_known(args):
    disk = RamDisk(BLOCK, BLOCKS).format()
    disk.mount("/time")
    node = Node("/time", SEGMENT * 32, None)
    for value in range(4):
        node.board.now += 5000
        node.append(value, value == 2)
    right = {}
    known = []

    def look(_):
        node = Node("/cut", SEGMENT * 32, None)
        times = node.waiting(time_of)
        known.append(len(times))
        assert times in ({}, right), "those that would have been sent, or none"
        if not times:
            node.clock.set(UTC + 7_000_000)
            times = node.waiting(time_of)
        assert len(times) == 4
        node = Node("/cut", SEGMENT * 32, UTC + 90_000_000)
        assert node.waiting(time_of) == times

    for value in range(4):
        right[value + 1] = (UTC // 10 * 10 - 5000 * (3 - value) + 1, False)
    sweep = Sweep(disk, look)
    sweep.step(lambda: node.clock.set(UTC))
    assert node.waiting(time_of) == right
    print("%d cuts, %d disks" % (sweep.cuts, sweep.disks))
    assert 0 in known
    assert 4 in known
    vfs.umount("/time")
