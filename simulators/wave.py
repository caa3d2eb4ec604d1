"""What an emulated point would like to hold at an instant: a pure function of its seed and of time."""

import hashlib
import math

from device_profiles.schema import Emulate, Point

COUNTING_SINCE_MS = 1_767_225_600_000  # 2026-01-01 UTC
_SWING_OF_RANGE = 0.1  # where the profile does not say how a value moves: the middle of its range, and a tenth of it


def movement(point: Point) -> Emulate:
    """The profile's own `emulate`, or a plausible one: the middle of the range, the first code, a bit that is off."""
    if point.emulate is not None:
        return point.emulate
    if point.values:
        return Emulate(around=min(point.values), swing=0.0, noise=0.0)
    low, high = point.range if point.range is not None and point.kind == "number" else (0.0, 0.0)
    return Emulate(around=(low + high) / 2, swing=_SWING_OF_RANGE * (high - low), noise=0.0)


def wanted(point: Point, move: Emulate, device: str, name: str, time_ms: int) -> float | bool | str:
    """Value in the point's unit, inside its range, not yet as coarse as the device's registers. device: its seed.

    Quantities of one device with one period rise and fall together, as a meter's current and its power do.
    """
    turns = time_ms / 1000 / move.period
    if point.kind == "text":
        return move.texts[int(turns * len(move.texts)) % len(move.texts)] if move.texts else ""
    if point.kind == "bool":
        return (turns + _chance(f"{device}/{name}")) % 1 < move.around
    turn = turns + _chance(device)
    noise = move.noise * (2 * _chance(f"{device}/{name}@{time_ms}") - 1) if move.noise else 0.0
    grown = move.grow * (time_ms - COUNTING_SINCE_MS) / 3_600_000
    return clipped(point, move.around + grown + move.swing * math.sin(2 * math.pi * turn) + noise)


def clipped(point: Point, value: float) -> float:
    """A value that the device's own range allows."""
    if point.range is None:
        return value
    return min(max(value, point.range[0]), point.range[1])


def _chance(seed: str) -> float:
    """0 to 1, the same for the same seed on every machine (hash() is salted)."""
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=7).digest(), "big") / (1 << 56)
