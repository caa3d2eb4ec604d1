"""Rows of config.json's `sensors`, which edge/sensors.py reads: what a controller measures at an ADC, or by I²C.

[device, source, how, every, silence, fields]
how      null for an ADC, else [address, bytes written, wait ms, bytes read, polynomial, start]
fields   [[point, byte, format, multiply, divide, add, decimals, low, high, deadband], …], value = raw * multiply /
         divide + add, all counted in 10^-decimals
"""

import math
from collections.abc import Iterator
from fractions import Fraction

from device_profiles import controller_checks, wired
from device_profiles.schema import Point, Profile
from device_profiles.site_model import Device

MOST_DECIMALS = 6
LARGEST = 1_000_000  # denominator of a scale
WIDEST = 2_000_000_000  # where a point has no range
Row = list[object]


def rows(device: Device, profile: Profile) -> Iterator[Row]:
    """One for each measurement: the points of a chip that stand in one answer, or a voltage."""
    together: dict[tuple[object, ...], Row] = {}
    for name, point in profile.points.items():
        if point.adc is None and point.i2c is None:
            continue
        group = profile.polls[point.poll]
        how = _how(device, profile, point)
        key = point.poll, tuple(how or ())
        source = device.i2c if point.i2c is not None else device.adc
        row = together.setdefault(key, [device.id, source, how, _whole(group.every), _whole(group.silence), []])
        fields = row[-1]
        assert isinstance(fields, list)
        fields.append(_field(name, point))
    yield from together.values()


def _how(device: Device, profile: Profile, point: Point) -> list[object] | None:
    at = point.i2c
    if at is None:
        return None
    address = controller_checks.address(device, profile)
    return [address, at.write.replace(" ", ""), round(at.wait * 1000), at.read, at.polynomial, at.start]


def _field(name: str, point: Point) -> list[object]:
    held = point.i2c or point.adc
    assert held is not None
    decimals = _decimals(wired.resolution(point))
    unit = 10**decimals
    raws = 1 if point.i2c is not None else wired.MICROVOLTS
    scale = Fraction(held.scale).limit_denominator(LARGEST) * unit / raws
    low, high = point.range or (-WIDEST / unit, WIDEST / unit)
    byte, kind = (point.i2c.byte, wired.FORMATS[point.i2c.number]) if point.i2c is not None else (0, "")
    bounds = [math.ceil(low * unit), math.floor(high * unit), round(point.deadband * unit)]
    return [name, byte, kind, scale.numerator, scale.denominator, round(held.offset * unit), decimals, *bounds]


def _decimals(step: float) -> int:
    """Digits behind the point that one step of the raw number shows."""
    return min(max(0, math.ceil(-math.log10(step))), MOST_DECIMALS)


def _whole(seconds: float) -> int:
    return max(1, round(seconds))
