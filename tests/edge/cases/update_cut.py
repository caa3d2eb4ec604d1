"""The power goes at every write and erasure of an update: from the first chunk to the confirmation, or to the return.

After each cut the guard starts a whole slot, old or new, and what was begun comes to its end.
"""

import asyncio
import binascii
import json
import os
import sys

import vfs
from cutting_disk import TEARS, Disk
from update_agent import Agent, outcome

from edge.guard import Guard

ROOT = "/disk/"
ENDS = {"good": ("new", "same", 0), "bad": ("old", "failed", 1)}  # what runs, what the update says, state[3]


class World:
    """A disk with an old release in one slot, and a server with a new one, good or bad."""

    def __init__(self, signed, kind, slot, block, blocks):
        self.payload = read(signed + "/" + kind + ".payload")
        self.blob = read(signed + "/" + kind + ".blob")
        self.tag = binascii.unhexlify(read(signed + "/" + kind + ".tag"))
        self.runs, self.says, self.failed = ENDS[kind]
        self.slot = slot if kind == "bad" else chr(195 - ord(slot))  # that runs in the end
        self.block = block
        self.data = bytearray(blocks * block)
        self.disk = Disk(self.data, block)
        self.disk.format()
        self.disk.mount("/disk")
        for folder in ("", "/edge", "/wire"):
            os.mkdir(ROOT + slot + folder)
        old = read(signed + "/old.blob")
        while old:
            line, _, old = old.partition(b"\n")
            path, size = str(line, "utf-8").split(" ")
            write(slot + "/" + path, old[: int(size)])
            old = old[int(size) :]
        write(slot + "/version", b"0.1.0")
        write("release.key", read(signed + "/release.key"))
        Guard(ROOT).save(0, ord(slot), 0, 0, 1)  # another release has failed before
        vfs.umount("/disk")
        self.image = bytes(self.data)

    def power(self, cut=-1, tear=0):
        self.disk = Disk(self.data, self.block, cut, tear)
        self.disk.mount("/disk")

    async def publish(self, channel, size, chunks):
        ask = json.loads(b"".join(chunks))
        at = ask["offset"]
        data = self.blob[at : at + ask["length"]]
        self.agent.chunk(self.tag + at.to_bytes(4, "big") + binascii.crc32(data).to_bytes(4, "big") + data)

    def fetch(self):
        """What an agent does with the manifest: the update's own word."""
        self.agent = Agent(Guard(ROOT), self.publish)
        try:
            return asyncio.run(outcome(self.agent, self.payload))
        finally:
            asyncio.new_event_loop()

    def boot(self):
        """What a start does: which release ran; empty: the slot failed."""
        guard = Guard(ROOT)
        guard.ran = ""
        away = {}
        for name in list(sys.modules):
            if name[:4] in ("edge", "wire"):
                away[name] = sys.modules.pop(name)
        path = list(sys.path)
        sys.path[:] = []
        try:
            guard.run()
        except SystemExit:
            pass
        finally:
            sys.path[:] = path
            for name in list(sys.modules):
                if name[:4] in ("edge", "wire"):
                    del sys.modules[name]
            for name in away:
                sys.modules[name] = away[name]
        return guard.ran

    def play(self):
        """Starts and updates until nothing changes any more."""
        for _ in range(4):
            ran = ""
            for _ in range(5):  # three tries, the return, and one that was cut
                ran = ran or self.boot()
            assert ran, "no slot starts"
            said = self.fetch()
            if said == self.says:
                assert ran == self.runs
                return
            assert said == "", said
        raise AssertionError("it comes to no end")

    def check(self):
        assert self.boot() == self.runs
        assert bytes(Guard(ROOT).state) == bytes((ord(self.slot), 0, 0, self.failed))
        assert self.fetch() == self.says


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(ROOT + path, "wb") as file:
        file.write(data)


def cut_once(world, cut, tear):
    """Plays until the power goes; a cut beyond the end is none."""
    world.power(cut, tear)
    try:
        world.play()
    except Exception:
        if not world.disk.dead:
            raise
    vfs.umount("/disk")


def cut_everywhere(world, tears):
    """Cuts each operation, and what follows it once more. Returns how many operations there are, and how many cuts."""
    world.power()
    world.play()
    operations = world.disk.operations
    world.check()
    vfs.umount("/disk")
    cuts = 0
    for cut in range(operations):
        for tear in range(len(TEARS)) if tears else [cut % len(TEARS)]:
            again = cut * 31 % operations
            world.data[:] = world.image
            try:
                cut_once(world, cut, tear)
                assert world.disk.dead
                cut_once(world, again, (tear + 1) % len(TEARS))
                world.power()
                world.play()
                world.check()
            except Exception:
                print("cut in", cut, TEARS[tear], "and then in", again, "of", operations)
                raise
            vfs.umount("/disk")
            cuts += 1
    return operations, cuts


def test_cut(args):
    world = World(args["signed"], args["kind"], args["slot"], args["block"], args["blocks"])
    print("cut", *cut_everywhere(world, args["tears"]))
