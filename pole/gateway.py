"""`pole gateway`: run a node of a site, or say what it would do."""

import gc
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import asyncio

    from gateway.configuration import Configuration

SETTLED_S = 5.0  # after the start; every bus and every point has what it needs by then

app = typer.Typer(no_args_is_help=True, help="Read the devices of a site and send what they say to the broker.")

SiteFile = Annotated[Path, typer.Argument(metavar="SITE", help="the site file (YAML)")]
NodeName = Annotated[
    str | None, typer.Option("--node", help="which of the site's gateways; needed if there are several")
]
Json = Annotated[bool, typer.Option("--json", help="answer, or log, as JSON")]


@app.command()
def run(site: SiteFile, node: NodeName = None, as_json: Json = False) -> None:
    """Run a gateway until Ctrl-C or SIGTERM. A changed site file is taken while it runs (SIGHUP: at once)."""
    import asyncio

    from gateway.configuration import Configuration
    from gateway.disk.spool import SpoolError
    from pole import logs, signals

    logs.set_up(as_json=as_json)
    failures: list[BaseException] = []
    gc.disable()  # what a start builds stays: the collector would go through it again and again, and stall the polls
    try:
        configuration = Configuration(path=site, node=node)
        asyncio.run(signals.until_stopped(lambda stop: _serve(configuration, stop)))
    except* SpoolError as group:
        failures = _leaves(group)
    finally:
        gc.enable()
    if failures:  # not above: an exit inside except* would leave as a group
        print(*failures, sep="\n", file=sys.stderr)
        sys.exit(1)


async def _serve(configuration: "Configuration", stop: "asyncio.Event") -> None:
    import asyncio

    from gateway import service

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, configuration.reload)
    loop.call_later(SETTLED_S, _settle)
    await service.run(configuration=configuration, stop=stop)


def _settle() -> None:
    gc.freeze()  # only what comes from now on is looked through
    gc.enable()


@app.command()
def check(site: SiteFile, node: NodeName = None, as_json: Json = False) -> None:
    """Say what a gateway would read, and whether what it needs is there; touches neither bus nor broker."""
    from device_profiles import loader
    from device_profiles import site as sites
    from gateway import needs
    from gateway.configuration import choose
    from gateway.disk.capacity import planned_hours

    loaded = sites.load(site)
    name = choose(loaded, node)
    missing = needs.missing(loaded, name) + needs.spool_trouble(loaded, name) + needs.unplugged(loaded, name)
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
        "controllers": {bus: list(held) for bus in loaded.buses_of(name) if (held := loaded.controllers_on(bus))},
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
            controllers = ", ".join(f"{each} ({own.address})" for each, own in loaded.controllers_on(key).items())
            print(f"  {key} ({bus.describe()}): {controllers or f'{len(loaded.devices_on(key))} devices'}")
        for problem in missing:
            print(f"  problem: {problem}")
    sys.exit(1 if missing else 0)


def _leaves(error: BaseException) -> list[BaseException]:
    """The errors of groups within groups: a task of a task may have met them."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
