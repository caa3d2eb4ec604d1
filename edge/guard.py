"""The boot guard: `main.py` at the root of a controller. It starts the agent in slot a/ or b/, and goes back when it fails.

Never updated over the air: releases to come rely on what stands here without a leading underscore, and it on their
`edge.main.main(guard)`. That main returns or raises counts as a failure, but for SystemExit and KeyboardInterrupt.
"""  # noqa: E501

import binascii
import os
import sys
import time

try:
    import machine  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # CPython
    machine = None

TRIES = 3
UNIT_S = 5  # of a trial
LOST = 120  # units, of a trial because the file `slot` was lost
PAUSE_S = 2  # before a reset, so that somebody with a cable can interrupt it


class Guard:
    """root: the controller's folder, with a / at its end.

    state: the active slot (a or b), units of its trial (0: it is settled), tries left (settled: failures in a row),
    1 when the other slot has failed.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._calm = _alarm(0)
        self.state = bytearray(b"a\0\0\0")
        for name in ("slot", "slot.new"):
            data = _read(root + name)
            if len(data) == 12 and data[4:] == b"%08x" % binascii.crc32(data[:4]):
                self.state[:] = data[:4]
                return
        # whichever slot is whole; where both are, nobody knows which one worked, and each has to prove itself
        if self.version(root + "b"):
            self.state[:] = bytes((97, LOST, TRIES, 0)) if self.version(root + "a") else b"b\0\0\0"

    def slot(self, other: bool = False) -> str:
        """Folder of the slot that runs, or of the other one."""
        return self.root + chr(195 - self.state[0] if other else self.state[0])

    def version(self, slot: str) -> str:
        """What stands whole in a slot; empty: nothing."""
        try:
            return str(_read(slot + "/version"), "utf-8")
        except ValueError:  # rotten
            return ""

    def confirm(self) -> None:
        """The agent has had a session with the broker, and has read a sensor."""
        if self._calm:
            self._calm()
            self._calm = None
        if self.state[1] or self.state[2]:
            self.save(1, 0, 0)

    def save(self, at: int, *values: int) -> bool:
        """Sets the state from index `at` on. False where the disk does not take it: then it stays as it was."""
        state = self.state[:]
        for value in values:
            state[at] = value
            at += 1
        if not self.write("slot", state + b"%08x" % binascii.crc32(state)):
            return False
        self.state = state
        return True

    def run(self) -> None:
        """Starts the slot. Returns when it failed: then the controller has to be reset."""
        active, trial, count, _ = self.state
        if trial:
            if count and self.save(2, count - 1):
                self._calm = _alarm(trial * UNIT_S)
            elif not self.save(0, 195 - active, 0, 0, 1):
                self.state[:] = bytes(
                    (195 - active, 0, 0, 1)
                )  # a disk that takes nothing must not keep it from a start
        # firmware with ROMFS runs the same code in place: it then takes a third less of the heap
        rom = self.version("/rom")
        sys.path.insert(0, "/rom" if rom and rom == self.version(self.slot()) else self.slot())
        why = "main returned"
        try:
            from edge.main import main

            main(self)
        except Exception as error:
            why = repr(error)[:200]
        print(self.slot(), why)
        active, trial, count, _ = self.state
        if not trial:
            count += 1
            if count < TRIES:
                self.save(2, count)
            elif self.version(self.slot(True)):
                self.save(0, 195 - active, LOST, TRIES, 1)
            else:
                return  # it fails for ever, without wear of the flash
        self.write("crash", why.encode())

    def write(self, name: str, data) -> bool:
        """A file below the root, whole or as it was. False where the disk does not take it."""
        name = self.root + name
        try:
            with open(name + ".new", "wb") as file:
                file.write(data)
                file.flush()
                if machine is None:
                    os.fsync(file.fileno())
            os.rename(name + ".new", name)
            return True
        except OSError:
            return False


def _alarm(seconds: int):
    """Resets the controller after so many seconds, whatever the slot does. What is returned prevents it when called."""
    if not seconds:
        return None
    if machine:
        for number in (-1, 0):  # the RP2040 has no 0, the ESP32 no -1 (MicroPython 1.25 and 1.26)
            try:
                timer = machine.Timer(number)
                timer.init(mode=0, period=seconds * 1000, callback=lambda _: machine.reset())
                return timer.deinit
            except ValueError:
                pass
        return None  # the tries are still counted
    from threading import Timer

    thread = Timer(seconds, os._exit, (1,))
    thread.daemon = True
    thread.start()
    return thread.cancel


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(64)
    except OSError:
        return b""


if __name__ == "__main__":
    if machine is None:
        sys.dont_write_bytecode = True  # half a .pyc after a power cut would keep a slot from starting
    _guard = Guard(__file__.rpartition("/")[0] + "/")
    _guard.run()
    time.sleep(PAUSE_S)
    # for Board.reset_cause(): this reset was meant
    if not hasattr(machine, "RTC"):
        _guard.write("reset", b"software")
    elif hasattr(machine.RTC, "memory"):
        machine.RTC().memory(b"end")
    if machine is None:
        sys.exit(1)  # systemd starts it again
    machine.reset()
