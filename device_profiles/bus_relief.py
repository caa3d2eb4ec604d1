"""What to change on a bus that is too full: a site IN, changes and the load that each leaves OUT. Pure.

Every figure is a plan of the changed bus; nothing is proposed that does not help.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from device_profiles import bus_load
from device_profiles.blocks import MAX_REGISTERS
from device_profiles.bus_load import Pace, Polled
from device_profiles.bus_time import Line
from device_profiles.schema import Profile
from device_profiles.site_buses import Dlt645Bus, SerialBus, UartBus
from device_profiles.site_keys import BAUD_RATES
from device_profiles.site_model import Site

ENOUGH = 0.7  # of a bus's time for polls; the rest is for repeats, commands and what does not answer
HELPS = 0.03  # of the bus's time: less is not worth a change
FASTEST, DLT645_FASTEST = 115200, 19200  # DL/T 645-2007, 5.1: at most 19,200
PERIODS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800, 3600)
SHOWN = 6  # names in a sentence


@dataclass(frozen=True, kw_only=True, slots=True)
class Relief:
    """One change. load: of the bus after it."""

    change: Literal["baud", "move", "split", "slower", "reads"]
    text: str
    load: float


def reliefs(site: Site, name: str, profiles: Mapping[str, Profile]) -> Iterator[Relief]:
    """What would help a bus that has more than ENOUGH to do; nothing for others."""
    bus = site.buses[name]
    units = bus_load.polled(site.devices_on(name), profiles, bus.line)
    if bus_load.load(units) <= ENOUGH:
        return
    yield from _faster(site, name, profiles, units)
    yield from _elsewhere(site, name, profiles, units)
    yield from _slower(units)
    yield from _wider_reads(units, bus.line)


def _faster(site: Site, name: str, profiles: Mapping[str, Profile], units: Sequence[Polled]) -> Iterator[Relief]:
    bus = site.buses[name]
    if not isinstance(bus, SerialBus | Dlt645Bus | UartBus):
        return
    most = DLT645_FASTEST if isinstance(bus, Dlt645Bus) else FASTEST
    loads = {rate: _load_at(site, name, profiles, rate) for rate in BAUD_RATES if bus.baud < rate <= most}
    now = bus_load.load(units)
    if not loads or now - min(loads.values()) < HELPS:
        return
    rate = next((rate for rate, load in loads.items() if load <= ENOUGH), max(loads))
    makes = _list(sorted({unit.profile.profile for unit in units}))
    short = "" if loads[rate] <= 1 else ", still too much by itself"
    text = (
        f"raise baud from {bus.baud} to {rate}: {loads[rate]:.0%}{short}. Only where every device can: the profiles"
        f" know the factory rate alone, so look into the manuals of {makes}, and set the rate in each device"
    )
    yield Relief(change="baud", text=text, load=loads[rate])


def _load_at(site: Site, name: str, profiles: Mapping[str, Profile], baud: int) -> float:
    line = site.buses[name].line
    assert line is not None
    return bus_load.load(bus_load.polled(site.devices_on(name), profiles, dataclasses.replace(line, baud=baud)))


def _elsewhere(site: Site, name: str, profiles: Mapping[str, Profile], units: Sequence[Polled]) -> Iterator[Relief]:
    """The fewest units that leave enough room, to a bus with room for them or to a new one."""
    left, moved = sorted(units, key=lambda unit: -unit.load), list[Polled]()
    while len(left) > 1 and bus_load.load(left) > ENOUGH:
        moved.append(left.pop(0))
    if not moved or bus_load.load(left) > ENOUGH:
        return
    load, taken = bus_load.load(left), bus_load.load(moved)
    if taken > ENOUGH:
        whole = load + taken
        text = f"split the devices over {math.ceil(whole / ENOUGH)} buses: {whole:.0%} is more than two can carry well"
        yield Relief(change="split", text=text, load=whole / math.ceil(whole / ENOUGH))
        return
    names = _list([unit_name(unit) for unit in moved])
    for other in _alike(site, name):
        there = bus_load.load(bus_load.polled(site.devices_on(other), profiles, site.buses[other].line))
        if there + taken <= ENOUGH and not _clash(site, other, moved):
            text = f"move {names} to {other}: {load:.0%} here, {there + taken:.0%} there"
            break
    else:
        text = f"move {names} to a bus of their own: {load:.0%} here, {taken:.0%} there"
    yield Relief(change="move", text=text, load=load)


def _alike(site: Site, name: str) -> Iterator[str]:
    """Other buses of the gateway with the same line settings."""
    bus = site.buses[name]
    if bus.line is not None:
        for other, each in site.buses_of(site.node_of(name)).items():
            if other != name and type(each) is type(bus) and each.line == bus.line:
                yield other


def _clash(site: Site, bus: str, moved: Sequence[Polled]) -> bool:
    taken = {device.where for device in site.devices_on(bus)}
    return any(str(device.unit) in taken for unit in moved for device in unit.devices)


def _slower(units: Sequence[Polled]) -> Iterator[Relief]:
    least = bus_load.least_period(units, ENOUGH)
    if not least:
        return
    nice = next((period for period in PERIODS if period >= least), least)
    groups = {
        f"{unit.profile.profile} {share.name} ({share.every:g} s)": None
        for unit in units
        for share in unit.shares
        if share.every < nice
    }
    load = bus_load.load(units, Pace(events=nice, others=nice))
    text = f"poll nothing more often than every {nice:g} s: {load:.0%}. That changes `every` of {_list(list(groups))}"
    yield Relief(change="slower", text=text, load=load)


def _wider_reads(units: Sequence[Polled], line: Line | None) -> Iterator[Relief]:
    """Profiles whose block or gap makes many requests of what could be few."""
    whole = bus_load.load(units)
    by_profile = sorted(units, key=lambda unit: unit.profile.profile)
    for name, held in itertools.groupby(by_profile, key=lambda unit: unit.profile.profile):
        some = list(held)
        modbus = some[0].profile.modbus
        if modbus is None or (modbus.block == MAX_REGISTERS and modbus.gap is None):
            continue
        wide = some[0].profile.model_copy(
            update={"modbus": modbus.model_copy(update={"block": MAX_REGISTERS, "gap": None})}
        )
        devices = [device for unit in some for device in unit.devices]
        load = whole - bus_load.load(some) + bus_load.load(bus_load.polled(devices, {name: wide}, line))
        if whole - load >= HELPS:
            gap = "" if modbus.gap is None else f" over at most {modbus.gap} unused ones"
            text = (
                f"try larger reads of {name} (its profile allows {modbus.block} registers at once{gap}): {load:.0%}"
                f" with reads of up to {MAX_REGISTERS}, where the device gives them"
            )
            yield Relief(change="reads", text=text, load=load)


def unit_name(unit: Polled) -> str:
    """`P0001/air-1 (xy-md03, 4 %)`."""
    first, more = unit.devices[0], len(unit.devices) - 1
    others = f" and {more} more channels" if more else ""
    return f"{first.pole}/{first.device}{others} ({unit.profile.profile}, {unit.load:.0%})"


def _list(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
