"""`pole fleet verify`: the store of a run, reading by reading, against the truth of what its poles produced."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pole.fleet.judge_outcome import Outcome

NOT_GOOD = 1


def verify(
    folder: Annotated[Path, typer.Argument(help="Of the run: what `pole fleet run --dir` or `backfill` wrote.")],
    store: Annotated[
        str | None, typer.Option(help="Another store: sqlite:FILE, influx1:URL/DATABASE or influx2:URL/ORG/BUCKET.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="With --store: its token, or user:password.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many poles, by chance, for a large run.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Is every stored value right, at its time, and is each missing one explained? Exit 1 where not."""
    import sqlite3

    from ingest.errors import IngestError
    from pole import secret
    from pole.fleet.account import AccountError
    from pole.fleet.judge_run import verify_run
    from simulators.truth.blocks import TruthError

    try:
        token = secret.read("--token-file", token_file) if token_file else ""
        with _Bar(json) as progress:
            outcome = verify_run(folder, store=store, token=token, sample=sample, progress=progress)
    except (AccountError, TruthError, IngestError, sqlite3.Error, ValueError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    _tell(outcome, json)
    if not outcome.good:
        raise typer.Exit(NOT_GOOD)


class _Bar:
    """A bar on standard error where a person waits: (poles done, poles in all)."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(console=Console(stderr=True), transient=True, disable=quiet or not sys.stderr.isatty())

    def __enter__(self) -> "Callable[[int, int], None]":
        self._bar.start()
        task = self._bar.add_task("verifying", total=None)
        return lambda done, total: self._bar.update(task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _tell(outcome: "Outcome", json: bool) -> None:
    from rich.console import Console

    from pole.fleet.judge_outcome import table

    if json:
        print(outcome.json_line())
    else:
        Console().print(table(outcome))
