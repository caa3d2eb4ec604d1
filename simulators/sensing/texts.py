"""What devices write, where they write and do not measure."""

from collections.abc import Callable

from device_profiles.schema import Profile
from simulators import wave

# OCPP 1.6, section 4.9: what a connector says while no car is there, while one waits, and while one is charged.
_CONNECTOR = ("Available", "Preparing", "Charging")


def text(profile: Profile, point: str, quantity: Callable[[str], float]) -> str:
    """quantity: of the world, at the device's pole, now. Else the first text that the profile's `emulate` names."""
    if (profile.function_of(point), point) == ("charging", "status"):
        connected, charging = quantity("ev_connected") > 0.5, quantity("ev_charging") > 0.5
        return _CONNECTOR[connected + (connected and charging)]
    texts = wave.movement(profile.points[point]).texts
    return texts[0] if texts else ""
