"""What a node announces of its devices: the profiles and devices of a birth, as wire.births checks them."""

from collections.abc import Iterable, Mapping

from device_profiles.schema import Profile

Named = tuple[str, str, str]  # pole, device, profile


def announced(
    devices: Iterable[Named], profiles: Mapping[str, Profile], former: Iterable[Named] = ()
) -> dict[str, object]:
    """former: devices that left the site while readings of theirs are still on the node's disk."""
    here, left = list(devices), list(former)
    used = sorted({profile for _, _, profile in [*here, *left]})
    told: dict[str, object] = {
        "profiles": {name: _points(profiles[name]) for name in used},
        "devices": [_device(*device) for device in here],
    }
    return told | ({"former": [_device(*device) for device in left]} if left else {})


def _device(pole: str, device: str, profile: str) -> dict[str, str]:
    return {"pole": pole, "device": device, "profile": profile}


def _points(profile: Profile) -> dict[str, object]:
    points = {
        name: {"unit": point.unit} | ({"function": point.function} if point.function else {})
        for name, point in profile.points.items()
    }
    return {"version": profile.version, "function": profile.function, "points": points}
