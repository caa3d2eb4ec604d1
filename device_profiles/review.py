"""All checks of one profile's file: what `pole profile check` says about it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from device_profiles import consistency, loader, problems
from device_profiles.problems import FileProblem
from device_profiles.schema import Profile
from device_profiles.wording import Fault

Result = Literal["ok", "failed", "not reached", "not needed"]
CHECKS = (*consistency.CHECKS, "golden", "emulator")  # in the order in which they are done


@dataclass(frozen=True, kw_only=True)
class Review:
    """problems: whole messages, in the order of the file's lines."""

    path: Path
    problems: list[str]
    checks: dict[str, Result] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return not self.problems


def review(path: Path, emulated: Callable[[Profile], Sequence[Fault]]) -> Review:
    """emulated: the round trip through the emulated device, which this package does not know."""
    checks: dict[str, Result] = dict.fromkeys(CHECKS, "not reached")
    try:
        profile, found, data = loader.examine(path)
    except FileProblem as problem:
        return Review(path=path, problems=problem.messages, checks=checks | {"schema": "failed"})
    for name, faults in found.items():
        checks[name] = "failed" if faults else "ok"
    told = [fault for faults in found.values() for fault in faults]
    if told:
        return Review(path=path, problems=problems.problem(told, data, path).messages, checks=checks)
    if profile.protocol == "gateway":  # it is on no wire
        return Review(path=path, problems=[], checks=checks | {"golden": "not needed", "emulator": "not needed"})
    messages = _golden(path, profile) if profile.is_exchanged else []
    checks["golden"] = "failed" if messages else "ok" if profile.is_exchanged else "not needed"
    faults = list(emulated(profile))
    checks["emulator"] = "failed" if faults else "ok"
    if faults:
        messages = [*messages, *problems.problem(faults, data, path).messages]
    return Review(path=path, problems=messages, checks=checks)


def _golden(path: Path, profile: Profile) -> list[str]:
    try:
        loader.load_golden(path, profile)
    except FileProblem as problem:
        return problem.messages
    return []


def files_in(given: Iterable[Path]) -> list[Path]:
    """Profiles' files, once each: a folder's, with those in its folders; an exchange's is the one beside it.

    Raises FileProblem where a folder holds none.
    """
    found: dict[Path, None] = {}
    for path in given:
        for each in _files_at(path):
            found[each] = None
    return list(found)


def _files_at(path: Path) -> list[Path]:
    if not path.is_dir():
        is_golden = path.name.endswith(loader.GOLDEN)
        return [path.with_name(path.name.removesuffix(loader.GOLDEN) + ".yaml") if is_golden else path]
    found = sorted(each for each in path.rglob("*.yaml") if not each.name.endswith(loader.GOLDEN))
    if not found:
        raise FileProblem(f"{path}: this folder holds no profile: no *.yaml but recorded exchanges (*{loader.GOLDEN})")
    return found
