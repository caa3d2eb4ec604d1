"""Finds and reads the device profiles that are shipped, and any other by its path."""

from functools import cache
from pathlib import Path

from device_profiles import consistency, exchange, problems, wording
from device_profiles.drafts import placeholders
from device_profiles.schema import Golden, Profile

FOLDER = Path(__file__).parent
GOLDEN = ".golden.yaml"


def load(path: Path | str, *, draft: bool = False) -> Profile:
    """One profile's file -> Profile; a draft may have texts that are not filled in yet. Raises FileProblem."""
    profile, found, data = examine(path, draft=draft)
    faults = [fault for each in found.values() for fault in each]
    if faults:
        raise problems.problem(faults, data, path)
    return profile


def examine(
    path: Path | str, *, draft: bool = False
) -> tuple[Profile, dict[str, list[wording.Fault]], problems.Document]:
    """A file that fits the schema, with what each check of it found. Raises FileProblem where it does not fit."""
    data = problems.read_yaml(path)
    if not draft and (unfilled := placeholders.faults(data)):
        raise problems.problem(unfilled, data, path)
    profile = problems.check(Profile, _filled(data) if draft else data, path)
    found = consistency.by_check(profile)
    if profile.profile != Path(path).stem:
        text = f"'{profile.profile}' must be the file's name: rename the file to {profile.profile}.yaml."
        found["schema"].append((("profile",), text))
    other = profile.variant_of
    if other is not None and (other == profile.profile or not _is_known(other, Path(path))):
        reason = "is this profile itself." if other == profile.profile else unknown(other)
        found["schema"].append((("variant_of",), f"{reason} Name the other profile of this device."))
    return profile, found, data


def _is_known(name: str, path: Path) -> bool:
    return name in files() or path.with_name(f"{name}.yaml").exists()


def _filled(data: problems.Document) -> problems.Document:
    return problems.Document(placeholders.without(data), data.lines)


@cache
def profiles() -> dict[str, Profile]:
    """All shipped profiles by name."""
    return {name: load(path) for name, path in sorted(files().items())}


@cache
def files() -> dict[str, Path]:
    """The files of all shipped profiles by name: device_profiles/<function>/<name>.yaml."""
    return {path.stem: path for path in FOLDER.glob("*/*.yaml") if not path.name.endswith(GOLDEN)}


def profile(name: str) -> Profile:
    """One shipped profile. Raises FileProblem for a name that is unknown."""
    if name not in files():
        raise problems.FileProblem(unknown(name))
    return profiles()[name]


def golden(profile_name: str) -> Golden:
    """The recorded exchange of a shipped profile. Raises FileProblem."""
    if profile_name not in files():
        raise problems.FileProblem(unknown(profile_name))
    if not profiles()[profile_name].is_exchanged:
        raise problems.FileProblem(f"{profile_name} is not on a wire, so it has no recorded exchange.")
    return load_golden(files()[profile_name], profiles()[profile_name])


def load_golden(path: Path, of: Profile) -> Golden:
    """The exchange beside a profile's file, replayed. Raises FileProblem."""
    beside = path.with_name(path.stem + GOLDEN)
    if not beside.exists():
        text = "is missing. Each profile has one exchange with a device, or computed from its manual, beside it"
        raise problems.FileProblem(f"{beside}: {text}: `pole profile try {path.name} --record` writes it.")
    data = problems.read_yaml(beside)
    recorded = problems.check(Golden, data, beside)
    found = exchange.faults(of, recorded)
    if found:
        raise problems.problem(found, data, beside)
    return recorded


def unknown(name: str) -> str:
    """`'xy-md30' is not a known profile. …`"""
    return f"'{name}' is not a known profile.{wording.suggestion(name, files())} `pole profile list` shows all."
