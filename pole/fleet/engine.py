"""The emulator of the nodes as a process: what it says on its output, line by line.

EngineFailed
"""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from pole.demo.watch import Watch

COMMAND = (sys.executable, "-m", "simulators.fleet")
LONGEST_LINE = 1 << 24  # bytes: a line carries the map
LAST_LINES = 5


class EngineFailed(Exception):
    """It ended without its last line; the message has the end of its log."""


class Engine:
    """One run of it. order: its file. `said` is its newest line, `end` its last one."""

    name = "emulator"

    def __init__(self, *, order: Path, log: Path, watch: Watch, command: Sequence[str] = COMMAND) -> None:
        self.said: dict[str, Any] = {}
        self.end: dict[str, Any] | None = None
        self._command = [*command, str(order)]
        self._log = log
        self._watch = watch
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.running else None

    async def start(self) -> None:
        """Returns at once."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log,
                start_new_session=True, limit=LONGEST_LINE,
            )  # fmt: skip
        self._watch.add(self._process.pid)

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """Each line that it says, until it has ended. Raises EngineFailed when the last one is not there."""
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.said = json.loads(line)
            if self.said["kind"] == "end":
                self.end = self.said
            yield self.said
        code = await self._process.wait()
        self._watch.remove(self._process.pid)
        if self.end is None or code:
            raise EngineFailed(f"the emulator ended with {code}. The end of {self._log}:\n{end_of(self._log)}")

    def stop(self) -> None:
        """Tells it to end the world and to hand over what is under way; its last line says when that is done."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def end_of(log: Path) -> str:
    """What a part said last."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])
