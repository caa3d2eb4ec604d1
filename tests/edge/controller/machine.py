"""Stands beside main.py on a controller that is a process of MicroPython's unix port, which has no timer and no reset.

The time is measured by the kernel: whatever the program does, SIGALRM ends it. alarm() would be the watchdog's.
"""

import struct

import ffi

_libc = ffi.open(None)
_create = _libc.func("i", "timer_create", "iPp")
_settime = _libc.func("i", "timer_settime", "PiPP")
_exit = _libc.func("v", "_exit", "i")


def reset():
    _exit(3)


class Timer:
    def __init__(self, id):
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
