"""The power goes at every write and erasure while a file is saved: the old one or the new one is there, whole."""

from ram_disk import RamDisk, Sweep

from edge import disk

PATH = "/settings"


class Settings:
    """saved: what the last save() that returned was told; saving: what one was told that has not returned."""

    def __init__(self, block, progsize):
        self.saved = self.saving = None
        self.disk = RamDisk(block, 40, progsize).format()
        self.disk.mount("/live")
        self.sweep = Sweep(self.disk, self.look)

    def save(self, data):
        self.saving = data
        self.sweep.step(lambda: disk.save("/live" + PATH, data))
        self.saved, self.saving = data, None

    def look(self, _):
        data = disk.load("/cut" + PATH)
        assert data == self.saved or (data == self.saving and data is not None)
        disk.save("/cut" + PATH, b"after")
        assert disk.load("/cut" + PATH) == b"after"


def test_every_cut(args):
    settings = Settings(args["block"], args["progsize"])
    for turn in range(args["turns"]):
        # inside the folder's block, a block of its own, several
        settings.save(bytes((65 + turn % 26,)) * (1, 20, 90, 300, 1500)[turn % 5])
    print("%d cuts, %d disks" % (settings.sweep.cuts, settings.sweep.disks))
