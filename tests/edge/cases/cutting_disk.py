"""A flash in RAM for LittleFS2 whose power goes in the middle of the operation that one chooses. MicroPython only."""

import vfs

EIO = 5
TEARS = ("nothing of it", "half of it", "half of it and then rubbish")


class Disk:
    """data: a bytearray, which outlives the disk. block: bytes of a block. cut: the operation in which the power goes.

    tear: which of TEARS is then done. A disk stays dead: what still holds a file of it harms no later one.
    """

    def __init__(self, data, block, cut=-1, tear=0):
        self.data = data
        self._block = block
        self.operations = 0
        self.dead = False
        self._cut = cut
        self._tear = tear

    def format(self):
        vfs.VfsLfs2.mkfs(self, readsize=32, progsize=32, lookahead=32)

    def mount(self, path):
        vfs.mount(vfs.VfsLfs2(self, readsize=32, progsize=32, lookahead=32), path)

    def readblocks(self, number, buffer, offset=0):
        if self.dead:
            return -EIO
        start = number * self._block + offset
        buffer[:] = memoryview(self.data)[start : start + len(buffer)]
        return 0

    def writeblocks(self, number, buffer, offset=0):
        return self._change(number * self._block + offset, buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.data) // self._block
        if operation == 5:
            return self._block
        if operation == 6:
            return self._change(argument * self._block, b"\xff" * self._block)
        return 0

    def _change(self, start, content):
        # errors are returned: an exception would leave LittleFS in the middle of what it does, and the next close there
        if self.dead:
            return -EIO
        self.operations += 1
        if self.operations <= self._cut or self._cut < 0:
            self.data[start : start + len(content)] = content
            return 0
        self.dead = True
        half = len(content) // 2 if self._tear else 0
        self.data[start : start + half] = memoryview(content)[:half]
        if self._tear == 2:
            for at in range(start + half, start + len(content)):
                self.data[at] ^= (at * 37 + 11) & 0xFF
        return -EIO
