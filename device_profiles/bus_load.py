"""What polls take of a bus's time: a bus and its devices IN; loads of 0 to 1 and more, and the periods that fit, OUT.

Groups of one unit that fall due together share requests. On a bus that cannot carry everything the shortest periods
stretch, all to the same length (gateway/modbus/schedule.py): a load is therefore a function of the least period.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from device_profiles.blocks import Block
from device_profiles.bus_time import Line, exchange_time, read_time
from device_profiles.schema import Profile
from device_profiles.unit_plan import Device, UnitPlan, unit_plans
from protocols import dlt645

DLT645_CHARACTERS = len(dlt645.WAKE) + dlt645.OVERHEAD + 4  # of a request, and of an answer without its number
DLT645_LATENCY_S = 0.02  # the least that the standard allows (5.3); a slow meter takes up to 0.5 s
HALVINGS = 40  # of an interval of periods
LONGEST_S = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """One request. what: a Modbus table, or "items"; count: registers, bits or items; seconds: on the bus."""

    what: str
    count: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """One poll group of a unit. reads: where it is asked alone; adds: seconds that a turn of all shorter groups takes
    longer with it.
    """

    name: str
    every: float
    event: bool
    reads: tuple[Read, ...]
    adds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Seconds below which no group comes to its turn again; 0 where all keep their periods."""

    events: float = 0.0  # the groups with events
    others: float = 0.0

    def period(self, share: Share) -> float:
        return max(share.every, self.events if share.event else self.others)


@dataclass(frozen=True, kw_only=True, slots=True)
class Polled:
    """One unit, with the devices (channels) behind it, or one meter. shares: shortest period first.

    load: where each group keeps its period; longest: seconds of the longest read.
    """

    devices: tuple[Device, ...]
    profile: Profile
    shares: tuple[Share, ...]
    load: float
    longest: float

    def at(self, pace: Pace) -> float:
        """Its load at this pace."""
        if all(pace.period(share) == share.every for share in self.shares):
            return self.load
        return min(self.load, sum(share.adds / pace.period(share) for share in self.shares))


WANTED = Pace()


def polled(devices: Sequence[Device], profiles: Mapping[str, Profile], line: Line | None) -> list[Polled]:
    """All that takes turns on a bus; devices that are not asked in turn are left out."""
    found = [of_unit(plan, line) for plan in unit_plans(devices, profiles, line)]
    for device in devices:
        if profiles[device.profile].protocol == "dlt645" and line is not None:
            found.append(_meter(device, profiles[device.profile], line))
    return found


def of_unit(plan: UnitPlan, line: Line | None) -> Polled:
    """What a unit takes of its bus by its plan."""
    latency = plan.profile.modbus.latency if plan.profile.modbus else 0.0

    def read(block: Block) -> Read:
        seconds = read_time(line, block.table, block.count, latency)
        return Read(what=block.table, count=block.count, seconds=seconds)

    shares, before = [], 0.0
    for index, group in enumerate(plan.groups):
        until = plan.time(line, *plan.groups[: index + 1])
        reads = tuple(read(block) for block in plan.blocks(group))
        shares.append(Share(name=group.name, every=group.every, event=group.event, reads=reads, adds=until - before))
        before = until
    together = (read(block).seconds for block in plan.blocks(*plan.groups))
    longest = max((*together, *(each.seconds for share in shares for each in share.reads)), default=0.0)
    return Polled(
        devices=plan.devices, profile=plan.profile, shares=tuple(shares), load=plan.load(line), longest=longest
    )


def load(units: Sequence[Polled], at: Pace = WANTED) -> float:
    """The share of the bus's time that these take."""
    return sum(each.at(at) for each in units)


def least_period(units: Sequence[Polled], room: float) -> float:
    """The period below which nothing may be asked so that these take no more than `room` of the bus's time."""
    return _least(room, lambda least: load(units, Pace(events=least, others=least)))


def pace(units: Sequence[Polled], room: float = 1.0) -> Pace:
    """What becomes of the periods where `room` of the bus's time is left for polls."""
    if load(units) <= room:
        return WANTED
    shares = [share for each in units for share in each.shares]
    others = sum(share.adds / share.every for share in shares if not share.event)

    def events(least: float) -> float:
        return sum(share.adds / max(share.every, least) for share in shares if share.event)

    first = _least(max(_turns(shares) * room, room - others), events)
    return Pace(events=first, others=_least(room, lambda least: load(units, Pace(events=first, others=least))))


def stretch(units: Sequence[Polled], at: Pace) -> float:
    """Real over wanted period, over all turns; 1.0 where each group keeps its period."""
    turns = [(share.every, at.period(share)) for each in units for share in each.shares]
    kept = sum(every / period for every, period in turns)
    return len(turns) / kept if kept else 1.0


def _turns(shares: Sequence[Share]) -> float:
    """What groups with events have of the bus's time where every other transaction is theirs: never two in a row."""
    seconds = {True: 0.0, False: 0.0}
    for event in seconds:
        asked = [share for share in shares if share.event == event]
        requests = sum(len(share.reads) / share.every for share in asked)
        taken = sum(read.seconds / share.every for share in asked for read in share.reads)
        seconds[event] = taken / requests if requests else 0.0
    return seconds[True] / sum(seconds.values())


def _least(room: float, load_at: Callable[[float], float]) -> float:
    """The least period at which a load, which falls as it grows, is no more than `room`."""
    if load_at(0.0) <= room:
        return 0.0
    low, high = 0.0, 1.0
    while load_at(high) > room and high < LONGEST_S:
        high *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if load_at(middle) <= room else (middle, high)
    return high


def _meter(device: Device, profile: Profile, line: Line) -> Polled:
    """Each item of a DL/T 645 meter is an exchange of its own."""
    shares = []
    for name, group in sorted(profile.polls.items(), key=lambda pair: pair[1].every):
        asked = {point.item.name for point in profile.points.values() if point.item is not None and point.poll == name}
        reads = tuple(Read(what="items", count=1, seconds=_item_time(line, item)) for item in sorted(asked))
        adds = sum(read.seconds for read in reads)
        shares.append(Share(name=name, every=group.every, event=False, reads=reads, adds=adds))
    longest = max((read.seconds for share in shares for read in share.reads), default=0.0)
    taken = sum(share.adds / share.every for share in shares)
    return Polled(devices=(device,), profile=profile, shares=tuple(shares), load=taken, longest=longest)


def _item_time(line: Line, item: str) -> float:
    answer = DLT645_CHARACTERS + (dlt645.width_of(item) or 0)
    return exchange_time(line, DLT645_CHARACTERS, answer, DLT645_LATENCY_S)
