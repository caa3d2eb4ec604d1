"""Status, birth, command and reply: JSON objects, checked the same way on both sides.

Times are integers, milliseconds since 1970 UTC.
"""

import json

from wire.errors import MessageError
from wire.names import NAME_RULE, is_name

MAX_BYTES = 256 * 1024  # a birth of 512 devices stays well below
MAX_ARGS = 16
REPLY_STATES = ("accepted", "done", "rejected", "failed", "expired")
CLOCK_STATES = ("ok", "unset")

# label -> kind; a kind that ends in ? may be missing
STATUS = {
    "online": "bool",
    "ep": "name",
    "head": "count",
    "stored": "count",
    "pending": "count",
    "dropped": "counts",
    "readings": "count",
    "clock": "text",
    "version": "text",
    "time": "count",
}
BIRTH = {"ep": "name", "version": "text", "time": "count", "profiles": "object", "devices": "array"}
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
    return json.dumps(message).encode()


def decode(body: bytes, labels: dict[str, str]) -> dict[str, object]:
    """Payload -> message. Labels that are not in the table are kept and mean nothing. Raises MessageError."""
    if len(body) > MAX_BYTES:
        raise MessageError("size", "a message has at most %d bytes, not %d" % (MAX_BYTES, len(body)))
    try:
        message = json.loads(str(body, "utf-8"))
    except (ValueError, RuntimeError, MemoryError):
        raise MessageError("json", "the payload is not JSON in UTF-8") from None
    check(message, labels)
    return message  # type: ignore[no-any-return]


def check(message: object, labels: dict[str, str]) -> None:
    """Raises MessageError unless each label of the table is there and of its kind."""
    if not isinstance(message, dict):
        raise MessageError("shape", "the message is an object")
    for label in labels:
        kind = labels[label]
        if label not in message:
            if kind[-1] == "?":
                continue
            raise MessageError("missing", "%s is missing" % label)
        if not _is_kind(message[label], kind.rstrip("?")):
            raise MessageError("value", "%s is %s, not %r" % (label, _KINDS[kind.rstrip("?")], str(message[label])[:80]))
    if labels is BIRTH:
        _check_birth(message)
    elif labels is REPLY and message["state"] not in REPLY_STATES:
        raise MessageError("value", "state is one of %s" % ", ".join(REPLY_STATES))
    elif labels is STATUS and message["clock"] not in CLOCK_STATES:
        raise MessageError("value", "clock is one of %s" % ", ".join(CLOCK_STATES))


_KINDS = {
    "bool": "true or false",
    "name": NAME_RULE,
    "count": "an integer from 0",
    "counts": "an object of integers from 0",
    "text": "a text of at most 256 characters",
    "object": "an object",
    "array": "an array",
    "scalars": "an object of at most 16 names, each with a number, a text, true or false",
}


def _is_kind(value: object, kind: str) -> bool:
    if kind == "bool":
        return value is True or value is False
    if kind == "name":
        return is_name(value)
    if kind == "count":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
    if kind == "text":
        return isinstance(value, str) and len(value) <= 256
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
    if isinstance(value, float):
        return value - value == 0
    return isinstance(value, int) or (isinstance(value, str) and len(value) <= 256)


def _check_birth(message: dict[str, object]) -> None:
    # {"profiles": {"sdm120": {"version": 1, "function": "energy", "points": {"voltage": {"unit": "V"}}}},
    #  "devices": [{"pole": "P0001", "device": "meter-1", "profile": "sdm120"}]}
    profiles: dict[str, dict[str, object]] = message["profiles"]  # type: ignore[assignment]
    for name in profiles:
        profile = profiles[name]
        if not is_name(name) or not isinstance(profile, dict) or not _is_kind(profile.get("version"), "count"):
            raise MessageError("birth", "a profile has a name and a version: %r" % str(name)[:80])
        points = profile.get("points")
        if not is_name(profile.get("function")) or not isinstance(points, dict):
            raise MessageError("birth", "profile %s has a function and points" % name)
        for point in points:
            _check_point(name, point, points[point])
    devices: list[dict[str, object]] = message["devices"]  # type: ignore[assignment]
    for device in devices:
        if not isinstance(device, dict) or not is_name(device.get("pole")) or not is_name(device.get("device")):
            raise MessageError("birth", "a device has a pole and a name: %r" % str(device)[:80])
        if device.get("profile") not in profiles:
            raise MessageError("birth", "device %s has a profile of this birth" % device["device"])


def _check_point(profile: str, name: object, point: object) -> None:
    # "function" stands where the point belongs to another function than its profile's
    if not is_name(name) or not isinstance(point, dict) or not _is_kind(point.get("unit"), "text"):
        raise MessageError("birth", "a point of profile %s has a name and a unit: %r" % (profile, str(name)[:80]))
    if "function" in point and not is_name(point["function"]):
        raise MessageError("birth", "the function of point %s is a name" % name)
