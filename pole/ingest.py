"""`pole ingest`: the service, and what it could not store."""

import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec, TypeVar

import typer

if TYPE_CHECKING:
    import asyncio

    from ingest.config import Config
    from ingest.service import Ingest

P = ParamSpec("P")
T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="From MQTT into the time-series store.")
letters_app = typer.Typer(no_args_is_help=True, help="What ingest refused, with its reasons.")
app.add_typer(letters_app, name="dead-letters")
owners_app = typer.Typer(no_args_is_help=True, help="Whose a device is that two nodes announce.")
app.add_typer(owners_app, name="owners")

_Config = Annotated[
    Path | None,
    typer.Argument(
        help="Ingest's configuration, a YAML file. Without one: ingest.yaml, or the environment.", metavar="CONFIG"
    ),
]
_ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Ingest's configuration. Without one: ingest.yaml, or the environment."),
]
_Ids = Annotated[list[int] | None, typer.Option("--id", help="Only this one; may be repeated.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def run(
    config: _Config = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, max=64, help="So many processes share the packs; also with other machines."),
    ] = None,
    json: _Json = False,
    worker: Annotated[int | None, typer.Option("--worker", hidden=True)] = None,
    http: Annotated[str, typer.Option("--http", hidden=True)] = "",
    careful: Annotated[bool, typer.Option("--careful", hidden=True)] = False,
    parent: Annotated[int, typer.Option("--parent", hidden=True)] = 0,
) -> None:
    """Stores what the nodes send, until SIGTERM or Ctrl-C. With --workers, SIGHUP starts them anew one by one."""
    import asyncio

    from ingest import config as configuration
    from ingest.errors import IngestError
    from ingest.service import Ingest
    from pole import logs, signals

    try:
        path = configuration.meant(config)
        settings = configuration.load(path)
        json = json or settings.log == "json"
        logs.set_up(as_json=json, always=None if worker is None else {"worker": worker})
        count = workers or settings.workers
        if worker is not None:
            ingest = Ingest(config=settings.of_worker(worker, http=http, careful=careful))
            asyncio.run(signals.until_stopped(_watched(ingest, parent)))
        elif count is not None:
            asyncio.run(signals.until_stopped(_several(settings, path, count, json)))
        else:
            asyncio.run(signals.until_stopped(_with_hangup(Ingest(config=settings).run)))
    except IngestError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from error


@app.command()
def check(config: _Config = None, json: _Json = False) -> None:
    """Tries each part of a configuration: clock, broker, store, dead letters, http. Ingest may run meanwhile."""
    import asyncio

    from ingest import check as trial
    from ingest import config as configuration

    async def tried() -> list[trial.Finding]:
        findings = []
        async for finding in trial.check(configuration.load(configuration.meant(config))):
            findings.append(finding)
            if not json:
                print(finding, flush=True)
        return findings

    findings = asyncio.run(tried())
    if json:
        print(trial.as_json(findings))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _with_hangup(
    service: "Callable[[asyncio.Event], Coroutine[None, None, None]]",
) -> "Callable[[asyncio.Event], Coroutine[None, None, None]]":
    """SIGHUP ends it in order, so that systemd starts it anew; where there are workers, it replaces them."""
    import asyncio
    import signal

    async def run(stop: asyncio.Event) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, stop.set)
        await service(stop)

    return run


def _watched(ingest: "Ingest", parent: int) -> "Callable[[asyncio.Event], Coroutine[None, None, None]]":
    """A worker stops when whoever watches it is gone, and the next one has started others with the same names."""
    import asyncio

    from ingest import orphan

    async def run(stop: asyncio.Event) -> None:
        watching = asyncio.create_task(orphan.stop_without(parent, waits=lambda: ingest.waiting_for, stop=stop))
        try:
            await ingest.run(stop)
        finally:
            watching.cancel()

    return run


def _several(
    settings: "Config", path: Path | None, count: int, json: bool
) -> "Callable[[asyncio.Event], Coroutine[None, None, None]]":
    import os

    from ingest.dead_letters import DeadLetters
    from ingest.workers import Workers

    settings.check_usable()  # what is wrong for all is told once, and not by each of them again and again

    def command(number: int, http: str, careful: bool) -> list[str]:
        options = ["--json"] * json + ["--careful"] * careful
        return [
            sys.executable,
            "-m",
            "pole",
            "ingest",
            "run",
            *([] if path is None else [str(path)]),
            "--worker",
            str(number),
            "--http",
            http,
            "--parent",
            str(os.getpid()),
            *options,
        ]

    async def run(stop: "asyncio.Event") -> None:
        letters = DeadLetters(path=settings.path(settings.dead_letters), megabytes=settings.dead_letter_megabytes)
        several = Workers(
            count=count, command=command, http=settings.http, folder=settings.registry.parent, letters=letters
        )
        await several.run(stop)

    return run


@letters_app.command("list")
def list_(config: _ConfigOption = None, json: _Json = False) -> None:
    """Lists what was refused, oldest first."""
    from ingest.replay import lines

    found = _answer(lines, config, json)
    for line in found:
        print(line)
    if not found:
        print("nothing is kept that was refused", file=sys.stderr)


@letters_app.command()
def replay(config: _ConfigOption = None, id: _Ids = None, json: _Json = False) -> None:
    """Judges and stores refused packs again, after their cause is gone; ingest may run meanwhile."""
    from ingest.replay import replay as again

    outcome = _answer(again, config, id)
    print(outcome.json() if json else outcome)
    if outcome.kept:
        raise typer.Exit(1)


@letters_app.command()
def delete(id: _Ids, config: _ConfigOption = None) -> None:
    """Deletes what nobody will want any more."""
    from ingest.replay import delete as forget

    print(f"{_answer(forget, config, id)} deleted")


@owners_app.command("list")
def list_owners(config: _ConfigOption = None, json: _Json = False) -> None:
    """Lists what was decided: area, pole/device, node, and why (first: it came first; operator)."""
    from ingest.disputes import lines

    for line in _answer(lines, config, json):
        print(line)


@owners_app.command("set")
def set_owner(
    area: Annotated[str, typer.Option(help="The device's area.")],
    device: Annotated[str, typer.Option(help="pole/device, as P0001/air-1.")],
    node: Annotated[str, typer.Option(help="The node that may speak for it.")],
    config: _ConfigOption = None,
) -> None:
    """Decides whose a device is. Ingest hears it within a second, and stores what it had refused of that node."""
    from ingest.disputes import decide

    _answer(decide, config, area, device, node)


def _answer(
    call: "Callable[Concatenate[Config, P], Coroutine[None, None, T]]",
    config: Path | None,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    import asyncio

    from ingest import config as configuration
    from ingest.errors import IngestError

    try:
        return asyncio.run(call(configuration.load(configuration.meant(config)), *args, **kwargs))
    except IngestError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from error
