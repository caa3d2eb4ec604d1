"""`pole profile new`: a draft of a profile, from the nearest device or from a maker's register table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from device_profiles.drafts.text import Draft, Head
    from device_profiles.schema import Profile

SUGGESTED = 10
POINTS_SHOWN = 6

Name = Annotated[str, typer.Argument(help="The profile's name, which is its file's: maker or model, in small letters.")]
Function = Annotated[str, typer.Option(help="What the device does: energy, air, lighting, water …")]
Like = Annotated[
    str | None, typer.Option("--from", metavar="PROFILE", help="The like device whose file is the beginning.")
]
Csv = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The maker's register table: CSV with headers in English or Chinese."),
]
Out = Annotated[Path, typer.Option(metavar="FOLDER", help="Where the file is written; nothing is overwritten.")]
Table = Annotated[str | None, typer.Option(help="Of a table without function codes: coil, discrete, holding or input.")]
Base = Annotated[
    int | None, typer.Option(min=0, max=1, help="The number of the first register in the table (1, or 40001: 1).")
]
Order = Annotated[str | None, typer.Option(help="Of 32-bit values where the table is silent: high_first or low_first.")]
KnownOnly = Annotated[
    bool, typer.Option("--known-only", help="Only standard points; the others are listed in a comment.")
]
Maker = Annotated[str | None, typer.Option(help="Who makes it.")]
Model = Annotated[str | None, typer.Option(help="The maker's name of the model.")]
Source = Annotated[str | None, typer.Option(help="Where the addresses come from: manual, version, page.")]
Verified = Annotated[str | None, typer.Option(help="How far: excerpt, third-party, manual, bench or field.")]
Caveat = Annotated[str | None, typer.Option(help="What the source leaves open.")]
English = Annotated[str | None, typer.Option("--en", help="What the device is, in English.")]
Chinese = Annotated[str | None, typer.Option("--zh", help="What the device is, in Chinese.")]
Unit = Annotated[int | None, typer.Option(min=1, max=247, help="Factory setting: Modbus unit id.")]
Baud = Annotated[int | None, typer.Option(help="Factory setting.")]
Parity = Annotated[str | None, typer.Option(help="Factory setting: none, even or odd.")]
StopBits = Annotated[int | None, typer.Option(min=1, max=2, help="Factory setting.")]


def new(
    name: Name, function: Function, like: Like = None, csv: Csv = None, out: Out = Path(), table: Table = None,
    base: Base = None, word_order: Order = None, known_only: KnownOnly = False, maker: Maker = None,
    model: Model = None, source: Source = None, verified: Verified = None, caveat: Caveat = None,
    en: English = None, zh: Chinese = None, unit: Unit = None, baud: Baud = None, parity: Parity = None,
    stop_bits: StopBits = None,
) -> None:  # fmt: skip
    """Begin a profile, from a like device or from a maker's register table."""
    from device_profiles.drafts.text import Head

    _check(name=name, function=function, table=table, order=word_order, verified=verified, parity=parity)
    settings = {"unit": unit, "baud": baud, "parity": parity, "stop_bits": stop_bits}
    head = Head(
        name=name, function=function, maker=maker, model=model, source=source, verified=verified, caveat=caveat,
        label_en=en, label_zh=zh, modbus={key: value for key, value in settings.items() if value is not None},
    )  # fmt: skip
    path = out / f"{name}.yaml"
    if path.exists():
        raise typer.BadParameter(f"{path} exists, and nothing is overwritten: choose another name, or --out")
    if csv is not None:
        draft = _from_table(head, csv, like, table, base, word_order, known_only)
    else:
        draft = _from_like(head, like)
    _write(path, draft)


def _check(
    *, name: str, function: str, table: str | None, order: str | None, verified: str | None, parity: str | None
) -> None:
    import re
    from typing import get_args

    from device_profiles.schema import FUNCTIONS, Profile
    from device_profiles.schema import Table as Tables
    from device_profiles.wording import choices, suggestion

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise typer.BadParameter(f"'{name}' is no name: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or a digit")
    known = {
        "--function": (function, [each for each in FUNCTIONS if each != "gateway"]),
        "--table": (table, list(get_args(Tables))),
        "--word-order": (order, ["high_first", "low_first"]),
        "--verified": (verified, list(get_args(Profile.model_fields["verified"].annotation))),
        "--parity": (parity, ["none", "even", "odd"]),
    }
    for option, (given, allowed) in known.items():
        if given is not None and given not in allowed:
            raise typer.BadParameter(
                f"{option} '{given}' is not one of {choices(allowed)}.{suggestion(given, allowed)}"
            )


def _from_table(
    head: "Head", csv: Path, like: str | None, table: str | None, base: int | None, order: str | None, known_only: bool
) -> "Draft":
    from device_profiles import loader
    from device_profiles.drafts import choice, text
    from device_profiles.drafts import table as tables

    rows = tables.read(csv, table=table, base=base, word_order=order)  # type: ignore[arg-type]  # checked above
    shipped = list(loader.profiles().values())
    first = text.from_table(head, rows, [], known_only=known_only)
    near = choice.nearest(head.function, first.taken, shipped)
    likes = [profile for profile, _ in near]
    if like is not None:
        likes = [loader.profile(like), *likes]
    typer.echo(f"{csv}: {_counted(len(rows.rows), 'register')}; {rows.numbering}")
    if likes:
        typer.echo(f"nearest device: {_shown(likes[0], first.taken)}; ranges and emulated values are taken from it")
    return text.from_table(head, rows, likes, known_only=known_only)


def _shown(profile: "Profile", points: tuple[str, ...]) -> str:
    shared = [point for point in profile.points if point in points]
    return f"{profile.profile} ({len(shared)} of {len(points)} points are the same)"


def _from_like(head: "Head", like: str | None) -> "Draft":
    from device_profiles import loader
    from device_profiles.drafts import text
    from device_profiles.problems import FileProblem

    if like is None:
        raise FileProblem(_suggested(head.function))
    profile = loader.profile(like)
    if profile.function != head.function:
        raise FileProblem(
            f"{like} is a device of {profile.function}, not of {head.function}; {_suggested(head.function)}"
        )
    return text.from_like(head, loader.files()[like])


def _suggested(function: str) -> str:
    from device_profiles import loader
    from device_profiles.drafts import choice

    near = [profile for profile, _ in choice.nearest(function, (), loader.profiles().values())]
    if not near:
        return f"there is no device of {function} yet: say --csv TABLE.csv"
    return "\n".join((
        f"say where to begin: --csv TABLE.csv, or one of these devices of {function}",
        *(f"  --from {profile.profile:20} {_points(profile)}" for profile in near[:SUGGESTED]),
    ))  # fmt: skip


def _points(profile: "Profile") -> str:
    more = ", …" if len(profile.points) > POINTS_SHOWN else ""
    return ", ".join(list(profile.points)[:POINTS_SHOWN]) + more


def _write(path: Path, draft: "Draft") -> None:
    """Writes the draft and says what is left to do."""
    from device_profiles import loader, problems
    from device_profiles.drafts import placeholders

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(draft.text)
    typer.echo(f"wrote {path}: {_counted(len(draft.taken), 'point')}")
    if draft.own:
        typer.echo(f"  the maker's own, as no standard point is near: {', '.join(draft.own)}")
    if draft.left_out:
        typer.echo(f"  {_counted(len(draft.left_out), 'line')} not taken; the file's end says which")
    loader.load(path, draft=True)
    data = problems.read_yaml(path)
    unfilled = placeholders.faults(data)
    if unfilled:
        typer.echo(f"  {_counted(len(unfilled), 'place')} to fill in:")
        for message in problems.problem(unfilled, data, path).messages:
            typer.echo(f"    {message}")
    typer.echo(f"then: pole profile try {path} --port /dev/ttyUSB0")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
