"""The verbs of `pole`. Each stands in a module of its own and imports what it needs when it is called."""

import errno
import io
import sqlite3
import sys
from typing import Annotated

import typer

from pole import bench, bus, gateway, ingest, profile, query, reconcile, send, site
from pole.demo import verb as demo
from pole.edge import verbs as edge
from pole.flash import verb as flash
from pole.fleet import verb as fleet

EXTRAS = {  # by verb
    "ingest": "ingest", "query": "ingest", "reconcile": "ingest", "demo": "gateway,ingest,sim",
    "bench": "gateway,ingest,sim", "fleet": "gateway,ingest,sim",
    "flash": "edge", "edge": "edge",
}  # fmt: skip
OURS = (
    "wire", "protocols", "device_profiles", "edge", "gateway", "ingest", "dashboards", "simulators", "bench", "pole",
)  # fmt: skip

app = typer.Typer(
    name="pole",
    help="Smart multi-function poles: from a device's register to the database, without losing a reading.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    from importlib.metadata import version

    if wanted:
        print(f"pole {version('multipole')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version, and exit.")
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.add_typer(gateway.app, name="gateway")
app.add_typer(ingest.app, name="ingest")
app.add_typer(profile.app, name="profile")
app.add_typer(site.app, name="site")
app.add_typer(bus.app, name="bus")
app.add_typer(bench.app, name="bench")
app.add_typer(fleet.app, name="fleet")
app.add_typer(edge.app, name="edge")
app.command("flash")(flash.flash)
app.command("send")(send.send)
app.command("reconcile")(reconcile.reconcile)
app.command("query")(query.query)


def _write_what_can_be() -> None:
    """A terminal without UTF-8 shows a question mark for what it cannot."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return str(error) in ("database or disk is full", "disk I/O error")  # the latter where its -shm cannot grow


def main() -> None:
    from device_profiles.problems import FileProblem

    _write_what_can_be()
    try:
        app()
    except FileProblem as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
    except (OSError, sqlite3.OperationalError) as error:
        if not _is_full(error):
            raise
        print(f"{error}: is a disk full? `df -h` shows it.", file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        extra = EXTRAS.get(next(iter(sys.argv[1:]), ""), "gateway")
        print(
            f"the library {error.name} is not installed. Install multipole with its extra [{extra}].", file=sys.stderr
        )
        sys.exit(1)
