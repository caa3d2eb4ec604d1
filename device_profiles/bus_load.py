"""The share of a bus's time that polls take: a bus and its devices IN, loads of 0 to 1 and more OUT."""

from collections.abc import Mapping, Sequence

from device_profiles.bus_time import Line, exchange_time
from device_profiles.schema import Profile
from device_profiles.unit_plan import Device, unit_plans
from protocols import dlt645

DLT645_CHARACTERS = len(dlt645.WAKE) + dlt645.OVERHEAD + 4  # of a request, and of an answer without its number
DLT645_LATENCY_S = 0.02  # the least that the standard allows (5.3); a slow meter takes up to 0.5 s


def loads(
    devices: Sequence[Device], profiles: Mapping[str, Profile], line: Line | None
) -> list[tuple[tuple[Device, ...], float]]:
    """The devices of each unit, and the share of the bus that they take together."""
    found: list[tuple[tuple[Device, ...], float]] = [
        (plan.devices, plan.load(line)) for plan in unit_plans(devices, profiles, line)
    ]
    for device in devices:
        if profiles[device.profile].protocol == "dlt645" and line is not None:
            found.append(((device,), dlt645_load(line, profiles[device.profile])))
    return found


def dlt645_load(line: Line, profile: Profile) -> float:
    """Each item of a DL/T 645 meter is an exchange of its own."""
    asked = {(point.item.name, point.poll) for point in profile.points.values() if point.item is not None}
    return sum(
        exchange_time(line, DLT645_CHARACTERS, DLT645_CHARACTERS + (dlt645.width_of(name) or 0), DLT645_LATENCY_S)
        / profile.polls[poll].every
        for name, poll in asked
    )
