"""`pole bench`: what the parts can do, measured on this machine."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables; progress on standard error.")]
Quick = Annotated[bool, typer.Option("--quick", help="Half a minute: whether it works, not what it can do.")]
Seconds = Annotated[float, typer.Option("--seconds", min=1, help="How long is measured.")]
Buses = Annotated[int, typer.Option("--buses", min=0, help="Serial buses.")]
Units = Annotated[int, typer.Option("--units", min=1, max=247, help="Devices of each.")]
Tcp = Annotated[int, typer.Option("--tcp", min=0, help="Modbus TCP devices.")]
Days = Annotated[float, typer.Option("--days", min=0.01, help="How long there is no network.")]
Backlog = Annotated[int, typer.Option("--backlog", min=1, help="Packs in the spool when the network is back.")]
Profile = Annotated[bool, typer.Option("--profile", help="Also where the CPU goes; needs py-spy.")]
Telegraf = Annotated[str | None, typer.Option("--telegraf", help="Its program, where it is not on PATH.")]
Soak = Annotated[
    str | None, typer.Option("--soak", help="Only this: a low rate for so long, as in 1h; memory over time.")
]
Faults = Annotated[int, typer.Option("--faults", min=1, help="How many, one after the other.")]
Seed = Annotated[int, typer.Option("--seed", help="Another one, other faults.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Of `pole ingest run`.")]
ChaosStore = Annotated[str, typer.Option("--store", help="influx1, or sqlite on a disk that is full at times.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="CPU and memory, a row each 10 s.")]


@app.callback()
def _verbs() -> None:
    """What a bus, a spool, a gateway process and ingest can do, measured on this machine with emulated devices."""
    import signal

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # in order, so that no broker or database stays behind


@app.command("bus")
def bus_(quick: Quick = False, json: Json = False) -> None:
    """A serial bus: how much of its time is used, beside other ways to read; dead devices; commands. 5 minutes."""
    from bench import bus

    result = _watched(lambda told: bus.run(quick=quick, told=told), json)
    _told(result, bus.show, json)
    if not quick and not all(row["kept"] for row in result["verdicts"]):
        raise typer.Exit(1)


@app.command("spool")
def spool_(days: Days = 7.0, backlog: Backlog = 100_000, json: Json = False) -> None:
    """A week without network in a spool, on disks with and without room; and what happens when the network is back."""
    from bench import spool

    result = _watched(lambda told: spool.run(seconds=round(days * 86400), backlog=backlog, told=told), json)
    _told(result, spool.show, json)


@app.command("size")
def size_(
    seconds: Seconds = 120.0, buses: Buses = 16, units: Units = 32, tcp: Tcp = 200, csv: CsvFile = None,
    profile: Profile = False, json: Json = False,
) -> None:  # fmt: skip
    """One gateway process with all that hangs on it: its CPU, its memory, its start."""
    from bench import size

    result = _watched(
        lambda told: size.run(seconds=seconds, buses=buses, units=units, tcp=tcp, table=csv, profile=profile), json,
        f"a gateway with {buses} buses of {units} devices and {tcp} TCP devices, {seconds:g} s",
    )  # fmt: skip
    _told(result, size.show, json)
    if not all(row["kept"] for row in result["verdicts"]):
        raise typer.Exit(1)


@app.command("ingest")
def ingest_(quick: Quick = False, telegraf: Telegraf = None, soak: Soak = None, json: Json = False) -> None:
    """From the broker into the store: rate, CPU and latency, beside Telegraf and others who do it. 15 minutes."""
    from bench import ingest, ingest_soak

    if soak is not None:
        long = _watched(lambda told: ingest_soak.run(seconds=_soaked(soak), told=told), json)
        _told(long, ingest_soak.show, json)
        if not long["flat"] or long["missing"]:
            raise typer.Exit(1)
        return
    size = ingest.QUICK if quick else ingest.Size()
    result = _watched(lambda told: ingest.run(size=size, telegraf=telegraf, told=told), json)
    _told(result, ingest.show, json)
    if not quick and not all(row["kept"] for row in result["verdicts"]):
        raise typer.Exit(1)


@app.command("ingest-chaos")
def ingest_chaos_(
    faults: Faults = 1000, seed: Seed = 1, workers: Workers = 1, store: ChaosStore = "influx1", json: Json = False,
) -> None:  # fmt: skip
    """Kills, cuts, stalls, a full disk, a store that errs, at random; then every reading is looked for. 10 minutes."""
    from bench import ingest_chaos

    if store not in ("influx1", "sqlite"):
        raise typer.BadParameter(f"--store {store}: influx1 or sqlite")
    result = _watched(
        lambda told: ingest_chaos.run(faults=faults, seed=seed, workers=workers, store=store, told=told), json
    )
    _told(result, ingest_chaos.show, json)
    if not result["kept"]:
        raise typer.Exit(1)


def _soaked(text: str) -> float:
    from device_profiles.schema import seconds

    try:
        return max(1.0, seconds(text))
    except ValueError as error:
        raise typer.BadParameter(f"--soak {text}: {error}") from None


def _watched(work: "Callable[[Callable[[str], None]], dict[str, Any]]", json: bool, first: str = "") -> dict[str, Any]:
    """Runs it with a line that says what it is at: one that changes, or a new one each time."""
    from rich.console import Console

    if json or not sys.stderr.isatty():
        if first:
            print(first, file=sys.stderr)
        return work(lambda line: print(line, file=sys.stderr, flush=True))
    with Console(stderr=True).status(first or "starting", refresh_per_second=2) as status:
        return work(status.update)


def _told(result: dict[str, Any], show: "Callable[[dict[str, Any]], None]", json: bool) -> None:
    from json import dumps

    if json:
        print(dumps(result))
    else:
        show(result)
