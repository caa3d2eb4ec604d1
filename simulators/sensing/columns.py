"""The points that a pole's node reads: a kit's devices and their profiles IN, the columns of its readings OUT."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from device_profiles.schema import Profile
from simulators.sensing.scale import scale
from simulators.sensing.sources import source
from simulators.world.arrays import IntArray
from simulators.world.city_map import CityMap
from simulators.world.kits import KITS


@dataclass(frozen=True, kw_only=True)
class Column:
    """One point of one device. A reading is a whole number: value * 10**decimals; of a bool 0 or 1."""

    device: str
    profile: str
    point: str
    function: str
    unit: str
    kind: Literal["number", "bool"]
    decimals: int
    event: bool  # a change of it must not wait


@dataclass(frozen=True, kw_only=True)
class Table:
    """All poles that have the same kit; a row each, a column a point."""

    kit: int
    poles: IntArray
    columns: tuple[Column, ...]


def tables(city: CityMap, profiles: Mapping[str, Profile]) -> list[Table]:
    """One for each kit that a pole of the city has, in the kits' order."""
    return [
        Table(
            kit=number, poles=np.flatnonzero(city.kit == number).astype(np.int64),
            columns=tuple(column for device, name in kit.devices for column in columns(device, profiles[name])),
        )
        for number, kit in enumerate(KITS)
        if (city.kit == number).any()
    ]  # fmt: skip


def columns(device: str, profile: Profile, *, all_points: bool = False) -> Iterator[Column]:
    """What of a device is a number or a bool, in the profile's order.

    Without all_points those of the maker's own points are left out that nothing in the world moves.
    """
    for name, point in profile.points.items():
        if point.kind != "text" and (all_points or source(profile, name) is not None):
            yield Column(
                device=device, profile=profile.profile, point=name, function=profile.function_of(name),
                unit=point.unit, kind=point.kind, decimals=scale(point).decimals, event=point.event,
            )  # fmt: skip
