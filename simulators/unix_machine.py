"""`machine` for a controller that is a process of MicroPython's unix port, which has no timer, no reset and no ROMFS.

It stands as machine.py beside main.py. The time is measured by the kernel: whatever the program does, SIGALRM ends it;
alarm() would be the watchdog's. A file rom.img there is mounted at /rom.
"""

import struct

import ffi  # type: ignore[import-not-found]

_libc = ffi.open(None)


def _mount_rom():
    # as firmware with ROMFS does it: flash that is mapped into memory, and lies outside the heap
    import os

    import uctypes  # type: ignore[import-not-found]
    import vfs  # type: ignore[import-not-found]

    image = __file__.rpartition("/")[0] + "/rom.img"
    try:
        size = os.stat(image)[6]
    except OSError:
        return
    file = _libc.func("i", "open", "si")(image, 0)
    flash = _libc.func("p", "mmap", "pLiiil")(None, size, 1, 2, file, 0)
    vfs.mount(vfs.VfsRom(uctypes.bytearray_at(flash, size)), "/rom")


_mount_rom()
del _mount_rom
_create = _libc.func("i", "timer_create", "iPp")
_settime = _libc.func("i", "timer_settime", "PiPP")
_exit = _libc.func("v", "_exit", "i")


def reset():
    _exit(3)


class Timer:
    def __init__(self, id):
        if id < 0:
            raise ValueError("invalid Timer number")  # as on an ESP32
        timer = bytearray(8)
        assert _create(1, None, timer) == 0  # CLOCK_MONOTONIC
        self._id = struct.unpack("P", timer)[0]

    def init(self, *, mode, period, callback):
        assert mode == 0
        self._set(period)

    def deinit(self):
        self._set(0)

    def _set(self, ms):
        assert _settime(self._id, 0, struct.pack("llll", 0, 0, ms // 1000, ms % 1000 * 1000000), None) == 0
