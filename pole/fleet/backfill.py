"""`pole fleet backfill`: a past for a store, for dashboards and benches to look at."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pole.fleet.backfill_plan import Folder, Plan
    from pole.fleet.backfill_run import Backfill, Outcome, Progress

NOT_DONE, NOT_STARTED = 1, 2
LINE_S = 5.0  # between two lines where there is no bar


def backfill(
    days: Annotated[float, typer.Option(min=0.001, max=3660, help="How far back it goes; it ends now.")] = 30,
    poles: Annotated[int, typer.Option(min=1, max=99_999, help="Size of the city.")] = 500,
    every: Annotated[str, typer.Option(help="Between two readings of a pole, in steps of 10s.")] = "5m",
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="As in ingest's configuration.  [default: sqlite:readings.db, in --dir]"),
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="The store's token, or user:password.")] = None,
    scenario: Annotated[
        list[str] | None, typer.Option(help="What comes over the city, each once, on a day of its own. Repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another number is another city.")] = 1,
    folder: Annotated[Path, typer.Option("--dir", help="For the truth, and how far it is.")] = Path("fleet-backfill"),
    json: Annotated[bool, typer.Option("--json", help="One JSON object at the end.")] = False,
) -> None:
    """Fill a store with days of a city, as fast as it goes. Ctrl-C stops it in order; the same command goes on."""
    import sqlite3

    from ingest.errors import IngestError
    from pole import secret
    from pole.fleet.backfill_plan import BackfillError, Folder
    from pole.fleet.backfill_run import Backfill

    plan = _plan(days, poles, every, store, scenario, seed, folder)
    try:
        token = secret.read("--token-file", token_file) if token_file else ""
        where = Folder(folder, plan)
        with _Show(where, quiet=json) as show:
            job = Backfill(folder=where, token=token, show=show)
            _announce(job, where)
            outcome = _run(job)
    except (BackfillError, IngestError, sqlite3.Error, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(NOT_STARTED) from error
    _tell(outcome, folder, json)
    if not outcome.complete:
        raise typer.Exit(NOT_DONE)


def _plan(
    days: float, poles: int, every: str, store: str | None, scenario: list[str] | None, seed: int, folder: Path
) -> "Plan":
    """Raises BadParameter, FileProblem."""
    import time

    from ingest.store_url import check_url
    from pole.fleet.backfill_plan import SCENARIOS, STEP_MS, Plan
    from simulators import scenario as scenarios

    url = store or f"sqlite:{folder / 'readings.db'}"
    try:
        kind, _, rest = check_url(url).partition(":")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--store") from error
    if kind == "sqlite":
        url = f"sqlite:{Path(rest).absolute()}"
    names = tuple(scenario or SCENARIOS)
    for name in names:
        scenarios.load(name)
    steps = max(1, round(days * 86_400_000 / STEP_MS))
    now = time.time_ns() // 1_000_000 // STEP_MS * STEP_MS  # the step that is not over yet
    return Plan(
        poles=poles, seed=seed, every_s=_every(every), steps=steps, scenarios=names, store=url,
        began_ms=now - steps * STEP_MS,
    )  # fmt: skip


def _every(text: str) -> int:
    from device_profiles.schema import seconds
    from simulators.causes import STEP_S

    try:
        length = seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--every") from error
    if length < STEP_S or length % STEP_S:
        raise typer.BadParameter(f"{text} is no multiple of {STEP_S}s, a step of the world", param_hint="--every")
    return int(length)


def _announce(job: "Backfill", folder: "Folder") -> None:
    from pole.fleet.backfill_run import MANY_SERIES

    going = f"goes on after step {folder.stored + 1} of {folder.plan.steps}: " if folder.stored >= 0 else ""
    print(f"{going}about {job.estimate:,} readings in {job.series:,} series, {folder.plan.store}", file=sys.stderr)
    if not folder.plan.store.startswith("sqlite:") and job.series > MANY_SERIES:
        print(
            f"An InfluxDB 1 refuses more than {MANY_SERIES:,} series in a database as it is shipped; set"
            " max-series-per-database = 0 and index-version = tsi1, which keeps their index on the disk.",
            file=sys.stderr,
        )


def _run(job: "Backfill") -> "Outcome":
    import asyncio

    from pole import signals

    outcomes: list[Outcome] = []

    async def service(stop: asyncio.Event) -> None:
        outcomes.append(await job.run(stop))

    asyncio.run(signals.until_stopped(service))
    return outcomes[0]


class _Show:
    """A bar with rate and time left on standard error, or a line now and then where nobody sees a bar."""

    def __init__(self, folder: "Folder", *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bars = None
        if sys.stderr.isatty() and not quiet:
            columns = (BarColumn(), TextColumn("{task.percentage:.1f} %  {task.description}"), TimeRemainingColumn())
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar = self._bars.add_task("", total=folder.plan.steps)
        self._next = 0.0

    def __enter__(self) -> "Callable[[Progress], None]":
        if self._bars is not None:
            self._bars.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def _tell(self, progress: "Progress") -> None:
        import time

        rate = progress.readings / max(progress.seconds, 1e-9)
        text = (
            "going through what is stored"
            if progress.catching_up
            else f"{progress.readings:,} readings, {rate:,.0f} a second"
        )
        if self._bars is not None:
            self._bars.update(self._bar, completed=progress.step, description=text)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_S
            print(f"step {progress.step} of {progress.steps}: {text}", file=sys.stderr)


def _tell(outcome: "Outcome", folder: Path, json: bool) -> None:
    from dataclasses import asdict
    from json import dumps

    if json:
        print(dumps(asdict(outcome)))
        return
    held = "" if outcome.store_bytes is None else f"; the store has {outcome.store_bytes / 1e6:,.1f} MB"
    print(
        f"{outcome.readings:,} readings in {outcome.seconds:.1f} s, {outcome.readings_per_s:,.0f} a second{held},"
        f" their truth {outcome.truth_bytes / 1e6:,.1f} MB."
    )
    if not outcome.complete:
        print(f"Stopped after step {outcome.stored} of {outcome.steps}; the same command goes on.")
    print(f"To check it, at 20 poles: pole fleet verify {folder} --sample 20")
