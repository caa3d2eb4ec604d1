"""What the journal costs a flash, and how long it takes to open. MicroPython only."""

import gc
import time

import vfs
from journal_rig import Node
from ram_disk import RamDisk

BLOCK = 4096


def life(progsize, length, packs, confirmed):
    """(bytes of a record, bytes programmed, blocks erased), each a pack, once the journal is in its stride."""
    disk = RamDisk(BLOCK, 100, progsize).format()
    disk.mount("/wear")
    node = Node("/wear", 256 * 1024)
    before = 0, 0
    for value in range(packs + packs // 2):
        if value == packs // 2:
            before = disk.programmed, disk.erased
        number = node.append(value, length=length)
        if confirmed:
            node.journal.stored(number, number)
        node.board.now += 10_000
    vfs.umount("/wear")
    gc.collect()
    return (disk.programmed - before[0]) / packs, (disk.erased - before[1]) / packs


def test_wear(args):
    for name, progsize in (("esp32", 32), ("rp2", 256)):
        for length in (250, 550, 950):
            for confirmed in (True, False):
                programmed, erased = life(progsize, length, args["packs"], confirmed)
                how = "confirmed" if confirmed else "waiting"
                print("wear %s %d %s %.0f %.2f" % (name, length + 80, how, programmed, erased))


def test_open(args):
    disk = RamDisk(BLOCK, 300).format()
    disk.mount("/open")
    node = Node("/open", 1024 * 1024)
    count = 0
    while node.journal.full == 0:
        count = node.append(count, event=count % 4 == 0, length=550)
    node = None
    gc.collect()
    before = gc.mem_alloc()
    began = time.ticks_us()
    node = Node("/open", 1024 * 1024)
    took = time.ticks_diff(time.ticks_us(), began)
    churn = gc.mem_alloc() - before
    gc.collect()
    pending = node.counts()[2]
    print(
        "open %d packs, %d us, %d bytes of heap, %d with its litter" % (pending, took, gc.mem_alloc() - before, churn)
    )
    vfs.umount("/open")
