"""`pole site`: the check of a site file, and what stands in it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pole import site_push

if TYPE_CHECKING:
    from rich.table import Table

    from device_profiles.site import Site

app = typer.Typer(no_args_is_help=True)

Files = Annotated[
    list[Path],
    typer.Argument(help="Site files of one city, or folders of them.", metavar="FILE...", show_default=False),
]
File = Annotated[Path, typer.Argument(help="The site file.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


@app.callback()
def _verbs() -> None:
    """Site files: check one, show what stands in it, send it to a running gateway."""


app.command()(site_push.push)


@app.command()
def check(files: Files, json: Json = False) -> None:
    """Check site files: names, units, ports, whether each bus can carry its polls, and whose a device of several is."""
    from device_profiles.problems import FileProblem
    from device_profiles.site_files import listed

    try:
        paths = listed(files) if len(files) > 1 or files[0].is_dir() else files
        found = list(_checked(paths))
    except FileProblem as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(1) from None
    ok = all(each.ok for each in found)
    if json:
        documents = [asdict(each) | {"ok": each.ok} for each in found]
        _print_json(documents[0] if paths is files and len(files) == 1 else {"ok": ok, "files": documents})
    else:
        for each in found:
            each.tell()
    if not ok:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Checked:
    file: str
    problems: list[str]
    warnings: list[str]

    @property
    def ok(self) -> bool:
        return not self.problems

    def tell(self) -> None:
        for text in self.problems:
            typer.echo(text, err=True)
        for text in self.warnings:
            typer.echo(f"warning: {text}", err=True)
        if self.ok:
            typer.echo(f"ok    {self.file}")


def _checked(paths: Sequence[Path]) -> Iterator[_Checked]:
    """Each file by itself, and against those before it."""
    from device_profiles import site
    from device_profiles.problems import FileProblem
    from device_profiles.site_files import Holders

    holders = Holders()
    for path in paths:
        try:
            found, warnings = site.read(path)
        except FileProblem as problem:
            yield _Checked(str(path), problem.messages, [])
        else:
            yield _Checked(str(path), holders.add(path, found), warnings)


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
