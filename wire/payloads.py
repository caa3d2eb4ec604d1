"""JSON payloads: how many bytes, then the text, then the JSON; the same for every channel."""

import json
import sys

from wire.errors import WireError

# MicroPython 1.25 reads "[[1,2" as [[1, 2]]: a payload that was cut would pass for a whole one.
_JSON_TAKES_TORN = sys.implementation.name == "micropython"


def load(body: bytes, most: int, error: type[WireError]) -> object:
    """Payload -> what its JSON says. Raises error with reason size, json or memory."""
    check_size(body, most, error)
    try:
        if _JSON_TAKES_TORN and not is_whole(body):
            raise ValueError
        return json.loads(str(body, "utf-8"))
    except MemoryError:
        raise error("memory", "no room for a payload of %d bytes" % len(body)) from None
    except (ValueError, RuntimeError):  # RuntimeError: nested too deep
        raise error("json", "the payload is not JSON in UTF-8") from None


def check_size(body: bytes, most: int, error: type[WireError]) -> None:
    """Raises error with reason size when body has more bytes than `most`."""
    if len(body) > most:
        raise error("size", "a payload has at most %d bytes here, not %d" % (most, len(body)))


def is_whole(body: bytes) -> bool:
    """True when every bracket, brace and quote of a JSON text is closed again."""
    depth = 0
    quoted = escaped = False
    for byte in body:
        if escaped:
            escaped = False
        elif quoted:
            escaped = byte == 0x5C  # backslash
            quoted = byte != 0x22  # quote
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
        elif byte in b"]}":
            depth -= 1
    return depth == 0 and not quoted
