"""A flash in RAM for LittleFS2, whose power goes at any of its operations. MicroPython only.

A step is run once, and its operations are recorded. Then, for each of them and each way to tear it, a second disk is
brought to where the power would have left the first one, and looked at.
"""

import vfs

PREFIXES = ("nothing", "one byte", "half", "all but one byte", "half, then rubbish")


class RamDisk:
    """programmed: bytes; erased: blocks; both since the disk was made."""

    def __init__(self, block, blocks, progsize=32):
        self.block = block
        self.data = bytearray(block * blocks)
        self.programmed = self.erased = 0
        self.log = None  # offset and new content of each operation
        self.undo = None  # offset and old content
        self._progsize = progsize

    def format(self):
        vfs.VfsLfs2.mkfs(self, progsize=self._progsize)
        return self

    def mount(self, path):
        vfs.mount(vfs.VfsLfs2(self, progsize=self._progsize), path)

    def readblocks(self, number, buffer, offset=0):
        start = number * self.block + offset
        buffer[:] = memoryview(self.data)[start : start + len(buffer)]

    def writeblocks(self, number, buffer, offset=0):
        self.programmed += len(buffer)
        self.change(number * self.block + offset, bytes(buffer))

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.data) // self.block
        if operation == 5:
            return self.block
        if operation == 6:
            self.erased += 1
            self.change(argument * self.block, b"\xff" * self.block)
        return 0

    def change(self, start, content):
        if self.log is not None:
            self.log.append((start, content))
        if self.undo is not None:
            self.undo.append((start, bytes(memoryview(self.data)[start : start + len(content)])))
        self.data[start : start + len(content)] = content

    def tear(self, start, content, prefix):
        """What is done of a change when the power goes: one of PREFIXES."""
        size = (0, 1, len(content) // 2, len(content) - 1, len(content) // 2)[prefix]
        rest = bytearray(memoryview(self.data)[start + size : start + len(content)])
        if prefix == 4:
            for at in range(len(rest)):
                rest[at] ^= (at * 37 + 11) & 0xFF
        self.change(start, content[:size] + rest)

    def roll_back(self):
        while self.undo:
            start, content = self.undo.pop()
            self.data[start : start + len(content)] = content


class Sweep:
    """look(disk) is called for each disk that a cut may leave, mounted at path. cuts: operations; disks: looked at.

    every: which one of the cuts is tried.
    """

    def __init__(self, disk, look, every=1, path="/cut"):
        self.disk = disk
        self.cuts = self.disks = 0
        self._path = path
        self._look = look
        self._every = every
        self._image = RamDisk(disk.block, len(disk.data) // disk.block)
        self._image.data[:] = disk.data

    def step(self, do):
        """Does it, and then tries every cut of it. Returns what it returns."""
        self.disk.log = log = []
        result = do()
        self.disk.log = None
        while log:
            start, content = log.pop(0)
            self.cuts += 1
            if self.cuts % self._every == 0:
                for prefix in range(len(PREFIXES)):
                    self._try(start, content, prefix, len(log))
            self._image.change(start, content)
        return result

    def _try(self, start, content, prefix, left):
        image = self._image
        image.undo = []
        image.tear(start, content, prefix)
        image.mount(self._path)
        try:
            self._look(image)
        except Exception:
            print("cut", self.cuts, "with", left, "operations of the step to come:", PREFIXES[prefix])
            raise
        finally:
            vfs.umount(self._path)
        image.roll_back()
        image.undo = None
        self.disks += 1
