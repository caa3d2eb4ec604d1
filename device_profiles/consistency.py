"""Checks of a profile that need more than one of its keys."""

from collections.abc import Iterator

from device_profiles.schema import Golden, Profile
from device_profiles.wording import Fault


def faults(profile: Profile) -> list[Fault]:
    """(key path, text) for each contradiction in a profile that fits the schema."""
    return list(_all(profile))


def golden_faults(profile: Profile, golden: Golden) -> list[Fault]:
    """(key path, text) for each contradiction between a profile and its recorded exchange."""
    return []


def _all(profile: Profile) -> Iterator[Fault]:
    yield from ()
