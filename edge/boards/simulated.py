"""A board without hardware, for tests and the demo, on CPython and on MicroPython's unix port.

A UART is a pty: its config names the path, its baud rate means nothing. A pin is a file `pins/<name>` in the folder:
inputs and ADCs (microvolts) are read from it, outputs and PWMs (permille) written to it, and a missing file is 0.
An I2C device is `pins/<bus>-<address>` (address: two hexadecimal digits): what it answers, as hexadecimal digits; what
it was last sent is in the same name with `.sent`. A missing file is a device that does not answer.

`config["clock"] == "unset"`: the time is unknown until it is set. `config["watchdog"]`: milliseconds, default 8000.
Whoever starts the process plays the hardware: reset() ends it with code 3, a watchdog that was not fed with SIGALRM;
it is then started anew, after `watchdog` was written into the file `reset` in the second case. reset() itself writes
`software` there, and without the file the cause is `power`.
"""

import gc
import os
import sys
import time

if sys.implementation.name == "micropython":
    import termios

    import ffi  # type: ignore[import-not-found]

    _libc = ffi.open(None)
    _alarm = _libc.func("I", "alarm", "I")
    _exit = _libc.func("v", "_exit", "i")
    _ticks = time.ticks_ms  # type: ignore[attr-defined]
    _since = time.ticks_diff  # type: ignore[attr-defined]

    class Uart:
        def __init__(self, config: dict) -> None:
            self._path = config["port"]
            self._file = None

        def _open(self):
            self._file = file = open(self._path, "r+b")
            termios.setraw(file.fileno())  # type: ignore[attr-defined]
            mode = termios.tcgetattr(file.fileno())
            mode[6][5:7] = [0, 0]  # VTIME, VMIN: a read returns at once
            termios.tcsetattr(file.fileno(), 0, mode)
            # F_SETFL, O_NONBLOCK: a write to a pty that nobody reads blocks
            _libc.func("i", "fcntl", "iii")(file.fileno(), 4, 0x800)
            return file

        def _do(self, name: str, buffer: bytearray) -> int:
            try:
                return getattr(self._file or self._open(), name)(buffer) or 0
            except OSError:  # the other end of the pty went; there may be a new one
                if self._file:
                    self._file.close()
                self._file = None
                return 0

        def write(self, data: bytes) -> None:
            self._do("write", data)

        def read_into(self, buffer: bytearray) -> int:
            return self._do("readinto", buffer)

        def clear(self) -> None:
            while self._do("readinto", bytearray(64)):
                pass

else:
    from signal import alarm as _alarm

    from edge.boards.linux import Uart

    _exit = os._exit

    def _ticks() -> int:
        return time.monotonic_ns() // 1_000_000

    def _since(later: int, earlier: int) -> int:
        return later - earlier


class I2c:
    def __init__(self, path: str) -> None:
        self._path = path

    def writeto(self, address: int, data: bytes) -> None:
        path = "%s-%02x" % (self._path, address)
        os.stat(path)
        _writer(path + ".sent", 0)("".join(["%02x" % byte for byte in data]))

    def readfrom_into(self, address: int, buffer: bytearray) -> None:
        with open("%s-%02x" % (self._path, address)) as file:
            text = file.read()
        for i in range(len(buffer)):
            buffer[i] = int(text[2 * i : 2 * i + 2].strip() or "ff", 16)  # nobody pulls the line down


class Board:
    name = "simulated"

    def __init__(self, config: dict, folder: str) -> None:
        self.folder = folder
        self._config = config
        self._ticks = _ticks()
        self._ms = 0
        self._offset = None if config.get("clock") == "unset" else time.time_ns() // 1_000_000
        self._cause = _read(folder + "/reset", "power")
        for do, name in ((os.remove, "/reset"), (os.mkdir, "/pins")):
            try:
                do(folder + name)
            except OSError:
                pass

    def ms(self) -> int:
        """Not from an interrupt: it counts on."""
        ticks = _ticks()
        self._ms += _since(ticks, self._ticks)
        self._ticks = ticks
        return self._ms

    def utc_ms(self) -> int | None:
        return None if self._offset is None else self._offset + self.ms()

    def set_utc_ms(self, ms: int) -> None:
        self._offset = ms - self.ms()

    def uart(self, name: str) -> Uart:
        return Uart(self._config["uarts"][name])

    def _pin(self, name, make, invert):
        return make(self.folder + "/pins/" + name, 1 if invert and self._config["pins"][name].get("invert") else 0)

    def input(self, name: str):
        return self._pin(name, _reader, True)

    def on_change(self, name: str, function) -> None:
        pass

    def output(self, name: str):
        return self._pin(name, _writer, True)

    def pwm(self, name: str):
        return self._pin(name, _writer, False)

    def adc(self, name: str):
        return self._pin(name, _reader, False)

    def i2c(self, name: str) -> I2c:
        return I2c(self.folder + "/pins/" + name)

    def watchdog(self):
        seconds = (self._config.get("watchdog", 8000) + 999) // 1000
        return lambda: _alarm(seconds)

    def reset(self) -> None:
        _writer(self.folder + "/reset", 0)("software")
        _exit(3)

    def reset_cause(self) -> str:
        return self._cause

    def memory_free(self) -> int:
        return gc.mem_free() if hasattr(gc, "mem_free") else 0

    async def network(self) -> bool:
        return True


def _read(path: str, missing: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip() or missing
    except OSError:
        return missing


def _reader(path, invert):
    return lambda: int(_read(path, "0")) ^ invert


def _writer(path, invert):
    def write(value):
        with open(path, "w") as file:
            file.write(str(value ^ invert if invert else value))

    return write
