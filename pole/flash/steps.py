"""What an engineer sees meanwhile: a line for each step that is done, and a bar for the one under way."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from pole.flash import FlashError


@dataclass
class Step:
    """One step, and how it ended. state: done, skipped or failed."""

    name: str
    state: str = "done"
    said: str = ""
    seconds: float = 0.0


class Steps:
    """On the error output, so that the sheet alone goes to where the output is sent."""

    def __init__(self) -> None:
        self.done: list[Step] = []
        self._console = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
            console=self._console, transient=True,
        )  # fmt: skip
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @contextmanager
    def step(self, name: str, shown: str) -> Iterator[Step]:
        """shown: what is being done, beside the bar. A FlashError passes through, and the step has failed."""
        step, began = Step(name), time.monotonic()
        self.done.append(step)
        self._task = self._progress.add_task(shown, total=None)
        try:
            yield step
        except FlashError as error:
            step.state, step.said = "failed", error.reason
            raise
        except BaseException:
            step.state = "failed"
            raise
        finally:
            step.seconds = round(time.monotonic() - began, 1)
            self._progress.remove_task(self._task)
            self._task = None
            mark = {"done": "ok", "skipped": "--", "failed": "FAILED"}[step.state]
            self._console.print(f"{mark:6} {name:10} {step.said}  {step.seconds} s", markup=False)

    def total(self, amount: float) -> None:
        """How much there is to do in this step."""
        if self._task is not None:
            self._progress.update(self._task, total=amount, completed=0)

    def advance(self, amount: float) -> None:
        if self._task is not None:
            self._progress.advance(self._task, amount)

    def reached(self, amount: float) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=amount)

    def say(self, text: str) -> None:
        """A line above the bar: a result of the step under way."""
        self._console.print(f"       {text}", markup=False)
