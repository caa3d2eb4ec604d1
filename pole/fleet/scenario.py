"""`pole fleet scenario`: the scenarios that are shipped, what happens in one, and the check of any."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from pole.fleet.scenario_chart import Row
    from simulators.scenario import Scenario
    from simulators.world.city_map import CityMap

app = typer.Typer(no_args_is_help=True)

NARROW = 76  # columns that a table's other cells take
LEAST_BAR, MOST_BAR = 24, 72
COLOURS = {
    "front": "cyan", "weather": "cyan", "plume": "yellow", "crowd": "magenta", "traffic": "magenta",
    "charging": "green", "lamps": "yellow", "outage": "red", "sag": "red", "offline": "blue",
}  # fmt: skip

Name = Annotated[str, typer.Argument(metavar="NAME", help="A shipped scenario's name, or a file.")]
Files = Annotated[
    list[str] | None, typer.Argument(metavar="FILE", help="Files or names; all shipped ones where none is given.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
Poles = Annotated[int, typer.Option("--poles", min=1, max=99_999, help="Size of the city that it meets.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Another city; else the scenario's own.")]


@app.callback()
def _verbs() -> None:
    """Scenarios: list the shipped ones, show one's time line, check files."""


@app.command("list")
def list_scenarios(json: Json = False) -> None:
    """Show the shipped scenarios."""
    from device_profiles.schema import duration_text
    from simulators import scenario

    shipped = [scenario.load(name) for name in scenario.names()]
    if json:
        _print_json([_row(each) for each in shipped])
        return
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("scenario", no_wrap=True), "title", "starts", "length", "causes", box=None, pad_edge=False)
    for each in shipped:
        title, start = f"{each.labels.en} · {each.labels.zh}", f"{each.start:%Y-%m-%d %H:%M}"
        table.add_row(each.name, title, start, duration_text(each.length_s), ", ".join(_kinds(each)))
    Console().print(table)


@app.command()
def show(name: Name, poles: Poles = 500, seed: Seed = None, json: Json = False) -> None:
    """Draw a scenario's time line, and how many poles of a city each cause meets."""
    from pole.fleet import scenario_chart
    from simulators import scenario
    from simulators.world.city_map import city_map

    found = scenario.load(name)
    seed = found.seed if seed is None else seed
    city = city_map(seed=seed, poles=poles)
    if json:
        _print_json(scenario_chart.as_data(found, city, seed))
    else:
        _draw(found, city, seed)


@app.command()
def check(files: Files = None, poles: Poles = 500, json: Json = False) -> None:
    """Check scenarios' files; warn of causes that meet no pole in a city of --poles."""
    from device_profiles.problems import FileProblem
    from simulators import scenario

    results = []
    for file in files or scenario.names():
        problems: list[str] = []
        warnings: list[str] = []
        try:
            warnings = _warnings(file, scenario.load(file), poles)
        except FileProblem as problem:
            problems = problem.messages
        results.append({"file": file, "ok": not problems, "problems": problems, "warnings": warnings})
        if not json:
            _tell(file, problems, warnings)
    if json:
        _print_json(results)
    if not all(result["ok"] for result in results):
        raise typer.Exit(1)


def _warnings(file: str, found: "Scenario", poles: int) -> list[str]:
    from pole.fleet.scenario_chart import rows
    from simulators.world.city_map import city_map

    city = city_map(seed=found.seed, poles=poles)
    return [
        f"{file}: the {row.cause.kind} at {row.cause.begin_s}s meets no pole in a city of {poles}."
        for row in rows(found, city, found.seed, columns=1)
        if not row.poles
    ]


def _tell(file: str, problems: list[str], warnings: list[str]) -> None:
    for text in problems:
        typer.echo(text, err=True)
    for text in warnings:
        typer.echo(f"warning: {text}", err=True)
    if not problems:
        typer.echo(f"ok    {file}")


def _draw(found: "Scenario", city: "CityMap", seed: int) -> None:
    from rich.console import Console

    from device_profiles.schema import duration_text

    console = Console(highlight=False)
    console.print(f"[bold]{found.labels.en} · {found.labels.zh}[/bold]")
    console.print(f"{found.story.en}\n{found.story.zh}\n")
    console.print(
        f"{found.start:%Y-%m-%d %H:%M} by the city's clock, {duration_text(found.length_s)}; "
        f"seed {seed}, a city of {city.poles} poles"
    )
    console.print(_table(found, city, seed, max(LEAST_BAR, min(MOST_BAR, console.width - NARROW))))


def _table(found: "Scenario", city: "CityMap", seed: int, columns: int) -> "Table":
    from rich.table import Column, Table

    from pole.fleet import scenario_chart

    table = Table(
        "", Column("at", justify="right"), Column("lasts", justify="right"),
        Column(scenario_chart.axis(found, columns), no_wrap=True, min_width=columns),
        Column("poles", justify="right"), "what", box=None, pad_edge=False,
    )  # fmt: skip
    table.add_row("light", "", "", f"[bright_yellow]{scenario_chart.light(found, columns)}[/]", "", "")
    for row in scenario_chart.rows(found, city, seed, columns):
        table.add_row(*_cells(row))
    return table


def _cells(row: "Row") -> tuple[str, ...]:
    from device_profiles.schema import duration_text
    from pole.fleet import scenario_chart

    cause, colour = row.cause, COLOURS.get(row.cause.kind, "bright_red")
    what = [f"{cause.en} · {cause.zh}"] if cause.en else []
    if values := scenario_chart.summary(cause):
        what.append(f"[dim]{values}[/dim]")
    at, lasts = duration_text(cause.begin_s), scenario_chart.lasts(cause)
    return f"[{colour}]{cause.kind}[/]", at, lasts, f"[{colour}]{row.bar}[/]", str(row.poles), "\n".join(what)


def _row(found: "Scenario") -> dict[str, object]:
    return {
        "scenario": found.name, "labels": found.labels.model_dump(), "story": found.story.model_dump(),
        "start": found.start.isoformat(), "length_s": found.length_s, "kinds": _kinds(found),
    }  # fmt: skip


def _kinds(found: "Scenario") -> list[str]:
    return list(dict.fromkeys(cause.kind for cause in found.causes))


def _print_json(found: object) -> None:
    import json

    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
