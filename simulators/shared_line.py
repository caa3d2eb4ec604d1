"""A two-wire line with several ends, each a pty: what one sends, all others hear, as slowly as the wire would be."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from simulators.pty import Pty

PORTION = 16  # characters that an adapter delivers together


class SharedLine:
    """carried: bytes. noise(data): the pieces that arrive of it; baud: 0 for at once. Nobody runs into anybody."""

    def __init__(
        self,
        *,
        folder: Path,
        ends: Sequence[str],
        baud: int = 0,
        noise: Callable[[bytes], list[bytes]] = lambda data: [data],
    ) -> None:
        self.carried = 0
        self._noise = noise
        self._character = 10 / baud if baud else 0.0
        self._free_at = 0.0
        self._ends = {name: Pty(path=folder / name, heard=self._hearing(name)) for name in ends}

    def path(self, name: str) -> str:
        """The port at this end; a symbolic link, so that it stays when the end is plugged in again."""
        return str(self._ends[name].path)

    def pull_out(self, name: str) -> None:
        """The adapter at this end: whoever has its port open gets an error."""
        self._ends[name].vanish()

    def plug_in(self, name: str) -> None:
        self._ends[name].restore()

    async def __aenter__(self) -> Self:
        for end in self._ends.values():
            end.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in self._ends.values():
            end.vanish()

    def _hearing(self, name: str) -> Callable[[bytes], None]:
        return lambda data: self._send(name, data)

    def _send(self, sender: str, data: bytes) -> None:
        self.carried += len(data)
        loop = asyncio.get_running_loop()
        for piece in self._noise(data):
            if not self._character:
                self._deliver(sender, piece)
                continue
            for at in range(0, len(piece), PORTION):
                portion = piece[at : at + PORTION]
                self._free_at = max(loop.time(), self._free_at) + len(portion) * self._character
                loop.call_at(self._free_at, self._deliver, sender, portion)

    def _deliver(self, sender: str, piece: bytes) -> None:
        for name, end in self._ends.items():
            if name != sender:
                end.write(piece)
