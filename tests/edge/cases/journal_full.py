"""Others fill the disk of the journal: only what comes new is lost, and is told. LittleFS2, so MicroPython only."""

import os

import vfs
from journal_rig import Node
from ram_disk import RamDisk

BLOCK = 1024  # so that the state fits inside the folder's block, as on boards


def fill(leave):
    """All of the disk but for some blocks."""
    with open("/full/update", "wb") as file:
        for _ in range(os.statvfs("/full")[3] - leave - 1):
            file.write(bytes(BLOCK - 8))


def test_a_full_disk_costs_only_what_is_new(args):
    RamDisk(BLOCK, 48).format().mount("/full")
    node = Node("/full", 32 * BLOCK)
    lost = number = 0
    for value in range(12):
        number = node.append(value, length=60)
    before = node.waiting()
    fill(4)
    for value in range(60):
        try:
            number = node.append(100 + value, length=60)
        except OSError as error:
            lost += error.errno == 28
    assert lost > 20, lost
    assert node.counts() == (number, 0, number, 0)
    there = node.waiting()
    assert [there[each] for each in before] == [before[each] for each in before]
    assert node.append(7, event=True, length=300) == number + 1, "an event takes the room of the oldest telemetry"
    head, stored, pending, dropped = node.counts()
    assert (head, stored) == (number + 1, 0)
    assert 0 < dropped == node.journal.full
    node.start()
    assert node.counts() == (head, stored, pending, dropped)
    assert node.waiting()[head] == 7
    node.journal.stored(1, head)
    os.remove("/full/update")
    for value in range(30):
        assert node.append(value, length=60) == head + 1 + value
    node.start()
    assert node.counts()[:2] == (head + 30, pending)
    vfs.umount("/full")


def test_a_disk_that_takes_nothing_makes_a_journal_that_takes_nothing(args):
    disk = RamDisk(256, 32).format()
    disk.mount("/dead")

    def refuse(start, content):
        raise OSError(5)

    change, disk.change = disk.change, refuse
    node = Node("/dead", 8 * 1024)
    for value in range(3):
        try:
            node.append(value)
        except OSError:
            pass
        else:
            raise AssertionError("it was not written")
    assert node.counts() == (0, 0, 0, 0)
    assert node.take() is None
    node.journal.stored(1, 5)
    disk.change = change
    vfs.umount("/dead")
    disk.mount("/dead")
    node.start()
    assert node.append(1) == 1
    vfs.umount("/dead")
