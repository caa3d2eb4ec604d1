"""`pole site`: the check of a site file, and what stands in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pole import site_push

if TYPE_CHECKING:
    from rich.table import Table

    from device_profiles.site import Site

app = typer.Typer(no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The site file.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


@app.callback()
def _verbs() -> None:
    """Site files: check one, show what stands in it, send it to a running gateway."""


app.command()(site_push.push)


@app.command()
def check(file: File, json: Json = False) -> None:
    """Check a site file: names, units, ports, and whether each bus can carry its polls."""
    from device_profiles import site
    from device_profiles.problems import FileProblem

    problems: list[str] = []
    warnings: list[str] = []
    try:
        _, warnings = site.read(file)
    except FileProblem as problem:
        problems = problem.messages
    if json:
        _print_json({"file": str(file), "ok": not problems, "problems": problems, "warnings": warnings})
    else:
        for text in problems:
            typer.echo(text, err=True)
        for text in warnings:
            typer.echo(f"warning: {text}", err=True)
        if not problems:
            typer.echo(f"ok    {file}")
    if problems:
        raise typer.Exit(1)


@app.command()
def show(file: File, json: Json = False) -> None:
    """Show the poles, the buses with their load, and the devices of a site."""
    from device_profiles import site

    found = site.load(file, crowded=True)
    if json:
        _print_json(_document(found))
        return
    from rich.console import Console

    console = Console()
    console.print(f"area {found.area}", highlight=False)
    for table in _tables(_document(found)):
        console.print()
        console.print(table)


def _document(site: "Site") -> dict[str, list[dict[str, object]]]:
    from device_profiles import loader
    from device_profiles.site_checks import load_of

    profiles = loader.profiles()
    return {
        "gateways": [
            {"gateway": name, "broker": gateway.broker, "pole": gateway.pole, "spool": str(gateway.spool)}
            for name, gateway in site.gateways.items()
        ],
        "controllers": [
            {
                "controller": name, "board": controller.board, "pole": controller.pole,
                "reaches": controller.broker or f"{controller.through} {controller.address}",
                "lamp": controller.lamp.device if controller.lamp else None,
            }
            for name, controller in site.controllers.items()
        ],
        "poles": [
            {
                "pole": name, "latitude": pole.position[0], "longitude": pole.position[1],
                "name": pole.name.model_dump() if pole.name else None,
                "devices": [device.device for device in site.devices if device.pole == name],
            }
            for name, pole in site.poles.items()
        ],
        "buses": [
            {
                "bus": name, "node": site.node_of(name), "line": bus.describe(),
                "devices": len(site.devices_on(name)), "load": round(load_of(site, name, profiles), 4),
            }
            for name, bus in site.buses.items()
        ],
        "devices": [
            {
                "pole": device.pole, "device": device.device, "function": profiles[device.profile].function,
                "profile": device.profile, "bus": device.bus, "unit": device.unit, "channel": device.channel,
                "hardware": device.hardware,
            }
            for device in site.devices
        ],
    }  # fmt: skip


def _tables(document: dict[str, list[dict[str, object]]]) -> Iterator["Table"]:
    from rich.table import Table

    for rows in document.values():
        if not rows:
            continue
        table = Table(*rows[0], box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(_cell(key, value) for key, value in row.items()))
        yield table


def _cell(key: str, value: object) -> str:
    if key == "load" and isinstance(value, float):
        return f"{value:.1%}"
    if isinstance(value, dict):
        return " / ".join(str(part) for part in value.values())
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    return "" if value is None else str(value)


def _print_json(document: object) -> None:
    import json

    typer.echo(json.dumps(document, ensure_ascii=False))
