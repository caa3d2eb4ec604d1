"""Status, birth, command and reply: JSON objects, checked the same way on both sides.

Times are integers, milliseconds since 1970 UTC.
"""

import json

from wire.errors import MessageError, shown
from wire.names import NAME_RULE, is_epoch, is_name, is_text
from wire.payloads import check_size, load
from wire.senml import EXACT_INTEGER, MAX_UNIT, is_number

MAX_BYTES = 256 * 1024  # a birth of 512 devices stays well below
MAX_TEXT = 256  # characters
MAX_ARGS = 16
REPLY_STATES = ("accepted", "done", "rejected", "failed", "expired")
CLOCK_STATES = ("ok", "unset")

# label -> kind; a kind that ends in ? may be missing
# A status counts packs, and head == stored + pending + the sum of dropped; readings is how many head packs hold.
STATUS = {
    "online": "bool",
    "ep": "epoch",
    "head": "count",
    "stored": "count",
    "pending": "count",
    "dropped": "counts",
    "readings": "count",
    "clock": "text",
    "unclocked": "count?",
    "clock_steps": "count?",
    "synchronised": "bool?",
    "config": "scalars?",
    "config_refused": "scalars?",
    "version": "text",
    "time": "count",
}
BIRTH = {
    "ep": "epoch",
    "version": "text",
    "time": "count",
    "profiles": "object",
    "devices": "array",
    "former": "array?",
}
COMMAND = {
    "id": "name",
    "issued": "count",
    "expires": "count",
    "issuer": "name",
    "pole": "name",
    "device": "name",
    "action": "name",
    "args": "scalars",
}
REPLY = {"id": "name", "state": "text", "time": "count", "reason": "text?", "read_back": "scalars?"}


def encode(message: dict[str, object], labels: dict[str, str]) -> bytes:
    """Message -> payload. Raises MessageError."""
    check(message, labels)
    body = json.dumps(message).encode()
    check_size(body, MAX_BYTES, MessageError)
    return body


def decode(body: bytes, labels: dict[str, str]) -> dict[str, object]:
    """Payload -> message. Labels that are not in the table are kept and mean nothing. Raises MessageError."""
    message = load(body, MAX_BYTES, MessageError)
    check(message, labels)
    return message  # type: ignore[return-value]


def check(message: object, labels: dict[str, str]) -> None:
    """Raises MessageError unless each label of the table is there and of its kind."""
    if not isinstance(message, dict):
        raise MessageError("shape", "the message is an object, not %s" % shown(message))
    for label in labels:
        kind = labels[label]
        if label in message:
            _check_kind(label, message[label], kind.rstrip("?"))
        elif kind[-1] != "?":
            raise MessageError("missing", "%s is missing" % label)
    if labels is BIRTH:
        _check_birth(message)
    elif labels is REPLY:
        _check_choice("state", message["state"], REPLY_STATES)
    elif labels is STATUS:
        _check_choice("clock", message["clock"], CLOCK_STATES)


_KINDS = {
    "bool": "true or false",
    "name": NAME_RULE,
    "epoch": "8 lower-case hexadecimal digits",
    "count": "an integer from 0",
    "counts": "an object of integers from 0",
    "text": "a text of at most %d characters" % MAX_TEXT,
    "object": "an object",
    "array": "an array",
    "scalars": "an object of at most %d names, each with a number, a text, true or false" % MAX_ARGS,
}


def _check_kind(label: str, value: object, kind: str) -> None:
    if not _is_kind(value, kind):
        raise MessageError("value", "%s is %s; not %s" % (label, _KINDS[kind], shown(value)))


def _check_choice(label: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise MessageError("value", "%s is one of %s; not %s" % (label, ", ".join(choices), shown(value)))


def _is_kind(value: object, kind: str) -> bool:
    if kind == "bool":
        return value is True or value is False
    if kind == "name":
        return is_name(value)
    if kind == "epoch":
        return is_epoch(value)
    if kind == "count":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= EXACT_INTEGER
    if kind == "text":
        return is_text(value, MAX_TEXT)
    if kind == "array":
        return isinstance(value, list)
    if not isinstance(value, dict):
        return False
    if kind == "counts":
        return all([is_name(label) and _is_kind(value[label], "count") for label in value])
    if kind == "scalars":
        return len(value) <= MAX_ARGS and all([is_name(label) and _is_scalar(value[label]) for label in value])
    return True


def _is_scalar(value: object) -> bool:
    return value is True or value is False or is_number(value) or is_text(value, MAX_TEXT)


def _check_birth(message: dict[str, object]) -> None:
    # {"profiles": {"sdm120": {"version": 1, "function": "energy", "points": {"voltage": {"unit": "V"}}}},
    #  "devices": [{"pole": "P0001", "device": "meter-1", "profile": "sdm120"}]}
    profiles: dict[str, dict[str, object]] = message["profiles"]  # type: ignore[assignment]
    for name in profiles:
        _check_profile(name, profiles[name])
    devices: list[dict[str, object]] = message["devices"]  # type: ignore[assignment]
    former: list[dict[str, object]] = message.get("former", [])  # type: ignore[assignment]
    for device in devices + former:
        if not isinstance(device, dict) or not is_name(device.get("pole")) or not is_name(device.get("device")):
            raise MessageError("birth", "a device has a pole and a name: %s" % shown(device))
        profile = device.get("profile")
        if not isinstance(profile, str) or profile not in profiles:
            raise MessageError("birth", "device %s has a profile of this birth" % device["device"])


def _check_profile(name: object, profile: object) -> None:
    if not is_name(name) or not isinstance(profile, dict) or not _is_kind(profile.get("version"), "count"):
        raise MessageError("birth", "a profile has a name and a version: %s" % shown(name))
    points = profile.get("points")
    if not is_name(profile.get("function")) or not isinstance(points, dict):
        raise MessageError("birth", "profile %s has a function and points" % name)
    for point in points:
        _check_point(name, point, points[point])


def _check_point(profile: object, name: object, point: object) -> None:
    # "function" stands where the point belongs to another function than its profile's
    if not is_name(name) or not isinstance(point, dict) or not is_text(point.get("unit"), MAX_UNIT):
        raise MessageError("birth", "a point of profile %s has a name and a unit: %s" % (profile, shown(name)))
    if "function" in point and not is_name(point["function"]):
        raise MessageError("birth", "the function of point %s is a name" % name)
