"""A MicroPython board on a serial port, through mpremote's transport: questions, files, and what it prints.

Every wait is bounded. What goes wrong on the line becomes a FlashError that says what to look at.
"""

import ast
import base64
import binascii
import contextlib
import errno
import fcntl
import io
import os
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import serial
from mpremote.transport import TransportError, TransportExecError  # type: ignore[import-untyped]
from mpremote.transport_serial import SerialTransport  # type: ignore[import-untyped]

from pole.flash import ControllerError, FlashError

CHUNK = 1536  # bytes of a file in one command: base64 makes 2048 of them, which a heap of 48 kB has room for
ANSWER_S = 20.0
RESTART_S = 30.0  # from reset to prompt: a board that mounts a large file system, and USB that comes up again
WRITE_S = 10.0
ERASE_S = 60.0

# What the board runs. Files are hashed there, and one that is half written has another name.
HELPERS = """
import os, hashlib, binascii, gc
def _hash(name):
    total, buffer = hashlib.sha256(), bytearray(512)
    try:
        with open(name, 'rb') as file:
            while n := file.readinto(buffer):
                total.update(memoryview(buffer)[:n])
    except OSError:
        return ''
    return binascii.hexlify(total.digest()).decode()
def _hashes(names):
    for name in names:
        print(name, _hash(name))
def _list(folder):
    try:
        for entry in os.ilistdir(folder):
            name = folder + '/' + entry[0]
            if entry[1] & 0x4000:
                _list(name)
            else:
                print(name)
    except OSError:
        pass
def _erase(folder, kept):
    for entry in os.ilistdir(folder):
        name = folder + '/' + entry[0]
        if name in kept:
            continue
        if entry[1] & 0x4000:
            _erase(name, kept)
            os.rmdir(name)
        else:
            os.remove(name)
def _folders(name):
    for at in range(1, len(name)):
        if name[at] == '/':
            try:
                os.mkdir(name[:at])
            except OSError as error:
                if error.errno != 17:
                    raise
"""


class Repl:
    """`port` in the raw REPL. Names of files are without the leading slash."""

    def __init__(self, *, port: str) -> None:
        self.port = port
        self._transport: Any = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def open(self, patience: float = ANSWER_S, *, returns: bool = False) -> None:
        """Interrupts what runs on the board and waits for its prompt.

        returns: the port may be away for a while, as that of a board with USB of its own is after a reset.
        """
        deadline = time.monotonic() + patience
        while True:
            try:
                if self._transport is None:
                    self._connect()
                self._greet()
                return
            except FlashError:
                is_refused = self._transport is None
                if returns:
                    self.close()
                if (is_refused and not returns) or time.monotonic() > deadline:
                    self.close()
                    raise
            time.sleep(0.2)

    def _connect(self) -> None:
        try:
            with _silence():
                self._transport = SerialTransport(self.port, timeout=1)
        except (TransportError, OSError):
            raise _refusal(self.port) from None
        self._transport.serial.write_timeout = WRITE_S

    def _greet(self) -> None:
        with self._told("no MicroPython prompt came"), _silence():  # it prints what it did not understand
            self._transport.enter_raw_repl(soft_reset=False, timeout_overall=1)
            self._transport.exec(HELPERS)

    def close(self) -> None:
        if self._transport is not None:
            with contextlib.suppress(Exception):
                self._transport.close()
            self._transport = None

    def restart(self) -> None:
        """Resets the board as its button does, and waits for its prompt."""
        self.start()
        self.await_restart()

    def await_restart(self) -> None:
        """Waits for the prompt of a board that was reset."""
        time.sleep(0.5)  # until the old port is gone
        self.open(RESTART_S, returns=True)

    def start(self) -> None:
        """Resets the board, so that what it holds runs, and lets it go."""
        self._leave("import machine\nmachine.reset()")

    def _leave(self, last: str) -> None:
        with self._told("the reset"):
            self._transport.exec_raw_no_follow(last)
            time.sleep(0.3)  # the port takes it along before it is closed
        self.close()

    def ask(self, expression: str, *, imports: str = "") -> Any:
        """Value of an expression: what ast.literal_eval reads."""
        if imports:
            self.run(f"import {imports}")
        return ast.literal_eval(self.run(f"print(repr({expression}))").strip())

    def run(self, code: str, *, patience: float = ANSWER_S) -> str:
        """What the code prints. Raises ControllerError for what it raises."""
        heard, end = bytearray(), time.monotonic() + patience

        def consume(data: bytes) -> None:
            if time.monotonic() > end:  # mpremote only bounds the time between two bytes
                raise TransportError("it did not end")
            heard.extend(data.replace(b"\x04", b""))

        with self._told("a command"):
            _, failed = self._transport.exec_raw(code, timeout=patience, data_consumer=consume)
        if failed:
            raise _raised(failed.decode(errors="replace").strip())
        return heard.decode(errors="replace")

    def hashes(self, names: Iterable[str]) -> dict[str, str]:
        """SHA-256 in hexadecimal digits of the files that are there."""
        found: dict[str, str] = {}
        wanted = list(names)
        for start in range(0, len(wanted), 16):
            for row in self.run(f"_hashes({wanted[start : start + 16]!r})").splitlines():
                name, _, value = row.rpartition(" ")
                found[name] = value
        return {name: value for name, value in found.items() if value}

    def files(self, folder: str) -> set[str]:
        """Every file under a folder; of the root with ''."""
        return {row.strip().lstrip("/") for row in self.run(f"_list({folder!r})").splitlines()}

    def write(self, name: str, data: bytes, *, private: bool = False) -> None:
        """The whole file or none: it gets its name when it is complete. A board knows no private files."""
        new = f"{name}.new"
        pieces = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)] or [b""]
        for number, piece in enumerate(pieces):
            code = f"_ = f.write(binascii.a2b_base64('{base64.b64encode(piece).decode()}'))"
            if number == 0:
                code = f"_folders({name!r})\nf = open({new!r}, 'wb')\n{code}"
            if number == len(pieces) - 1:  # a small file is one command: each costs a way there and back
                code = f"{code}\nf.close()\nos.rename({new!r}, {name!r})\ngc.collect()"
            self.run(code)

    def remove(self, name: str) -> None:
        """Nothing happens when it is not there."""
        self.run(f"try:\n os.remove({name!r})\nexcept OSError as error:\n if error.errno != 2: raise")

    def read(self, name: str) -> bytes | None:
        """A small file; None when it is not there."""
        if not self.hashes([name]):
            return None
        digits = self.run(f"with open({name!r}, 'rb') as f: print(binascii.hexlify(f.read()).decode())")
        return binascii.unhexlify(digits.strip())

    def erase(self) -> None:
        """Removes every file of the controller's own file system, and of no other (a card)."""
        self.run("import vfs\n_erase('', [place for _, place in vfs.mount()])", patience=ERASE_S)

    def boot_loader(self) -> None:
        """An RP2040 becomes a drive that takes firmware."""
        self._leave("import machine\nmachine.bootloader()")

    def room(self) -> int:
        """Bytes that are free."""
        block, _, _, free = self.ask("os.statvfs('/')[:4]")
        return int(block * free)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        if self._transport is None:
            raise FlashError(f"{self.port} is not open.", "Run again.")
        try:
            yield
        except TransportExecError as error:
            raise _raised(error.error_output) from None
        except (TransportError, struct.error, ValueError) as error:
            raise FlashError(
                f"{self.port}: the controller stopped answering ({what}: {error}).",
                "Press its reset button and run again. If it never answers, it may have no MicroPython: name a "
                "file with --firmware.",
            ) from None
        except (serial.SerialException, OSError) as error:
            raise FlashError(
                f"{self.port}: the connection broke ({error}).",
                "Check cable and plug, then run again: what was written already is kept.",
            ) from None


def _raised(text: str) -> ControllerError:
    last = text.splitlines()[-1] if text else "an error without words"
    if "ENOSPC" in last or last.startswith("OSError: 28"):
        return ControllerError(
            "The controller's file system is full.",
            "Run again with --erase to empty it (readings that are not stored yet are lost), or take a board "
            "with more flash.",
        )
    if last.startswith("MemoryError"):
        return ControllerError(
            f"The controller has too little memory: {last}",
            "Unplug it, plug it in, and run again. If it stays so, its firmware leaves too little: docs/flash.md.",
        )
    return ControllerError(
        f"The controller refused a command: {last}", "Run again with --force; if it stays so, with --erase."
    )


def ports() -> list[str]:
    """Serial ports with an adapter or a board behind them, by their lasting names."""
    folder = Path("/dev/serial/by-id")
    if folder.is_dir():
        return sorted(map(str, folder.iterdir()))
    from serial.tools import list_ports

    return sorted(port.device for port in list_ports.comports() if port.vid is not None)


def _refusal(port: str) -> FlashError:
    """Why a port cannot be opened."""
    there = ", ".join(ports()) or "none"
    try:
        file = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.EACCES:
            return FlashError(
                f"--port {port} may not be opened by this user.",
                "Add the user to the group that owns it (sudo usermod -aG dialout $USER) and log in again.",
            )
        if error.errno == errno.EBUSY:
            return _busy(port)
        return FlashError(
            f"--port {port}: there is no such port ({error.strerror}).",
            f"Plug the controller in, with a cable that carries data. Ports that are there: {there}.",
        )
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return _busy(port)
    finally:
        os.close(file)
    return FlashError(f"--port {port} is no serial port.", f"Ports that are there: {there}.")


def _busy(port: str) -> FlashError:
    return FlashError(
        f"--port {port} is in use by another program{_holder(port)}.",
        "Stop it (a gateway, a terminal, another `pole flash`), then run again.",
    )


def _holder(port: str) -> str:
    """The processes that have it open, where this user may see them."""
    wanted, found = os.path.realpath(port), set()
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            pid = entry.parts[2]
            if os.readlink(entry) == wanted and int(pid) != os.getpid():
                found.add(f"{(Path('/proc') / pid / 'comm').read_text().strip()}, process {pid}")
    return f": {'; '.join(sorted(found))}" if found else ""


def _silence() -> contextlib.redirect_stdout[io.StringIO]:
    """mpremote prints what it did not understand."""
    return contextlib.redirect_stdout(io.StringIO())
