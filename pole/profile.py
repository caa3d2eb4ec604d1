"""`pole profile`: the device profiles that are shipped, and the check of any."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pole import profile_new, profile_try

if TYPE_CHECKING:
    from device_profiles.schema import Profile

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]
Files = Annotated[
    list[Path] | None, typer.Argument(help="Profiles' files, or folders of them; all shipped ones where none is given.")
]


@app.callback()
def _verbs() -> None:
    """Device profiles: list them, check them, begin a new one, try one against a device."""


app.command("new")(profile_new.new)
app.command("try")(profile_try.try_profile)


@app.command("list")
def list_profiles(json: Json = False) -> None:
    """Show the shipped profiles: function, device, how far verified, points and commands."""
    from device_profiles import loader

    profiles = sorted(loader.profiles().values(), key=lambda profile: (profile.function, profile.profile))
    if json:
        _print_json([_row(profile) for profile in profiles])
        return
    from rich.console import Console
    from rich.table import Column, Table

    name = Column("profile", no_wrap=True)
    table = Table(name, "function", "device", "verified", "points", "commands", box=None, pad_edge=False)
    for profile in profiles:
        device, points = f"{profile.maker} {profile.model}", str(len(profile.points))
        commands = ", ".join(profile.commands)
        table.add_row(profile.profile, profile.function, device, profile.verified, points, commands)
    Console().print(table)


@app.command()
def check(files: Files = None, json: Json = False) -> None:
    """Check profiles against the schema and replay their recorded exchanges."""
    from device_profiles import loader

    given = [path for each in files for path in _profiles_in(each)] if files else loader.files().values()
    found = {str(path): _problems(path) for path in given}
    if json:
        _print_json([{"file": path, "ok": not problems, "problems": problems} for path, problems in found.items()])
    else:
        for path, problems in found.items():
            typer.echo(f"ok    {path}" if not problems else "\n".join(problems), err=bool(problems))
    if any(found.values()):
        raise typer.Exit(1)


def _profiles_in(path: Path) -> list[Path]:
    """A file is itself; a folder, and the folders in it, hold profiles. Raises FileProblem where they hold none."""
    from device_profiles import loader
    from device_profiles.problems import FileProblem

    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.rglob("*.yaml") if not each.name.endswith(loader.GOLDEN))
    if not found:
        raise FileProblem(f"{path}: this folder holds no profile: no *.yaml but recorded exchanges (*{loader.GOLDEN})")
    return found


def _problems(path: Path) -> list[str]:
    from device_profiles import loader
    from device_profiles.problems import FileProblem

    try:
        profile = loader.load(path)
        if profile.protocol == "modbus":
            loader.load_golden(path, profile)
    except FileProblem as problem:
        return problem.messages
    return []


def _row(profile: "Profile") -> dict[str, object]:
    return {
        "profile": profile.profile, "version": profile.version, "function": profile.function, "maker": profile.maker,
        "model": profile.model, "labels": profile.labels.model_dump(), "verified": profile.verified,
        "source": profile.source, "points": list(profile.points), "commands": list(profile.commands),
    }  # fmt: skip


def _print_json(document: object) -> None:
    import json

    typer.echo(json.dumps(document, ensure_ascii=False))
