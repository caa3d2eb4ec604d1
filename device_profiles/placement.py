"""Where a value stands: each protocol has one way to say it, and one form of name."""

import re
from collections.abc import Iterator, Sequence

from device_profiles import wired
from device_profiles.items import NAMES
from device_profiles.schema import Command, Item, Point, Profile
from device_profiles.wording import Fault, choices, suggestion

# protocol -> keys of which one says where a point stands; all others: item
PLACES = {"modbus": ("at",), "gateway": ("counter",), "wired": wired.PLACES}
PLACED = ("at", "item", *wired.PLACES, "counter")
WRITTEN = {"modbus": ("write",), "wired": ("lamp",)}  # the same of a command
SPOKEN_BY = {key: spoken for spoken, keys in PLACES.items() for key in keys}
NO_SCALE = "0 makes every value the same. Leave it out, or write the device's factor, as in 0.1."
# What the gateway counts about itself; the gateway supplies exactly these.
COUNTERS = (
    "uptime_s", "spool_pending", "spool_bytes", "packs_dropped", "readings_produced",
    "bus_requests", "bus_timeouts", "bus_errors", "memory_bytes",
)  # fmt: skip
# What it counts of each of its buses; a bus's driver supplies those that it knows.
BUS_COUNTERS = (
    "load", "planned_load", "stretch", "lost_share", "silent", "line_down",
    "requests", "timeouts", "errors", "crc_errors", "exceptions", "busy", "late", "missed",
)  # fmt: skip
# What a controller counts about itself.
CONTROLLER_COUNTERS = (
    "uptime_s", "spool_pending", "spool_bytes", "packs_dropped", "readings_produced",
    "bus_requests", "bus_timeouts", "bus_errors", "memory_free", "resets",
)  # fmt: skip
READ_ONLY = ("dlt645", "snmp", "sip", "chirpstack", "gateway")  # the gateway writes nothing to devices of these
COMMANDS = {
    "onvif": ("goto_preset", "reboot"),
    "ocpp": ("remote_start", "remote_stop", "current_limit", "availability", "unlock", "reset"),
}


def protocol(profile: Profile) -> list[Fault]:
    """One fault where the profile says another protocol than it is written for; then no other is worth saying."""
    meant = _written_for(profile)
    if not meant:
        return []
    wanted = PLACES.get(profile.protocol, ("item",))
    text = f"{profile.protocol}, but every point is written for {choices(meant)}."
    return [(("protocol",), f"{text} Write {choices(meant)} here, or give each point {_hint(profile, wanted)}.")]


def _hint(profile: Profile, wanted: Sequence[str]) -> str:
    if wanted[0] == "item":
        return f"an item of {profile.protocol}: {NAMES[profile.protocol][1]}"
    if profile.protocol == "wired":
        return f"what it is read from: {choices(wanted)}"
    return "its register, as in at: {table: holding, address: 0, type: uint16}" if wanted[0] == "at" else "its counter"


def _written_for(profile: Profile) -> list[str]:
    """The protocols that all points agree on, where the profile says another."""
    held = {tuple(key for key in PLACED if getattr(point, key) is not None) for point in profile.points.values()}
    meant = {SPOKEN_BY.get(keys[0], "item") if len(keys) == 1 else "" for keys in held}
    if len(meant) != 1 or (spoken := meant.pop()) == "":
        return []
    if spoken != "item":
        return [spoken] if spoken != profile.protocol else []
    names = [point.item.name for point in profile.points.values() if point.item is not None]
    if any(re.fullmatch(NAMES[profile.protocol][0], name) for name in names) if profile.protocol in NAMES else False:
        return []
    if profile.protocol in NAMES and len(names) == 1:
        return []  # as likely one wrong name
    return [other for other, (pattern, _) in NAMES.items() if all(re.fullmatch(pattern, name) for name in names)]


def faults(profile: Profile) -> Iterator[Fault]:
    """(key path, text) for each point that does not say where it stands in the way of its protocol."""
    if profile.protocol == "modbus" and profile.modbus is None:
        text = (
            "modbus is missing. The protocol is modbus: add `modbus: {unit: 1, baud: 9600}` with the factory settings."
        )
        yield (), text
    if profile.protocol != "modbus" and profile.modbus is not None:
        yield ("modbus",), f"the protocol is {profile.protocol}, which has no modbus section. Delete it."
    yield from wired.faults(profile)
    for name, point in profile.points.items():
        keys = ("points", name)
        yield from _place(profile.protocol, keys, point, PLACES.get(profile.protocol, ("item",)), PLACED)
        if point.item is not None and profile.protocol in NAMES:
            yield from item(profile.protocol, (*keys, "item"), point.item)
        known = tuple(dict.fromkeys(COUNTERS + BUS_COUNTERS + CONTROLLER_COUNTERS))
        if point.counter is not None and point.counter not in known:
            text = f"'{point.counter}' is not a counter of the gateway.{suggestion(point.counter, known)}"
            yield (*keys, "counter"), f"{text} There are {', '.join(known)}."


def command(spoken: str, keys: tuple[str, ...], holder: Command) -> Iterator[Fault]:
    """(key path, text) where a command does not say what is written in the way of its protocol."""
    yield from _place(spoken, keys, holder, WRITTEN.get(spoken, ("item",)), ("write", "item", "lamp"))
    known = COMMANDS.get(spoken, ())
    if known and holder.item is not None and re.sub(r"^\d+:", "", holder.item.name) not in known:
        text = f"'{holder.item.name}' is not a command of {spoken}.{suggestion(holder.item.name, known)}"
        yield (*keys, "item", "name"), f"{text} There are {', '.join(known)}."


def _place(
    spoken: str, keys: tuple[str, ...], holder: Point | Command, wanted: Sequence[str], kinds: Sequence[str]
) -> Iterator[Fault]:
    given = [kind for kind in kinds if getattr(holder, kind) is not None]
    held = [kind for kind in given if kind in wanted]
    unwanted = next((kind for kind in given if kind not in wanted), None)
    if len(held) > 1:
        yield (*keys, held[1]), f"{held[0]} is given too: a value stands in one place. Delete one of both."
    elif held:
        if unwanted:
            yield (*keys, unwanted), f"the protocol is {spoken}, which has no {unwanted}. Delete it."
    elif unwanted:
        text = f"the protocol is {spoken}, which has no {unwanted}. Write {choices(wanted)} in its place."
        yield (*keys, unwanted), text
    else:
        yield keys, f"{choices(wanted)} is missing. The protocol is {spoken}: say where the value stands."


def item(spoken: str, keys: tuple[str, ...], told: Item) -> Iterator[Fault]:
    """(key path, text) for each key of an item that its protocol, or its type, does not have."""
    pattern, words = NAMES[spoken]
    if not re.fullmatch(pattern, told.name):
        near = suggestion(told.name, re.split(r", | or ", words))
        yield (*keys, "name"), f"'{told.name}' is not an item of {spoken}. It is {words}.{near}"
    if told.scale == 0:
        yield (*keys, "scale"), NO_SCALE
    if told.type != "number":
        for key in ("scale", "offset", "decimals", "number"):
            # a bit of a LoRaWAN payload is a byte that is not 0
            if key in told.model_fields_set and (key, told.type, spoken) != ("number", "bool", "chirpstack"):
                yield (*keys, key), f"a {told.type} has no {key}. Delete it."
    for key, owner in (("byte", "chirpstack"), ("number", "chirpstack")):
        if spoken != owner and key in told.model_fields_set:
            yield (*keys, key), f"only items of {owner} have {key}. Delete it."
    if spoken == "chirpstack" and told.byte is not None and told.number is None and told.type == "number":
        yield keys, "number is missing. It says how the bytes that begin at `byte` hold the value."
