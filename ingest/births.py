"""A birth's payload -> which devices it names, and what is known of their points.

Ten thousand births name the same few profiles. What a text of profiles says is read once; after that a birth is read
by msgspec, as long as nothing in it asks for a second look. Whatever else there is takes the long way of `wire`.
"""

from collections.abc import Iterable
from sys import float_info
from typing import Any

import msgspec

from device_profiles import loader
from device_profiles.schema import Profile
from ingest.rows import OWN, Points, Rule
from wire import messages
from wire.errors import MessageError
from wire.names import is_epoch, is_name, is_text
from wire.numbers import is_count

MOST_POINTS = 100_000  # of all profiles that nodes have; those that come with Multipole have 482
MOST_POINTS_OF_NODE = 2_000  # of its profiles, so that one node alone cannot take what is there for all
MOST_STEPS = 300_000  # of the ways in which devices of all profiles tell their points
TEXTS, TEXTS_BYTES, TEXTS_POINTS = 1000, 16_000_000, 10_000  # of profiles that are remembered

Facts = tuple[tuple[str, str, str, float | None, float | None], ...]  # point, function, unit, low, high


class Kind(Points):
    """Points that births told. users: nodes that have them, and texts that are remembered; number: what stands for
    them in the registry's file, 0 where nothing does."""

    __slots__ = ("number", "users")

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        super().__init__(rules)
        self.users = self.number = 0


_NOWHERE = Points().start

Named = dict[str, Kind]  # by "pole/device/", as a base name has it


class _Device(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    pole: str
    device: str
    profile: str


class _Birth(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    ep: str
    version: str
    time: int
    profiles: msgspec.Raw
    devices: list[_Device]
    former: list[_Device] = []


_decode = msgspec.json.Decoder(_Birth).decode


class Births:
    """Points that are the same are one object, whatever births told them, as long as somebody uses it."""

    def __init__(self) -> None:
        self._profiles = loader.profiles()  # read now: the first birth must not wait for it
        self._numbers = _numbers(self._profiles.values())
        self._kinds: dict[Facts, Kind] = {}
        self._points = 0  # of all kinds
        self._idle: list[Kind] = []  # which nobody may have
        self._told: dict[bytes, dict[str, Kind]] = {}  # text of profiles -> points of each
        self._told_bytes = self._told_points = 0

    def read(self, body: bytes) -> tuple[Named, Named]:
        """(the devices that it names, those that it had before). Raises MessageError."""
        fast = self._fast(body)
        if fast is not None:
            return fast
        birth = messages.decode(body, messages.BIRTH)
        profiles: dict[str, dict[str, Any]] = birth["profiles"]  # type: ignore[assignment]
        facts = {name: _announced(self._profiles.get(name), told, self._numbers) for name, told in profiles.items()}
        if sum(map(len, facts.values())) > MOST_POINTS_OF_NODE:
            raise MessageError("full", f"the profiles of a node have at most {MOST_POINTS_OF_NODE} points")
        points = {name: self.shared(each) for name, each in facts.items()}
        self._remember(body, points)
        here, former = birth["devices"], birth.get("former", [])
        return self._named(_devices(here), points), self._named(_devices(former), points)

    def shared(self, facts: Facts, *, bounded: bool = True) -> Kind:
        """The object of these facts. Raises MessageError where there are too many."""
        kind = self._kinds.get(facts)
        if kind is None:
            if bounded and self._points + len(facts) > MOST_POINTS:
                raise MessageError("full", f"the profiles of all nodes have {MOST_POINTS} points, which is the most")
            kind = self._kinds[facts] = Kind(Rule(*fact) for fact in facts)
            self._points += len(facts)
            self._idle.append(kind)
        return kind

    def united(self, before: Kind | None, now: Kind) -> Kind:
        """A device that became another one still has readings of before. Raises MessageError."""
        if before is None or before is now:
            return now
        return self.shared(tuple({fact[0]: fact for fact in facts_of(before) + facts_of(now)}.values()))

    def use(self, had: Iterable[Kind], has: Iterable[Kind]) -> None:
        """What a node had before its birth, and has now; each kind once."""
        for kind in has:
            kind.users += 1
        for kind in had:
            kind.users -= 1
            self._idle.append(kind)

    def settle(self) -> None:
        """After each birth: what nobody uses is forgotten."""
        idle, self._idle = self._idle, []
        for kind in idle:
            if not kind.users and self._kinds.pop(facts_of(kind), None) is not None:
                self._points -= len(kind)
                kind.forget()
                kind.start = _NOWHERE  # which else refers to it, and it would wait for the garbage collector

    def look(self) -> None:
        """Now and then: devices that tell their points in ever new orders, of many profiles, must not fill us."""
        if sum([kind.steps for kind in self._kinds.values()]) > MOST_STEPS:
            for kind in self._kinds.values():
                kind.forget()

    def kinds(self) -> list[Kind]:
        """All that there are. May be asked by another thread."""
        return list(self._kinds.values())

    def _fast(self, body: bytes) -> tuple[Named, Named] | None:
        birth = _usual(body)
        if birth is None:
            return None
        points = self._told.get(bytes(birth.profiles))
        if points is None or not (is_epoch(birth.ep) and is_text(birth.version, messages.MAX_TEXT)):
            return None
        if not is_count(birth.time):
            return None
        for each in birth.devices + birth.former:
            if each.profile not in points or not is_name(each.pole) or not is_name(each.device):
                return None
        here = [(each.pole, each.device, each.profile) for each in birth.devices]
        former = [(each.pole, each.device, each.profile) for each in birth.former]
        return self._named(here, points), self._named(former, points)

    def _remember(self, body: bytes, points: dict[str, Kind]) -> None:
        birth = _usual(body)
        if birth is None or (text := bytes(birth.profiles)) in self._told:
            return
        count = sum(map(len, points.values()))
        full = self._told_bytes + len(text) > TEXTS_BYTES or self._told_points + count > TEXTS_POINTS
        if full or len(self._told) >= TEXTS:
            self._forget()
        self._told[text] = points
        self._told_bytes += len(text)
        self._told_points += count
        for kind in points.values():
            kind.users += 1

    def _forget(self) -> None:
        for points in self._told.values():
            for kind in points.values():
                kind.users -= 1
                self._idle.append(kind)
        self._told.clear()
        self._told_bytes = self._told_points = 0

    def _named(self, devices: list[tuple[str, str, str]], points: dict[str, Kind]) -> Named:
        out: Named = {}
        for pole, device, profile in devices:
            name = f"{pole}/{device}/"
            out[name] = self.united(out.get(name), points[profile])
        return out


def facts_of(points: Points) -> Facts:
    """What it was made of."""
    return tuple((point, *rule.facts) for point, rule in points.items())


def _usual(body: bytes) -> _Birth | None:
    if len(body) > messages.MAX_BYTES:
        return None
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _devices(told: object) -> list[tuple[str, str, str]]:
    return [(each["pole"], each["device"], each["profile"]) for each in told]  # type: ignore[attr-defined]


def _numbers(profiles: Iterable[Profile]) -> frozenset[tuple[str, str]]:
    """(function, point) of what our profiles know as numbers."""
    return frozenset(
        (each.function or profile.function, point)
        for profile in profiles
        for point, each in profile.points.items()
        if each.range is not None
    )


def _announced(profile: Profile | None, told: dict[str, Any], numbers: frozenset[tuple[str, str]]) -> Facts:
    if profile is not None and profile.version != told["version"]:
        profile = None  # its ranges may have changed
    out = []
    for point, facts in told["points"].items():
        known = profile.points.get(point) if profile is not None else None
        low, high = known.range if known is not None and known.range is not None else (None, None)
        function = str(facts.get("function", told["function"]))
        if function in OWN:  # one float among them, and the ledger of all nodes is refused
            raise MessageError("birth", f"{function} is no function: ingest keeps that measurement for itself")
        if low is None and (function, point) in numbers:  # one text among them, and an InfluxDB refuses those of all
            low, high = -float_info.max, float_info.max
        out.append((point, function, str(facts["unit"]), low, high))
    return tuple(out)
