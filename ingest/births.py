"""A birth's payload -> which devices it names, and what is known of their points.

Ten thousand births name the same few profiles. What a text of profiles says is read once; after that a birth is read
by msgspec, as long as nothing in it asks for a second look. Whatever else there is takes the long way of `wire`.
"""

from typing import Any

import msgspec

from device_profiles import loader
from device_profiles.schema import Profile
from ingest.rows import OWN, Points, Rule
from wire import messages
from wire.errors import MessageError
from wire.names import is_epoch, is_name, is_text
from wire.numbers import is_count

TEXTS = 1000  # of profiles that are remembered

Named = dict[str, Points]  # by "pole/device/", as a base name has it
Facts = tuple[tuple[str, str, str, float | None, float | None], ...]  # point, function, unit, low, high


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
    """Points that are the same are one object, whatever births told them."""

    def __init__(self) -> None:
        self._profiles = loader.profiles()  # read now: the first birth must not wait for it
        self._points: dict[Facts, Points] = {}
        self._told: dict[bytes, dict[str, Points]] = {}  # text of profiles -> points of each

    def read(self, body: bytes) -> tuple[Named, Named]:
        """(the devices that it names, those that it had before). Raises MessageError."""
        fast = self._fast(body)
        if fast is not None:
            return fast
        birth = messages.decode(body, messages.BIRTH)
        profiles: dict[str, dict[str, Any]] = birth["profiles"]  # type: ignore[assignment]
        points = {name: self.shared(_announced(self._profiles.get(name), told)) for name, told in profiles.items()}
        self._remember(body, points)
        here, former = birth["devices"], birth.get("former", [])
        return self._named(_devices(here), points), self._named(_devices(former), points)

    def shared(self, facts: Facts) -> Points:
        """The object of these facts."""
        points = self._points.get(facts)
        if points is None:
            points = self._points[facts] = Points(Rule(*fact) for fact in facts)
        return points

    def united(self, before: Points | None, now: Points) -> Points:
        """A device that became another one still has readings of before."""
        if before is None or before is now:
            return now
        return self.shared(tuple({fact[0]: fact for fact in facts_of(before) + facts_of(now)}.values()))

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

    def _remember(self, body: bytes, points: dict[str, Points]) -> None:
        birth = _usual(body)
        if birth is not None:
            if len(self._told) >= TEXTS:
                self._told.clear()
            self._told[bytes(birth.profiles)] = points

    def _named(self, devices: list[tuple[str, str, str]], points: dict[str, Points]) -> Named:
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


def _announced(profile: Profile | None, told: dict[str, Any]) -> Facts:
    if profile is not None and profile.version != told["version"]:
        profile = None  # its ranges may have changed
    out = []
    for point, facts in told["points"].items():
        known = profile.points.get(point) if profile is not None else None
        low, high = known.range if known is not None and known.range is not None else (None, None)
        function = str(facts.get("function", told["function"]))
        if function in OWN:  # one float among them, and the ledger of all nodes is refused
            raise MessageError("birth", f"{function} is no function: ingest keeps that measurement for itself")
        out.append((point, function, str(facts["unit"]), low, high))
    return tuple(out)
