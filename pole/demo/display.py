"""How the demo shows itself: plain lines, or one screen of a terminal."""

import time
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live

from pole.demo.state import State, line
from pole.demo.view import View

LINE_S = 5.0  # between plain lines


class Display(Protocol):
    def say(self, text: str) -> None:
        """Something happened."""

    def show(self, state: State) -> None:
        """The present, about once a second."""

    def end(self) -> None:
        """The running is over; what follows is said in lines."""


class Lines:
    """For a pipe, a log file, or a program."""

    def __init__(self, *, stream: TextIO) -> None:
        self._stream = stream
        self._last = 0.0

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def show(self, state: State) -> None:
        if time.monotonic() - self._last >= LINE_S:
            self._last = time.monotonic()
            self.say(line(state))

    def end(self) -> None:
        """Lines go on as they are."""


class Screen:
    """For people. Lines until the first reading is in the database, then the picture."""

    def __init__(self, *, view: View) -> None:
        self._view = view
        self._console = Console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False)

    def say(self, text: str) -> None:
        if not self._live.is_started:  # the picture has its own place for news
            self._console.print(text, highlight=False, soft_wrap=True)

    def show(self, state: State) -> None:
        if state.stored.readings and not self._live.is_started:
            self._live.start()
        if self._live.is_started:
            columns, lines = self._console.size
            self._live.update(self._view.render(state, columns, lines), refresh=True)

    def end(self) -> None:
        self._live.stop()
