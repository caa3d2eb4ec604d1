"""How a run shows itself: plain lines, or one screen of a terminal."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TextIO, TypeVar

from rich.console import Console, RenderableType
from rich.live import Live

LINE_S = 5.0  # between plain lines

Seen = TypeVar("Seen", contravariant=True)  # what a run knows at one moment


class Display(Protocol[Seen]):
    def say(self, text: str) -> None:
        """Something happened."""

    def show(self, state: Seen) -> None:
        """The present, about once a second."""

    def end(self) -> None:
        """The running is over; what follows is said in lines."""


class Lines(Generic[Seen]):
    """For a pipe, a log file, or a program. line: a state in one line."""

    def __init__(self, *, stream: TextIO, line: Callable[[Seen], str]) -> None:
        self._stream = stream
        self._line = line
        self._last = 0.0

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def show(self, state: Seen) -> None:
        if time.monotonic() - self._last >= LINE_S:
            self._last = time.monotonic()
            self.say(self._line(state))

    def end(self) -> None:
        """Lines go on as they are."""


class Screen(Generic[Seen]):
    """For people. Lines until there is something to draw, then the picture of it, on so many columns and lines."""

    def __init__(self, *, draw: Callable[[Seen, int, int], RenderableType], ready: Callable[[Seen], bool]) -> None:
        self._draw = draw
        self._ready = ready
        self._console = Console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False)

    def say(self, text: str) -> None:
        if not self._live.is_started:  # the picture has its own place for news
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, state: Seen) -> None:
        if self._ready(state) and not self._live.is_started:
            self._live.start()
        if self._live.is_started:
            columns, lines = self._console.size
            self._live.update(self._draw(state, columns, lines), refresh=True)

    def end(self) -> None:
        self._live.stop()


def tell(outcome: RenderableType, *, folder: Path, readings: str) -> None:
    """What became of everything, and where it is kept. readings: the command that shows them."""
    console = Console()
    console.print(outcome)
    kept = f"Everything is kept in {folder}. The readings: {readings}"
    console.print(kept, markup=False, highlight=False, soft_wrap=True)
