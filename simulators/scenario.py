"""A scenario: a file, or the name of a shipped one, comes IN; its causes in the order of time go OUT."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from device_profiles import problems
from device_profiles.problems import FileProblem
from device_profiles.schema import Labels
from device_profiles.wording import suggestion
from simulators.causes import FOREVER, Cause, Where
from simulators.scenarios import timeline
from simulators.scenarios.timeline import Entry, Place, Timeline

FOLDER = Path(__file__).parent / "scenarios"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`start` is by the city's clock (UTC+8, without a zone); length_s whole steps; `causes` by their beginning."""

    name: str
    labels: Labels
    story: Labels
    start: datetime
    length_s: int
    seed: int
    causes: tuple[Cause, ...]


@cache
def files() -> dict[str, Path]:
    """The shipped scenarios' files by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def names() -> list[str]:
    """Of the shipped scenarios, by the alphabet."""
    return list(files())


def load(file: Path | str) -> Scenario:
    """A file's path, or a shipped scenario's name. Raises FileProblem."""
    path = found(file)
    data = problems.read_yaml(path)
    checked = problems.check(Timeline, data, path)
    faults = list(timeline.faults(checked))
    if checked.scenario != path.stem:
        faults.append((("scenario",), f"'{checked.scenario}' must be the file's name: {path.stem}."))
    if faults:
        raise problems.problem(faults, data, path)
    return Scenario(
        name=checked.scenario, labels=checked.labels, story=checked.story, start=checked.start,
        length_s=int(checked.length), seed=checked.seed, causes=tuple(_causes(checked.causes)),
    )  # fmt: skip


def found(file: Path | str) -> Path:
    """The file that is meant. Raises FileProblem where it is neither a file nor a shipped scenario's name."""
    path = Path(file)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        return path
    if path.name not in files():
        text = f"'{file}' is no scenario.{suggestion(str(file), names())} Shipped are {', '.join(names())};"
        raise FileProblem(f"{text} a file of your own ends in .yaml.")
    return files()[path.name]


def _causes(entries: tuple[Entry, ...]) -> Iterator[Cause]:
    # Python's sort keeps the file's order where two begin at once, so a number means the same line on every run.
    for number, entry in enumerate(sorted(entries, key=lambda entry: entry.at)):
        name, kind = next(iter(entry.happenings().items()))
        begin_s = int(entry.at)
        yield Cause(
            kind=name, number=number, begin_s=begin_s,
            end_s=FOREVER if entry.lasts is None else begin_s + int(entry.lasts),
            where=_where(entry.where, kind.functions()), values=kind.values(),
            fade_s=int(getattr(kind, "fade", 0)), over_s=int(getattr(kind, "over", 0)),
            en=entry.say.en if entry.say else "", zh=entry.say.zh if entry.say else "",
        )  # fmt: skip


def _where(place: Place, functions: tuple[str, ...]) -> Where:
    return Where(
        share=place.share, count=place.count, whole=place.whole or "", districts=place.districts, poles=place.poles,
        near=place.near, radius_m=place.radius, feeders=place.feeders, network_cells=place.network_cells,
        roads=place.roads, functions=place.functions or functions,
    )  # fmt: skip
