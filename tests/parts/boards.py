"""A controller on a serial port: the real MicroPython, with a raw REPL and LittleFS2, behind a pseudo-terminal."""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

from tests.parts.servers import missing, program

ROOT = Path(__file__).resolve().parents[2]
RAW_REPL = Path(__file__).with_name("raw_repl.py")
# A board that is reset starts again, one whose cable was pulled (7) does not; bounded. Ctrl-C ends neither the shell
# nor a board that is starting.
LOOP = "trap : INT\nfor _ in $(seq 50); do stty -isig; {command}; [ $? = 7 ] && exit; done 2>/dev/null\n"


class Board:
    """`port` is what mpremote opens. The flash is one file: it stays when the board is unplugged or reset."""

    def __init__(self, *, folder, interpreter="micropython32", heap="110K", kilobytes=1024):
        self.port = str(folder / "ttyBoard")
        self.flash = folder / "flash.img"
        self._script = folder / "board.sh"
        tool = ROOT / ".tools" / interpreter
        if not tool.exists():
            missing(f".tools/{interpreter} is not there; `make test` fetches it")
        command = shlex.join([str(tool), "-X", f"heapsize={heap}", str(RAW_REPL), str(self.flash), str(kilobytes)])
        self._script.write_text(f"#!/bin/sh\n{LOOP.format(command=command)}")
        self._script.chmod(0o700)
        self._process = None

    def plug(self):
        self._process = subprocess.Popen(
            [program("socat"), f"PTY,rawer,link={self.port}", f"EXEC:{self._script},pty,rawer,setsid,ctty"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while not os.path.exists(self.port):
            assert time.monotonic() < deadline, "socat gave no pseudo-terminal"
            time.sleep(0.01)

    def unplug(self):
        """The cable is pulled: the port is gone in the middle of whatever it carried."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
        Path(self.port).unlink(missing_ok=True)

    def __enter__(self):
        self.plug()
        return self

    def __exit__(self, *_):
        self.unplug()
