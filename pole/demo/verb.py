"""`pole demo`: a dozen poles, real Modbus frames, gateways, a broker and a database on this machine."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pole.demo.display import Display
    from pole.demo.folder import Folder
    from pole.demo.outcome import Outcome
    from pole.demo.state import State

GONE_WRONG = 1
LEAST_S = 1.0  # a shorter run ends while its parts still start


def demo(
    duration: Annotated[str | None, typer.Option("--for", help="How long, as in 30s or 5m; else until Ctrl-C.")] = None,
    chaos: Annotated[bool, typer.Option("--chaos", help="Kill (-9) gateways, broker and ingest at random.")] = False,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where everything is kept; what is there already is continued.")
    ] = Path("demo-run"),
    json: Annotated[
        bool, typer.Option("--json", help="Plain lines on standard error, one JSON line at the end.")
    ] = False,
) -> None:
    """A dozen emulated poles, their gateways, a broker and a database: watch readings arrive, kill what you like."""
    from pole.broker import BrokerError
    from pole.demo.folder import Folder, FolderError
    from pole.demo.run import NothingStored
    from pole.flash import FlashError

    seconds = _seconds(duration)
    try:
        run_folder = Folder(folder)
        outcome = _run(run_folder, seconds, chaos, json)
    except (FolderError, BrokerError, FlashError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    except NothingStored as error:
        print(error, file=sys.stderr)
        raise typer.Exit(GONE_WRONG) from error
    _tell(outcome, run_folder, json)
    run_folder.close()
    if not outcome.good:
        raise typer.Exit(GONE_WRONG)


def _seconds(duration: str | None) -> float | None:
    from device_profiles.schema import seconds

    if duration is None:
        return None
    try:
        length = seconds(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from error
    if length < LEAST_S:
        raise typer.BadParameter(
            f"{duration} is too short for a reading; write {LEAST_S:g}s or more, as in 30s", param_hint="--for"
        )
    return length


def _run(folder: "Folder", seconds: float | None, chaos: bool, json: bool) -> "Outcome":
    import asyncio

    from pole import signals
    from pole.demo.run import Demo

    outcomes: list[Outcome] = []

    async def service(stop: asyncio.Event) -> None:
        running = Demo(folder=folder, kill=chaos, display=_display(folder, json))
        outcomes.append(await running.run(seconds=seconds, stop=stop))

    asyncio.run(signals.until_stopped(service))
    return outcomes[0]


def _display(folder: "Folder", json: bool) -> "Display[State]":
    from device_profiles import loader
    from pole.demo.display import Lines, Screen
    from pole.demo.state import line
    from pole.demo.view import View

    if json or not sys.stdout.isatty():
        return Lines(stream=sys.stderr if json else sys.stdout, line=line)
    view = View(commands=folder.commands(), profiles=loader.profiles())
    return Screen(draw=view.render, ready=lambda state: bool(state.stored.readings))


def _tell(outcome: "Outcome", folder: "Folder", json: bool) -> None:
    if json:
        print(outcome.json_line(str(folder.shown)))
        return
    from pole.demo.display import tell
    from pole.demo.outcome import table

    tell(table(outcome), folder=folder.shown, readings=folder.commands()[0][1])
