"""`pole bus plan`: what each bus of a site will carry, before anything is installed."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from device_profiles import loader, site
from device_profiles.bus_load import Read
from device_profiles.bus_plan import FULL, BusPlan, Dead, GroupPlan, plan
from device_profiles.bus_relief import ENOUGH
from device_profiles.wording import suggestion

BAR = 24  # characters of a full bus
WIDTH = 110  # where the output is no terminal


def show(file: Path, *, bus: str | None, as_json: bool) -> bool:
    """Whether every bus can carry its polls. Raises ValueError for a bus that there is not, and FileProblem."""
    found = site.load(file, crowded=True)
    if bus is not None and bus not in found.buses:
        near = suggestion(bus, found.buses) or f" There are {', '.join(found.buses)}."
        raise ValueError(f"{file}: --bus {bus} is not a bus of this file.{near}")
    names = list(found.buses) if bus is None else [bus]
    plans = [plan(found, name, loader.profiles()) for name in names]
    if as_json:
        typer.echo(json.dumps({"file": str(file), "buses": [document(each) for each in plans]}, ensure_ascii=False))
    else:
        _print(plans)
    return all(each.fits for each in plans)


def document(found: BusPlan) -> dict[str, object]:
    """One bus, for a program: loads and shares are fractions of 1."""
    return {
        "bus": found.bus, "node": found.node, "line": found.line, "devices": found.devices, "fits": found.fits,
        "load": None if found.load is None else round(found.load, 4), "stretch": round(found.stretch, 4),
        "requests_per_s": round(found.requests_per_s, 3), "longest_turn_ms": _ms(found.turn_s),
        "event_seen_s": None if found.event_s is None else round(found.event_s, 3),
        "groups": [
            {
                "profile": group.profile, "group": group.group, "devices": list(group.devices), "event": group.event,
                "every_s": group.every, "period_s": round(group.period, 3),
                "requests": [
                    {"what": read.what, "count": read.count, "ms": _ms(read.seconds)} for read in group.reads
                ],
            }
            for group in found.groups
        ],
        "dead_device": None if found.dead is None else _dead_document(found.dead),
        "changes": [
            {"change": relief.change, "load": round(relief.load, 4), "text": relief.text} for relief in found.reliefs
        ],
        "note": found.note,
    }  # fmt: skip


def _dead_document(dead: Dead) -> dict[str, object]:
    return {
        "device": dead.device, "request_ms": _ms(dead.request_s), "first_ms": _ms(dead.first_s), "share": dead.share,
        "load": round(dead.load, 4), "stretch": round(dead.stretch, 4),
    }  # fmt: skip


def _print(plans: Sequence[BusPlan]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    overview = Table(box=None, pad_edge=False)
    for title in ("bus", "node", "devices", "load", ""):
        right = title in ("devices", "")
        overview.add_column(title, justify="right" if right else "left", no_wrap=right or title == "load")
    for each in plans:
        bar, share = _load(each.load)
        overview.add_row(each.bus, each.node, str(each.devices), bar, share)
    console.print(overview)
    for each in plans:
        console.print(Text(f"\n{each.bus}", style="bold").append(f"  {each.line}", style="dim"), soft_wrap=True)
        console.print(_groups(each))
        for line in _lines(each):
            console.print(line, markup=False, soft_wrap=True)


def _load(load: float | None) -> tuple[Text, Text]:
    """A bar, and the figure beside it."""
    if load is None:
        return Text(""), Text("–")
    style = "green" if load <= ENOUGH else "yellow" if load <= FULL else "bold red"
    full = min(BAR, round(load * BAR))
    bar = Text("█" * full, style=style).append("░" * (BAR - full), style="dim")
    return bar, Text(f"{load:.1%}", style=style)


def _groups(found: BusPlan) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for title in ("profile", "group", "devices", "every", "real", "takes", "reads"):
        right = title in ("every", "real", "takes")
        table.add_column(title, justify="right" if right else "left", no_wrap=title != "reads")
    for group in found.groups:
        late = group.period > group.every
        real, takes = Text("–"), "–"
        if found.load is not None:
            real = Text(_seconds(group.period), style="bold red" if late else "")
            takes = f"{_ms(sum(read.seconds for read in group.reads)):.0f} ms"
        name = f"{group.group} !" if group.event else group.group
        every = _seconds(group.every)
        table.add_row(group.profile, name, _devices(group), every, real, takes, _reads(group.reads))
    return table


def _devices(group: GroupPlan) -> str:
    more = len(group.devices) - 1
    return f"{group.devices[0]} +{more}" if more else group.devices[0]


def _reads(reads: Sequence[Read]) -> str:
    """`input 32 + 2`: two requests, for so many input registers."""
    counts: dict[str, list[int]] = {}
    for read in reads:
        counts.setdefault(read.what, []).append(read.count)
    if list(counts) == ["items"]:
        return f"{sum(counts['items'])} items"
    return ", ".join(f"{what} {' + '.join(map(str, each))}" for what, each in counts.items())


def _lines(found: BusPlan) -> Iterator[str]:
    if found.load is not None:
        text = f"at most {found.requests_per_s:.1f} requests a second; a command waits at most"
        yield f"  {text} {_ms(found.turn_s):.0f} ms for its turn"
    if found.event_s is not None:
        yield f"  ! goes first: a change of an input is read within {found.event_s:.1f} s"
    if found.stretch > 1:
        yield f"  the bus cannot carry its polls: periods are {found.stretch:.2f} times as long as they should be"
    if found.dead is not None:
        yield f"  {_dead(found.dead, found.stretch)}"
    if found.note:
        yield f"  {found.note}"
    if found.reliefs:
        yield "  what helps:"
    for relief in found.reliefs:
        yield f"  - {relief.text}"


def _dead(dead: Dead, usual: float) -> str:
    text = (
        f"when {dead.device} does not answer: {dead.first_s:.1f} s at once"
        f" ({_ms(dead.request_s):.0f} ms a request), then at most {dead.share:.0%} of the time;"
    )
    if dead.stretch > usual and dead.stretch > 1:
        return f"{text} the others' periods become {dead.stretch:.2f} times as long"
    return f"{text} the others keep their periods" if dead.stretch <= 1 else f"{text} the others become no slower"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:.3g} min"


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
