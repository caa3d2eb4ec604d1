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
from binascii import hexlify, unhexlify

if sys.implementation.name == "micropython":
    import termios

    import ffi  # type: ignore[import-not-found]

    _libc = ffi.open(None)
    _alarm = _libc.func("I", "alarm", "I")
    _exit = _libc.func("v", "_exit", "i")
    _ticks = time.ticks_ms  # type: ignore[attr-defined]
    _since = time.ticks_diff  # type: ignore[attr-defined]

    class Uart:
        def __init__(self, config):
            self._path = config["port"]
            self._file = None

        def _do(self, write, data):
            try:
                file = self._file
                if not file:
                    self._file = file = open(self._path, "r+b")
                    number = file.fileno()
                    termios.setraw(number)  # type: ignore[attr-defined]
                    mode = termios.tcgetattr(number)
                    mode[6][5:7] = [0, 0]  # VTIME, VMIN: a read returns at once
                    termios.tcsetattr(number, 0, mode)
                    # F_SETFL, O_NONBLOCK: a write to a pty that nobody reads blocks
                    _libc.func("i", "fcntl", "iii")(number, 4, 0x800)
                return (file.write if write else file.readinto)(data) or 0
            except OSError:  # the other end of the pty went; there may be a new one
                if self._file:
                    self._file.close()
                self._file = None
                return 0

        def write(self, data: bytes) -> None:
            self._do(1, data)

        def read_into(self, buffer):
            return self._do(0, buffer)

        def clear(self) -> None:
            while self._do(0, bytearray(64)):
                pass

else:
    from os import _exit
    from signal import alarm as _alarm

    from edge.boards.linux import Uart, _since, _ticks  # type: ignore[assignment]


class I2c:
    def __init__(self, path: str) -> None:
        self._path = path

    def writeto(self, address: int, data: bytes) -> None:
        path = "%s-%02x" % (self._path, address)
        os.stat(path)
        _write(path + ".sent", hexlify(data).decode())

    def readfrom_into(self, address: int, buffer) -> None:
        with open("%s-%02x" % (self._path, address)) as file:
            data = unhexlify(file.read().strip())
        buffer[:] = (data + b"\xff" * len(buffer))[: len(buffer)]  # nobody pulls the line down


class Board:
    name = "simulated"

    def __init__(self, config: dict, folder: str) -> None:
        self.folder = folder
        self._config = config
        self._ticks = _ticks()
        self._ms = 0
        self._offset = None if config.get("clock") == "unset" else time.time_ns() // 1_000_000
        self._cause = _read(folder + "/reset") or "power"
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
        return Uart({"port": self._config["uarts"][name]["port"]})

    def _pin(self, name: str):
        pin = self._config.get("pins", {}).get(name)
        return self.folder + "/pins/" + name, 1 if pin and pin.get("invert") else 0

    def input(self, name: str):
        path, invert = self._pin(name)
        return lambda: int(_read(path) or 0) ^ invert

    adc = input

    def on_change(self, name: str, function) -> None:
        pass

    def output(self, name: str):
        path, invert = self._pin(name)
        return lambda value: _write(path, str(value ^ invert))

    pwm = output

    def i2c(self, name: str) -> I2c:
        return I2c(self.folder + "/pins/" + name)

    def watchdog(self):
        seconds = (self._config.get("watchdog", 8000) + 999) // 1000
        return lambda: _alarm(seconds)

    def reset(self) -> None:
        _write(self.folder + "/reset", "software")
        _exit(3)

    def reset_cause(self) -> str:
        return self._cause

    def memory_free(self) -> int:
        return getattr(gc, "mem_free", int)()

    async def network(self) -> bool:
        return True


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
