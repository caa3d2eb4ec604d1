"""JSON payloads: how many bytes, then the text, then the JSON; the same for every channel."""

import json

from wire.errors import WireError


def load(body: bytes, most: int, error: type[WireError]) -> object:
    """Payload -> what its JSON says. Raises error with reason size, json or memory."""
    check_size(body, most, error)
    try:
        return json.loads(str(body, "utf-8"))
    except MemoryError:
        raise error("memory", "no room for a payload of %d bytes" % len(body)) from None
    except (ValueError, RuntimeError):  # RuntimeError: nested too deep
        raise error("json", "the payload is not JSON in UTF-8") from None


def check_size(body: bytes, most: int, error: type[WireError]) -> None:
    """Raises error with reason size when body has more bytes than `most`."""
    if len(body) > most:
        raise error("size", "a payload has at most %d bytes here, not %d" % (most, len(body)))
