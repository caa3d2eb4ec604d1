"""`pole gateway`: run a node of a site, or say what it would do."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from device_profiles.schema import Model
    from device_profiles.site import Site

app = typer.Typer(no_args_is_help=True, help="Read the devices of a site and send what they say to the broker.")

SiteFile = Annotated[Path, typer.Argument(metavar="SITE", help="the site file (YAML)")]
NodeName = Annotated[
    str | None, typer.Option("--node", help="which of the site's gateways; needed if there are several")
]
Json = Annotated[bool, typer.Option("--json", help="answer, or log, as JSON")]


@app.command()
def run(site: SiteFile, node: NodeName = None, as_json: Json = False) -> None:
    """Run a gateway until Ctrl-C or SIGTERM."""
    import asyncio

    from device_profiles import site as sites
    from gateway import service
    from gateway.disk.spool import SpoolError
    from pole import logs, signals

    logs.set_up(as_json=as_json)
    loaded = sites.load(site)
    name = _choose(loaded, node)
    _check_files(loaded, name)
    failures: list[BaseException] = []
    try:
        asyncio.run(signals.until_stopped(lambda stop: service.run(site=loaded, node=name, stop=stop)))
    except* SpoolError as group:
        failures = _leaves(group)
    if failures:  # not above: an exit inside except* would leave as a group
        print(*failures, sep="\n", file=sys.stderr)
        sys.exit(1)


@app.command()
def check(site: SiteFile, node: NodeName = None, as_json: Json = False) -> None:
    """Say what a gateway would read, and whether what it needs is there; touches neither bus nor broker."""
    from device_profiles import loader
    from device_profiles import site as sites
    from gateway.disk.capacity import planned_hours

    loaded = sites.load(site)
    name = _choose(loaded, node)
    missing = _missing_files(loaded, name)
    gateway = loaded.gateways[name]
    least, most = planned_hours(loaded, name, loader.profiles())
    keep = gateway.keep / 3600
    if most < keep:
        missing.append(
            f"gateways.{name}.spool_megabytes: {gateway.spool_megabytes} MB bridge {most:.0f} hours at most; keep asks "
            f"for {keep:.0f}. Raise spool_megabytes or lower keep"
        )
    report = {
        "node": name,
        "area": loaded.area,
        "broker": gateway.broker,
        "spool": str(gateway.spool),
        "spool_hours": {"least": round(least, 1), "most": round(most, 1), "keep": round(keep, 1)},
        "buses": {bus: len(loaded.devices_on(bus)) for bus in loaded.buses_of(name)},
        "problems": missing,
    }
    if as_json:
        print(json.dumps(report))
    else:
        print(f"{name} in {loaded.area}: {gateway.broker}, spool {gateway.spool}")
        print(
            f"  the spool's {gateway.spool_megabytes} MB bridge {least:.0f} hours without network if every point "
            f"changes at every poll, {most:.0f} if none changes; keep asks for {keep:.0f}"
        )
        for key, bus in loaded.buses_of(name).items():
            print(f"  {key} ({bus.describe()}): {len(loaded.devices_on(key))} devices")
        for problem in missing:
            print(f"  problem: {problem}")
    sys.exit(1 if missing else 0)


def _leaves(error: BaseException) -> list[BaseException]:
    """The errors of groups within groups: a task of a task may have met them."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]


def _choose(site: "Site", node: str | None) -> str:
    from device_profiles.problems import FileProblem

    names = ", ".join(site.gateways)
    if node is None and len(site.gateways) > 1:
        raise FileProblem(f"this site has several gateways: say which with --node ({names})")
    if node is not None and node not in site.gateways:
        raise FileProblem(f"--node {node}: this site has no such gateway; it has {names}")
    return node or next(iter(site.gateways))


def _check_files(site: "Site", node: str) -> None:
    from device_profiles.problems import FileProblem

    fatal = [problem for problem in _missing_files(site, node) if not problem.startswith("bus ")]
    if fatal:
        raise FileProblem("\n".join(fatal))


def _missing_files(site: "Site", node: str) -> list[str]:
    """Sentences about what is not there. A port may still be plugged in, so that is no reason not to start."""
    gateway = site.gateways[node]
    found: list[str] = []
    found += _too_large_a_birth(site, node)
    for owner, holder in ((f"gateways.{node}", gateway), *_buses(site, node)):
        found += _missing_secrets(owner, holder)
    if gateway.spool is not None and not gateway.spool.parent.is_dir():
        found.append(f"gateways.{node}.spool: there is no folder {gateway.spool.parent}; create it")
    for name, bus in site.buses_of(node).items():
        port = bus.end
        if port is not None and port.startswith("/") and not Path(port).exists():
            found.append(f"bus {name}: there is no port {port}; is the adapter plugged in? ls /dev/serial/by-id")
    return found


def _buses(site: "Site", node: str) -> list[tuple[str, "Model"]]:
    return [(f"buses.{name}", bus) for name, bus in site.buses_of(node).items()]


def _missing_secrets(owner: str, holder: "Model") -> list[str]:
    """Every file that a gateway or a bus names, but for the spool, which is made, is there and holds something."""
    from pole import secret

    found: list[str] = []
    for key, path in holder:
        if not isinstance(path, Path) or key == "spool":
            continue
        if not path.is_file():
            found.append(f"{owner}.{key}: there is no file {path}; create it, or name another in the site file")
        elif key.endswith("_file"):
            try:
                secret.read(f"{owner}.{key}", path)
            except ValueError as error:
                found.append(str(error))
    return found


def _too_large_a_birth(site: "Site", node: str) -> list[str]:
    from device_profiles import loader
    from gateway.birth import birth
    from wire import messages
    from wire.errors import MessageError

    message = birth(site=site, node=node, profiles=loader.profiles(), epoch="0" * 8, version="0.1.0", now_ms=1 << 41)
    try:
        messages.encode(message, messages.BIRTH)
    except MessageError as error:
        return [
            f"gateways.{node}: it has too many devices to announce in one message ({error.detail}); use two gateways"
        ]
    return []
