"""What a node tells of its devices when it connects: the birth of wire.messages."""

from collections.abc import Mapping

from device_profiles.schema import Profile
from device_profiles.site_model import Site

OWN_DEVICE = "gateway"  # the name of a gateway's own device on its pole
OWN_PROFILE = "gateway"


def birth(
    *, site: Site, node: str, profiles: Mapping[str, Profile], epoch: str, version: str, now_ms: int
) -> dict[str, object]:
    """The devices that the node polls, and itself."""
    devices = [(device.pole, device.device, device.profile) for device in site.devices_of(node)]
    devices.append((site.gateways[node].pole, OWN_DEVICE, OWN_PROFILE))
    used = sorted({profile for _, _, profile in devices})
    return {
        "ep": epoch,
        "version": version,
        "time": now_ms,
        "profiles": {name: _points(profiles[name]) for name in used},
        "devices": [{"pole": pole, "device": device, "profile": profile} for pole, device, profile in devices],
    }


def _points(profile: Profile) -> dict[str, object]:
    points = {
        name: {"unit": point.unit} | ({"function": point.function} if point.function else {})
        for name, point in profile.points.items()
    }
    return {"version": profile.version, "function": profile.function, "points": points}
