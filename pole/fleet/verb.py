"""`pole fleet`: an emulated city of any size, with weather and faults, and the truth that a store is judged by."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pole.fleet import backfill, load, verify
from pole.fleet import scenario as scenarios

if TYPE_CHECKING:
    from pole.demo.display import Display
    from pole.fleet.folder import RunFolder
    from pole.fleet.outcome import Outcome
    from pole.fleet.plan import Plan
    from pole.fleet.state import State

GONE_WRONG, NOT_STARTED = 1, 2
LEAST_EVERY_S = 10  # a step of the world
MAX = "max"

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _verbs() -> None:
    """A city on this machine: poles that sense one world, a broker, ingest and a store; and a verdict at the end."""


@app.command("run")
def run(
    scenario: Annotated[str, typer.Option("--scenario", help="What happens: a shipped name, or a file.")] = "quiet-day",
    poles: Annotated[int, typer.Option("--poles", min=1, max=99_999, help="Size of the city.")] = 500,
    wires: Annotated[int, typer.Option("--wires", min=0, help="Of them behind real gateways, devices on wires.")] = 0,
    agents: Annotated[int, typer.Option("--agents", min=0, help="Of them with the agent on the real MicroPython.")] = 0,
    duration: Annotated[
        str | None, typer.Option("--for", help="Time of the world, as in 60s or 2h; else the scenario's length.")
    ] = None,
    speed: Annotated[str, typer.Option("--speed", help="1 is real time, 60 an hour a minute; or max.")] = "1",
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Another city; else the scenario's own.")] = None,
    every: Annotated[str, typer.Option("--every", help="Between two packs of a node, in steps of 10s.")] = "30s",
    store: Annotated[
        str, typer.Option("--store", metavar="URL", help="As in ingest's configuration.")
    ] = "sqlite:readings.db",
    token_file: Annotated[Path | None, typer.Option("--token-file", help="The store's token.")] = None,
    tls: Annotated[bool, typer.Option("--tls", help="The nodes speak TLS.")] = False,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where everything is kept; the run before is kept as NAME.earlier.")
    ] = Path("fleet-run"),
    json: Annotated[
        bool, typer.Option("--json", help="Plain lines on standard error, one JSON line at the end.")
    ] = False,
) -> None:
    """Run a city: watch it, let faults come over it, and see at the end what became of every reading."""
    from ingest.store_url import check_url
    from pole.fleet import depth_plan
    from pole.fleet.plan import planned

    try:
        check_url(store)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--store") from error
    if token_file is not None and not token_file.is_file():
        raise typer.BadParameter(f"{token_file} is no file", param_hint="--token-file")
    plan = planned(
        scenario, seed=seed, for_s=None if duration is None else _steps(duration, "--for"), poles=poles, wires=wires,
        agents=agents, every_s=_steps(every, "--every"), speed=_speed(speed), store=store, token_file=token_file,
        tls=tls,
    )  # fmt: skip
    try:
        depth_plan.check(plan.asked)
    except depth_plan.DepthError as error:
        raise typer.BadParameter(str(error)) from error
    _start(plan, folder, json)


def _start(plan: "Plan", folder: Path, json: bool) -> None:
    """Exits with NOT_STARTED or GONE_WRONG where that is so."""
    from ingest.errors import IngestError
    from pole.broker import BrokerError, find_program
    from pole.demo.folder import FolderError
    from pole.fleet.account import AccountError
    from pole.fleet.engine import EngineFailed
    from pole.fleet.folder import RunFolder
    from pole.fleet.run import NothingProduced, NotReady
    from simulators.descriptors import TooManyNodes, make_room
    from simulators.truth.blocks import TruthError

    try:
        find_program("mosquitto")
        make_room(len(plan.nodes), option="--poles")
        run_folder = RunFolder(folder, plan)
    except (BrokerError, FolderError, TooManyNodes) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(NOT_STARTED) from error
    try:
        outcome = _run(run_folder, json)
    except (BrokerError, IngestError, NotReady, EngineFailed, NothingProduced, AccountError, TruthError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(GONE_WRONG) from error
    finally:
        run_folder.close()
    _tell(outcome, run_folder, json)
    if not outcome.good:
        raise typer.Exit(GONE_WRONG)


def _steps(text: str, option: str) -> int:
    from device_profiles.schema import seconds

    try:
        length = seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
    if length < LEAST_EVERY_S or length % LEAST_EVERY_S:
        raise typer.BadParameter(
            f"{text}: the world goes in steps of {LEAST_EVERY_S}s; write a multiple of it, as in 30s", param_hint=option
        )
    return int(length)


def _speed(text: str) -> float | None:
    if text == MAX:
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.01 <= speed <= 100_000:
        raise typer.BadParameter(f"{text}: write a number, as in 60, or {MAX}", param_hint="--speed")
    return speed


def _run(folder: "RunFolder", json: bool) -> "Outcome":
    import asyncio

    from pole import signals
    from pole.fleet.run import Run

    outcomes: list[Outcome] = []

    async def service(stop: asyncio.Event) -> None:
        outcomes.append(await Run(folder=folder, display=_display(folder, json)).run(stop))

    asyncio.run(signals.until_stopped(service))
    return outcomes[0]


def _display(folder: "RunFolder", json: bool) -> "Display[State]":
    from pole.demo.display import Lines, Screen
    from pole.fleet.state import line
    from pole.fleet.view import View

    if json or not sys.stdout.isatty():
        return Lines(stream=sys.stderr if json else sys.stdout, line=line)
    view = View(commands=folder.commands())
    return Screen(draw=view.render, ready=lambda state: bool(state.said.get("map")))


def _tell(outcome: "Outcome", folder: "RunFolder", json: bool) -> None:
    if json:
        print(outcome.json_line(str(folder.shown)))
        return
    from pole.demo.display import tell
    from pole.fleet.outcome import table

    tell(table(outcome), folder=folder.shown, readings=folder.commands()[0][1])


app.command("verify")(verify.verify)
app.command("backfill")(backfill.backfill)
app.command("load")(load.load)
app.add_typer(scenarios.app, name="scenario")
