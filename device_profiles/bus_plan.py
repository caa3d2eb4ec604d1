"""What a bus will carry, before anything is installed: a site and its profiles IN, a plan for each bus OUT. Pure.

The load, the periods that come of it, how long whoever is urgent waits, what one device costs that does not answer, and
what could be changed (bus_relief). Times are seconds; loads are fractions of 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from device_profiles import bus_load
from device_profiles.bus_load import Pace, Polled, Read, Share
from device_profiles.bus_relief import Relief, reliefs
from device_profiles.bus_time import Line, answer_wait
from device_profiles.schema import Profile
from device_profiles.site_buses import AnyBus, Dlt645Bus, Hj212Bus, SerialBus, TcpBus, UartBus, UplinkBus, WiredBus
from device_profiles.site_model import Site

FULL = 1.0
FREE_FAILURES = 3  # of a device in a row, before what they cost is bounded (gateway/modbus/health.py)
SPEAK = ("hj212", "ocpp", "chirpstack")
DEAD_SHARE = 0.05  # of a controller's bus (edge/poller.py, SHARE)
SILENT_PERIODS = 3  # gateway/heard/hearing.py


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupPlan:
    """One poll group of all devices that are alike. every: as the profile wants it; period: as the bus has it."""

    profile: str
    group: str
    devices: tuple[str, ...]
    event: bool
    every: float
    period: float
    reads: tuple[Read, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dead:
    """What it costs when the device whose silence costs most does not answer.

    request_s: one request without an answer; first_s: those before the share bounds them; share: of the bus's time,
    after that, at most; load: of the others together with that; stretch: of the others' periods meanwhile, on average.
    """

    device: str
    request_s: float
    first_s: float
    share: float
    load: float
    stretch: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BusPlan:
    """load: None where the bus has none. turn_s: the longest that a command or an event input waits for its turn, one
    transaction; event_s: from a change of an event input to its reading, at most. note: what the figures leave out.
    """

    bus: str
    node: str
    line: str
    devices: int
    load: float | None
    stretch: float
    requests_per_s: float
    turn_s: float
    event_s: float | None
    groups: tuple[GroupPlan, ...]
    dead: Dead | None
    reliefs: tuple[Relief, ...]
    note: str

    @property
    def fits(self) -> bool:
        return self.load is None or self.load <= FULL


def plan(site: Site, name: str, profiles: Mapping[str, Profile]) -> BusPlan:
    """The plan of one bus of a site without contradictions; it may be more than the bus can carry."""
    bus = site.buses[name]
    units = bus_load.polled(site.devices_on(name), profiles, bus.line)
    pace = bus_load.pace(units)
    groups = _groups(units, pace) if units else _unplanned(site, name, profiles)
    turn_s = max((each.longest for each in units), default=0.0)
    return BusPlan(
        bus=name, node=site.node_of(name), line=bus.describe(), devices=len(site.devices_on(name)),
        load=bus_load.load(units) if units else None, stretch=bus_load.stretch(units, pace),
        requests_per_s=_requests(units, pace), turn_s=turn_s, event_s=_event(units, pace, turn_s),
        groups=groups, dead=_dead(units, bus), reliefs=tuple(reliefs(site, name, profiles)), note=_note(bus),
    )  # fmt: skip


def _groups(units: Sequence[Polled], pace: Pace) -> tuple[GroupPlan, ...]:
    """Devices of one profile whose groups are read alike stand together."""
    alike: dict[tuple[str, Share, float], list[str]] = {}
    for unit in units:
        for share in unit.shares:
            key = unit.profile.profile, share, pace.period(share)
            alike.setdefault(key, []).extend(f"{each.pole}/{each.device}" for each in unit.devices)
    return tuple(
        GroupPlan(
            profile=profile, group=share.name, devices=tuple(devices), event=share.event, every=share.every,
            period=period, reads=share.reads,
        )
        for (profile, share, period), devices in alike.items()
    )  # fmt: skip


def _unplanned(site: Site, bus: str, profiles: Mapping[str, Profile]) -> tuple[GroupPlan, ...]:
    """Devices that are asked on a network each by itself, or that speak by themselves."""
    devices: dict[str, list[str]] = {}
    for device in site.devices_on(bus):
        devices.setdefault(device.profile, []).append(device.id)
    return tuple(
        GroupPlan(
            profile=name, group=group, devices=tuple(held), event=_has_events(profiles[name], group),
            every=poll.every, period=poll.every, reads=_items(profiles[name], group),
        )
        for name, held in devices.items()
        for group, poll in profiles[name].polls.items()
    )  # fmt: skip


def _has_events(profile: Profile, group: str) -> bool:
    return any(point.event for point in profile.points.values() if point.poll == group)


def _items(profile: Profile, group: str) -> tuple[Read, ...]:
    if profile.protocol in (*SPEAK, "wired"):
        return ()
    names = {point.item.name for point in profile.points.values() if point.item is not None and point.poll == group}
    return (Read(what="items", count=len(names), seconds=0.0),)


def _requests(units: Iterable[Polled], pace: Pace) -> float:
    """A second, where groups are read by themselves: those that fall due together need fewer."""
    return sum(len(share.reads) / pace.period(share) for unit in units for share in unit.shares)


def _event(units: Sequence[Polled], pace: Pace, turn_s: float) -> float | None:
    """The input changes just after it was read, and all other event inputs are due before it, each after another."""
    events = [share for unit in units for share in unit.shares if share.event]
    if not events:
        return None
    reads = [read.seconds for share in events for read in share.reads]
    period = max(pace.period(share) for share in events)
    return period + sum(reads) + len(reads) * turn_s


def _dead(units: Sequence[Polled], bus: AnyBus) -> Dead | None:
    if (
        not isinstance(bus, SerialBus | TcpBus | UartBus) or len(units) < 2
    ):  # a device alone on its bus costs nobody anything
        return None
    worst = max(units, key=lambda unit: _unanswered(unit, bus.line))
    others = [unit for unit in units if unit is not worst]
    request_s, share = _unanswered(worst, bus.line), DEAD_SHARE if isinstance(bus, UartBus) else bus.dead_share
    pace = bus_load.pace(others, FULL - share)
    return Dead(
        device=f"{worst.devices[0].pole}/{worst.devices[0].device}", request_s=request_s,
        first_s=FREE_FAILURES * request_s, share=share, load=bus_load.load(others) + share,
        stretch=bus_load.stretch(others, pace),
    )  # fmt: skip


def _unanswered(unit: Polled, line: Line | None) -> float:
    """Seconds that a request to it holds the bus where nothing comes: the wait in place of the usual latency."""
    latency = unit.profile.modbus.latency if unit.profile.modbus else 0.0
    usual = max(latency, line.silence) if line is not None else latency
    return unit.longest - usual + answer_wait(latency)


def _note(bus: AnyBus) -> str:
    match bus:
        case TcpBus(framing="rtu"):
            return (
                "one request at a time; counted is the devices' latency alone. The converter's serial line, whose"
                " speed the site file does not know, needs its characters' time on top"
            )
        case TcpBus():
            return "one request at a time; counted is the devices' latency alone, the network's time comes on top"
        case Dlt645Bus():
            return "one item at a time; counted with the least latency that the standard allows (20 ms)"
        case SerialBus() | UartBus():
            return ""
        case WiredBus():
            return "no bus, so there is no load: the controller reads its own pins"
        case UplinkBus():
            return "no load: the gateway asks each controller in turn for its packs, which take what room there is"
        case Hj212Bus() if bus.port:
            return f"one station on a line of its own, {_SPEAKS}"
    return _SPEAKS if str(bus.protocol) in SPEAK else _ASKED  # type: ignore[attr-defined]  # each kind has its own


_SPEAKS = (
    "nothing is polled, so there is no load: the devices speak by themselves. A group that is not heard for"
    f" {SILENT_PERIODS} of its periods is told as not read"
)
_ASKED = "no load: each device is asked by itself over the network, and none waits for another"
