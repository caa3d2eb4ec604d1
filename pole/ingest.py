"""`pole ingest`: the service, and what it could not store."""

import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec, TypeVar

import typer

if TYPE_CHECKING:
    from ingest.config import Config

P = ParamSpec("P")
T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="From MQTT into the time-series store.")
letters_app = typer.Typer(no_args_is_help=True, help="What ingest refused, with its reasons.")
app.add_typer(letters_app, name="dead-letters")

_Config = Annotated[Path, typer.Argument(help="Ingest's configuration, a YAML file.", metavar="CONFIG")]
_ConfigOption = Annotated[Path, typer.Option("--config", help="Ingest's configuration, a YAML file.")]
_Ids = Annotated[list[int] | None, typer.Option("--id", help="Only this one; may be repeated.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def run(config: _Config, json: _Json = False) -> None:
    """Stores what the nodes send, until SIGTERM or Ctrl-C."""
    import asyncio

    from ingest import config as configuration
    from ingest.errors import IngestError
    from ingest.service import Ingest
    from pole import logs, signals

    logs.set_up(as_json=json)
    try:
        ingest = Ingest(config=configuration.load(config))
        asyncio.run(signals.until_stopped(ingest.run))
    except IngestError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from error


@letters_app.command("list")
def list_(config: _ConfigOption = Path("ingest.yaml"), json: _Json = False) -> None:
    """Lists what was refused, oldest first."""
    from ingest.replay import lines

    found = _answer(lines, config, json)
    for line in found:
        print(line)
    if not found:
        print("nothing is kept that was refused", file=sys.stderr)


@letters_app.command()
def replay(config: _ConfigOption = Path("ingest.yaml"), id: _Ids = None, json: _Json = False) -> None:
    """Judges and stores refused packs again, after their cause is gone; ingest may run meanwhile."""
    from ingest.replay import replay as again

    outcome = _answer(again, config, id)
    print(outcome.json() if json else outcome)
    if outcome.kept:
        raise typer.Exit(1)


@letters_app.command()
def delete(id: _Ids, config: _ConfigOption = Path("ingest.yaml")) -> None:
    """Deletes what nobody will want any more."""
    from ingest.replay import delete as forget

    print(f"{_answer(forget, config, id)} deleted")


def _answer(
    call: "Callable[Concatenate[Config, P], Coroutine[None, None, T]]", config: Path, *args: P.args, **kwargs: P.kwargs
) -> T:
    import asyncio

    from ingest import config as configuration
    from ingest.errors import IngestError

    try:
        return asyncio.run(call(configuration.load(config), *args, **kwargs))
    except IngestError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from error
