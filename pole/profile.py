"""`pole profile`: the device profiles that are shipped, and the check of any."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pole import profile_new, profile_try

if TYPE_CHECKING:
    from device_profiles.pages import Pages
    from device_profiles.review import Review
    from device_profiles.schema import Profile

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="A line for each check of each profile.")]
Files = Annotated[
    list[Path] | None, typer.Argument(help="Profiles' files, or folders of them; all shipped ones where none is given.")
]


Out = Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pages stand.")]
OnlyCheck = Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where a page is out of date.")]


@app.callback()
def _verbs() -> None:
    """Device profiles: list them, check them, begin a new one, try one against a device, write their pages."""


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
def check(files: Files = None, json: Json = False, verbose: Verbose = False) -> None:
    """Check profiles: schema, vocabulary, registers, units, commands, recorded exchange, emulated device."""
    from device_profiles import loader
    from device_profiles.review import files_in, review
    from simulators import round_trip

    given = files_in(files) if files else [path for _, path in sorted(loader.files().items())]
    reviews = [review(path, round_trip.faults) for path in given]
    if json:
        _print_json(
            [
                {"file": str(each.path), "ok": each.is_ok, "problems": each.problems, "checks": each.checks}
                for each in reviews
            ]
        )
    else:
        _print_reviews(reviews, verbose)
    if not all(each.is_ok for each in reviews):
        raise typer.Exit(1)


def _print_reviews(reviews: "list[Review]", verbose: bool) -> None:
    for each in reviews:
        if verbose:
            for name, result in each.checks.items():
                typer.echo(f"{result:<11} {name:<10} {each.path}")
        for problem in each.problems:
            typer.echo(problem, err=True)
    good = sum(each.is_ok for each in reviews)
    if good:
        typer.echo(f"{good} profile{'s' * (good != 1)} ok")
    if good < len(reviews) > 1:
        bad = len(reviews) - good
        typer.echo(f"{bad} profile{'s' * (bad != 1)} with mistakes", err=True)


@app.command()
def docs(files: Files = None, out: Out = Path("docs/devices"), check: OnlyCheck = False) -> None:
    """Write a page for each device, and an index by function; what stands between a page's notes marks is kept."""
    from device_profiles import loader
    from device_profiles.pages import pages
    from device_profiles.review import files_in

    given = {path.stem: path for path in files_in(files)} if files else loader.files()
    found = pages(given, out)
    if not check:
        changed = found.write()
        typer.echo(f"{out}: {_devices(found)}, {len(changed)} page{'s' * (len(changed) != 1)} written")
        return
    for path in (old := [*found.outdated(), *found.left]):
        typer.echo(f"{path}: out of date. `pole profile docs` writes it anew.", err=True)
    if old:
        raise typer.Exit(1)
    typer.echo(f"{out}: {_devices(found)}, all pages up to date")


def _devices(found: "Pages") -> str:
    count = len(found.texts) - 1  # without the index
    return f"{count} device{'s' * (count != 1)}"


def _row(profile: "Profile") -> dict[str, object]:
    return {
        "profile": profile.profile, "version": profile.version, "function": profile.function, "maker": profile.maker,
        "model": profile.model, "labels": profile.labels.model_dump(), "verified": profile.verified,
        "source": profile.source, "points": list(profile.points), "commands": list(profile.commands),
    }  # fmt: skip


def _print_json(document: object) -> None:
    import json

    typer.echo(json.dumps(document, ensure_ascii=False))
