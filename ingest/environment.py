"""Configuration by the environment: MULTIPOLE_INGEST_RECEIVE_MAX stands for `receive_max`, and so on.

It counts more than the file. A variable that is empty counts as not set: container files pass such ones on.
"""

from collections.abc import Collection, Mapping

from device_profiles import wording
from device_profiles.problems import FileProblem

PREFIX = "MULTIPOLE_INGEST_"


def variable(key: str) -> str:
    """A key's name in the environment."""
    return PREFIX + key.upper()


def settings(keys: Collection[str], environment: Mapping[str, str]) -> dict[str, str]:
    """What the environment says: key -> text. Raises FileProblem for names that are no key."""
    known = {variable(key): key for key in keys}
    given = {name: text for name, text in environment.items() if name.startswith(PREFIX) and text}
    strangers = sorted(given.keys() - known.keys())
    if strangers:
        raise FileProblem(f"{name}: unknown.{_known(name, known)}" for name in strangers)
    return {known[name]: text for name, text in given.items()}


def _known(name: str, known: Collection[str]) -> str:
    suffixes = [each.removeprefix(PREFIX) for each in known]
    near = wording.suggestion(name.removeprefix(PREFIX), suffixes)
    return near.replace("'", f"'{PREFIX}", 1) or f" Known are {', '.join(sorted(known))}."
