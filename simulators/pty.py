"""A serial port that is not there: a pty behind a name that stays, and what is written to it."""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

_READ = 4096


class Pty:
    """heard() gets what somebody writes to the port at `path`, a symbolic link."""

    def __init__(self, *, path: Path, heard: Callable[[bytes], None]) -> None:
        self.path = path
        self._heard = heard
        self._ends: tuple[int, int] | None = None

    def restore(self) -> None:
        """The port is there: opens the pty and sets the link. Needs a running loop."""
        if self._ends is not None:
            return
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._ends = master, slave
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(slave))
        asyncio.get_running_loop().add_reader(master, self._readable)

    def vanish(self) -> None:
        """The adapter is pulled out: the name is gone, and whoever has it open gets an error."""
        if self._ends is None:
            return
        asyncio.get_running_loop().remove_reader(self._ends[0])
        for end in self._ends:
            os.close(end)
        self._ends = None
        self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """What nobody reads is lost, as on a wire; so is what is written while the port is not there."""
        if self._ends is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._ends[0], data)

    async def __aenter__(self) -> Self:
        self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()

    def _readable(self) -> None:
        assert self._ends is not None
        with contextlib.suppress(BlockingIOError):
            self._heard(os.read(self._ends[0], _READ))
