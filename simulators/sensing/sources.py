"""Where a point's value comes from: a point of a profile IN, its Source OUT."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from device_profiles.schema import Profile
from simulators import wave
from simulators.sensing import conversions
from simulators.sensing.quantities import COMMON, SOURCES
from simulators.sensing.source import Source
from simulators.world.arrays import FloatArray

# Numbers of the makers for: no vehicle, connected, charging.
_VEHICLE_CODES = {
    "em2go": (1, 2, 4),
    "em2go-g2": (1, 2, 4),
    "heidelberg-energy-control": (3, 5, 7),
    "phoenix-ac1m": (0x4132, 0x4232, 0x4332),
}


def source(profile: Profile, point: str) -> Source | None:
    """None for a text, and for a point that nothing in the world moves: a maker's own, as a setting is."""
    asked = profile.points[point]
    if asked.kind == "text":
        return None
    known = SOURCES.get((profile.function_of(point), point)) or (None if asked.own else COMMON.get(point))
    if known is None:
        return None
    if point == "distance":
        return replace(known, of=_below(_height(profile)))
    if point == "state" and profile.profile in _VEHICLE_CODES:
        return replace(known, of=_coded(_VEHICLE_CODES[profile.profile]))
    return replace(known, usual=usual(profile, point))


def usual(profile: Profile, point: str) -> float:
    """What a point holds that nothing moves: what the profile's `emulate` says, without its swing."""
    asked = profile.points[point]
    around = wave.clipped(asked, wave.movement(asked).around)
    return float(around > 0.5) if asked.kind == "bool" else around


def _height(profile: Profile) -> float:
    """Of the sensor over the level's zero, m."""
    return usual(profile, "mount_height" if "mount_height" in profile.points else "distance")


def _below(height: float) -> Callable[[FloatArray], FloatArray]:
    def distance(level: FloatArray) -> FloatArray:
        return height - level

    return distance


def _coded(codes: tuple[int, ...]) -> Callable[[FloatArray, FloatArray], FloatArray]:
    by_state = np.array(codes, dtype=np.float64)

    def state(connected: FloatArray, charging: FloatArray) -> FloatArray:
        code: FloatArray = by_state[conversions.vehicle(connected, charging).astype(np.int64)]
        return code

    return state
