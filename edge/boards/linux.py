"""A Linux controller, on CPython."""

import os
import termios
import time
import tty


def _ticks() -> int:
    return time.monotonic_ns() // 1_000_000


def _since(later: int, earlier: int) -> int:
    return later - earlier


class Uart:
    def __init__(self, config):
        self._path = config["port"]
        self._file = -1

    def _open(self):
        self._file = file = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(file)
        mode = termios.tcgetattr(file)
        mode[6][termios.VMIN] = mode[6][termios.VTIME] = 0
        termios.tcsetattr(file, termios.TCSANOW, mode)
        return file

    def _do(self, function, data):
        try:
            return function(self._file if self._file >= 0 else self._open(), data)
        except BlockingIOError:
            return 0
        except OSError:  # an adapter that was pulled out, or the other end of a pty; there may be a new one
            if self._file >= 0:
                os.close(self._file)
            self._file = -1
            return 0

    def write(self, data):
        self._do(os.write, data)

    def read_into(self, buffer):
        return self._do(os.readv, [buffer])

    def clear(self):
        while self._do(os.read, 64):
            pass
