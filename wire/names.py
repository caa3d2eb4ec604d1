"""Names of areas, nodes, poles, devices and points: one rule for topics, packs and the database."""

MAX_NAME = 64
NAME_RULE = "1 to 64 of the characters A-Z a-z 0-9 . _ -, the first a letter or a digit"

_FIRST = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_REST = _FIRST + "._-"


def is_name(text: object) -> bool:
    """True when text is a name that may stand in a topic, a base name and a tag."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_NAME or text[0] not in _FIRST:
        return False
    for char in text:  # noqa: SIM110  MicroPython: a generator would allocate
        if char not in _REST:
            return False
    return True
