"""What a person sees while a bus is scanned: a line that moves at the bottom, what was found above it."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pole.bus_port import settings
from pole.bus_survey import EXAMINED_S, Present, Survey, Way

BAR_FROM = 80  # columns; with less the count and the time left need the room


def announcement(survey: Survey) -> str:
    """What is going to be asked, and how long that takes."""
    ways = ", ".join(settings(way) for way in survey.ways)
    count = len(survey.units)
    asked = f"asking {count} unit{'' if count == 1 else 's'} at {ways}"
    return f"{asked}: about {_time(survey.expected_seconds())}, and {EXAMINED_S:g} s more for each that answers"


def _time(seconds: float) -> str:
    return f"{max(1, seconds):.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class BusProgress:
    """On the error output, so that the fragment alone goes to where the output is sent. Implements survey.Show."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
        bar = [BarColumn(bar_width=20)] if self._console.width >= BAR_FROM else []
        self._bar = Progress(
            TextColumn("{task.description}", markup=False), *bar, MofNCompleteColumn(),
            TimeRemainingColumn(), console=self._console, transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._way = ""
        self._found = 0

    def begin(self, survey: Survey) -> None:
        self.note(announcement(survey))
        self._task = self._bar.add_task("", total=len(survey.ways) * len(survey.requests) * len(survey.units))

    def way(self, way: Way) -> None:
        self._way = settings(way)
        if self._task is not None:
            self._describe("listens")

    def unit(self, unit: int) -> None:
        self._describe(f"unit {unit}")
        if self._task is not None:
            self._bar.advance(self._task)

    def examining(self, unit: int) -> None:
        self._describe(f"unit {unit} answers, looking at it")

    def present(self, present: Present) -> None:
        self._found += 1
        self.note(f"{settings(present.way)}, unit {present.unit}: {present.sentence()}")

    def note(self, text: str) -> None:
        self._console.print(text, markup=False)

    def _describe(self, text: str) -> None:
        if self._task is not None:
            self._bar.update(self._task, description=f"{self._way}, {text}, {self._found} found")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
