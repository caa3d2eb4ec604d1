"""Status, birth, command and reply: JSON objects, checked the same way on both sides.

Times are integers, milliseconds since 1970 UTC.
"""

import json

from wire.errors import MessageError, shown
from wire.names import NAME_RULE, is_epoch, is_name, is_text
from wire.numbers import is_count, is_number
from wire.payloads import check_size, load

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
    "release": "scalars?",
    "release_refused": "scalars?",
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
    "reset": "text?",
    "crash": "text?",
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
        from wire.births import check_birth  # a controller sends none that it has to check

        check_birth(message)
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
        return is_count(value)
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
