"""`pole fleet load`: a load whose send times are fixed in advance, and what broker and ingest make of it."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pole.fleet.load_order import LoadOrder
    from pole.fleet.load_outcome import LoadOutcome
    from simulators.load.result import Moment

NOT_AS_ASKED = 1


def load(
    rate: Annotated[float | None, typer.Option("--rate", help="Packs a second, all the time.  [default: 500]")] = None,
    duration: Annotated[str, typer.Option("--for", help="With --rate: how long.")] = "60s",
    ramp: Annotated[str | None, typer.Option(metavar="LOW:HIGH/TIME", help="As in 100:5000/60s.")] = None,
    steps: Annotated[str | None, typer.Option(metavar="RATES", help="As in 500,1000,2000, each for --each.")] = None,
    each: Annotated[str, typer.Option(help="With --steps: how long each.")] = "20s",
    nodes: Annotated[int, typer.Option(min=1, help="Each with an MQTT session of its own.")] = 2000,
    readings: Annotated[int, typer.Option(min=1, max=1000, help="In a pack.")] = 10,
    broker: Annotated[
        str | None, typer.Option(help="mqtt://HOST:PORT or mqtts://…; left out: broker, ingest and SQLite of its own.")
    ] = None,
    passwords: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --broker: a line USER:PASSWORD for each node.")
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Every session over TLS, with an authority of its own.")] = False,
    ca: Annotated[Path | None, typer.Option(metavar="FILE", help="With mqtts://: who vouches for the broker.")] = None,
    sources: Annotated[int, typer.Option(min=1, max=250, help="Loopback addresses to connect from.")] = 4,
    confirm: Annotated[
        Literal["stored", "broker"],
        typer.Option(
            help="What ends a pack's way: ingest's down/stored, or the broker's PUBACK (then without ingest)."
        ),
    ] = "stored",
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Keep broker, store and logs here; else they go when it is over.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON line; progress on standard error.")] = False,
) -> None:
    """An open loop: packs are due at fixed times, latencies count from then, and its own CPU stands beside the result.

    Exits with 1 when a result cannot be trusted, no rate was held, or something confirmed is not in the store.
    """
    from device_profiles.problems import FileProblem
    from pole.broker import BrokerError
    from pole.fleet import load_order
    from simulators.load.errors import LoadError

    try:
        order = load_order.order(
            plan=load_order.plan(rate=rate, duration=duration, ramp=ramp, steps=steps, each=each), nodes=nodes,
            readings=readings, broker=broker, passwords=passwords, tls=tls, ca=ca, sources=sources, confirm=confirm,
        )  # fmt: skip
        outcome = _measured(order, folder, json)
    except (load_order.OrderError, LoadError, BrokerError, FileProblem) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    _show(outcome, json)
    if not outcome.good:
        raise typer.Exit(NOT_AS_ASKED)


def _measured(order: "LoadOrder", folder: Path | None, json: bool) -> "LoadOutcome":
    import signal

    from pole.fleet.load_parts import measure

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is ended in order
    try:
        with _watched(json) as told:
            return measure(order, folder=folder, told=told)
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _watched(json: bool) -> "Iterator[Callable[[Moment], None]]":
    """A line that says how far it is: one that changes, or a new one each time."""
    if json or not sys.stderr.isatty():
        yield lambda moment: print(moment, file=sys.stderr, flush=True)
        return

    from rich.console import Console

    with Console(stderr=True).status("starting", refresh_per_second=2) as status:
        yield lambda moment: status.update(str(moment))


def _show(outcome: "LoadOutcome", json: bool) -> None:
    if json:
        print(outcome.json_line())
        return
    from rich.console import Console

    from pole.fleet.load_outcome import tables

    Console().print(*tables(outcome), sep="\n")
