"""A process that outlives the demo by a moment: when the demo is gone, however it went, its children go too.

Reads "+PID" and "-PID" lines; the end of its input is the end of the demo.
"""

import contextlib
import os
import signal
import subprocess
import sys


class Watch:
    """The demo's end of it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pole.demo.watch"], stdin=subprocess.PIPE, start_new_session=True
        )

    def add(self, pid: int) -> None:
        """This process, and the group that it leads, must not outlive the demo."""
        self._say(f"+{pid}\n")

    def remove(self, pid: int) -> None:
        """It has ended."""
        self._say(f"-{pid}\n")

    def close(self) -> None:
        """Whoever is still there goes now."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def watch() -> None:
    pids: set[int] = set()
    for line in sys.stdin:
        (pids.add if line[0] == "+" else pids.discard)(int(line[1:]))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    watch()
