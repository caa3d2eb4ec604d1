"""How one Modbus unit is polled: the devices (channels) behind one unit id IN, its poll groups and their reads OUT."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from device_profiles.blocks import Block, Limits, Wanted, plan, wanted
from device_profiles.bus_time import Line, read_time, request_overhead
from device_profiles.schema import Profile

PLANS_KEPT = 64  # combinations of groups that fall due together
# A longer least common multiple of periods is not walked through to the end to know a unit's load.
ROUNDS_MOST = 2000


class Device(Protocol):
    """What planning needs of a site's device."""

    @property
    def pole(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def unit(self) -> int | None: ...
    @property
    def channel(self) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Values of one unit that are read at one period, of all its channels. event: a change of one must not wait."""

    name: str
    every: float
    event: bool
    values: tuple[Wanted, ...]


@dataclass(kw_only=True)
class UnitPlan:
    """One unit of a bus: its groups, shortest period first, and the reads of those that fall due together."""

    unit: int
    profile: Profile
    devices: tuple[Device, ...]
    groups: tuple[Group, ...]
    limits: Limits
    _kept: dict[frozenset[str], tuple[Block, ...]] = field(default_factory=dict)

    def blocks(self, *groups: Group) -> tuple[Block, ...]:
        """The reads of these groups together, those with events first."""
        names = frozenset(group.name for group in groups)
        found = self._kept.get(names)
        if found is None:
            events = {value.key for group in groups if group.event for value in group.values}
            reads = plan((value for group in groups for value in group.values), self.limits)
            found = tuple(sorted(reads, key=lambda read: all(part.key not in events for part in read.parts)))
            if len(self._kept) == PLANS_KEPT:
                self._kept.clear()
            self._kept[names] = found
        return found

    def limit(self, limits: Limits) -> None:
        """Plans anew within other limits."""
        self.limits = limits
        self._kept.clear()

    def time(self, line: Line | None, *groups: Group) -> float:
        """Seconds of the bus that these groups take together."""
        latency = self.profile.modbus.latency if self.profile.modbus else 0.0
        return sum(read_time(line, block.table, block.count, latency) for block in self.blocks(*groups))

    def load(self, line: Line | None) -> float:
        """The share of the bus's time that the unit takes where each group keeps its period."""
        if not self.groups:
            return 0.0
        whole = _whole(self.groups)
        if whole is None:  # periods that hardly ever meet
            return sum(self.time(line, group) / group.every for group in self.groups)
        taken = 0.0
        for at in sorted({step * every for every, most in whole for step in range(most)}):
            taken += self.time(line, *(group for group in self.groups if at % round(group.every * 1000) == 0))
        return taken / (whole[0][0] * whole[0][1] / 1000)


def unit_plan(unit: int, devices: Sequence[Device], profile: Profile, line: Line | None) -> UnitPlan:
    """devices: the channels of one unit, which are of one profile."""
    modbus = profile.modbus
    assert modbus is not None
    groups = []
    for name, poll in profile.polls.items():
        values = tuple(
            value
            for device in devices
            for value in wanted(profile, name, device.channel, f"{device.pole}/{device.device}")
        )
        event = any(point.event and point.poll == name for point in profile.points.values())
        if values:
            groups.append(Group(name=name, every=poll.every, event=event, values=values))
    limits = Limits(block=modbus.block, gap=modbus.gap, overhead=request_overhead(line, modbus.latency))
    groups.sort(key=lambda group: group.every)
    return UnitPlan(unit=unit, profile=profile, devices=tuple(devices), groups=tuple(groups), limits=limits)


def unit_plans(devices: Sequence[Device], profiles: Mapping[str, Profile], line: Line | None) -> list[UnitPlan]:
    """The units of a bus, by their numbers; devices that are not Modbus devices are left out."""
    units: dict[int, list[Device]] = {}
    for device in devices:
        if profiles[device.profile].modbus is not None and device.unit is not None:
            units.setdefault(device.unit, []).append(device)
    return [unit_plan(unit, held, profiles[held[0].profile], line) for unit, held in sorted(units.items())]


def _whole(groups: Sequence[Group]) -> list[tuple[int, int]] | None:
    """(period in ms, how often it fits into the least common multiple); None where that is too often."""
    periods = [round(group.every * 1000) for group in groups]
    common = math.lcm(*periods)
    if common // min(periods) > ROUNDS_MOST:
        return None
    return [(period, common // period) for period in periods]
