"""The birth: what hangs on a node, its devices with their profiles and points."""

from wire.errors import MessageError, shown
from wire.names import is_name, is_text
from wire.numbers import is_count
from wire.senml import MAX_UNIT


def check_birth(message: dict[str, object]) -> None:
    """Raises MessageError unless profiles and devices are whole and agree."""
    # {"profiles": {"sdm120": {"version": 1, "function": "energy", "points": {"voltage": {"unit": "V"}}}},
    #  "devices": [{"pole": "P0001", "device": "meter-1", "profile": "sdm120"}]}
    profiles: dict[str, dict[str, object]] = message["profiles"]  # type: ignore[assignment]
    for name in profiles:
        _check_profile(name, profiles[name])
    devices: list[dict[str, object]] = message["devices"]  # type: ignore[assignment]
    former: list[dict[str, object]] = message.get("former", [])  # type: ignore[assignment]
    for device in devices + former:
        if not isinstance(device, dict) or not is_name(device.get("pole")) or not is_name(device.get("device")):
            raise MessageError("birth", "a device has a pole and a name: %s" % shown(device))
        profile = device.get("profile")
        if not isinstance(profile, str) or profile not in profiles:
            raise MessageError("birth", "device %s has a profile of this birth" % device["device"])


def _check_profile(name: object, profile: object) -> None:
    if not is_name(name) or not isinstance(profile, dict) or not is_count(profile.get("version")):
        raise MessageError("birth", "a profile has a name and a version: %s" % shown(name))
    points = profile.get("points")
    if not is_name(profile.get("function")) or not isinstance(points, dict):
        raise MessageError("birth", "profile %s has a function and points" % name)
    for point in points:
        _check_point(name, point, points[point])


def _check_point(profile: object, name: object, point: object) -> None:
    # "function" stands where the point belongs to another function than its profile's
    if not is_name(name) or not isinstance(point, dict) or not is_text(point.get("unit"), MAX_UNIT):
        raise MessageError("birth", "a point of profile %s has a name and a unit: %s" % (profile, shown(name)))
    if "function" in point and not is_name(point["function"]):
        raise MessageError("birth", "the function of point %s is a name" % name)
