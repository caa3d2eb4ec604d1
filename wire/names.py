"""Names of areas, nodes, poles, devices and points: one rule for topics, packs and the database. Texts and epochs."""

MAX_NAME = 64
NAME_RULE = "1 to 64 of the characters A-Z a-z 0-9 . _ -, the first a letter or a digit"

_FIRST = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_REST = _FIRST + "._-"


def is_name(text: object) -> bool:
    """True when text is a name that may stand in a topic, a base name and a tag."""
    return isinstance(text, str) and 0 < len(text) <= MAX_NAME and text[0] in _FIRST and has_only(text, _REST)


def is_epoch(text: object) -> bool:
    """True for the epoch of a spool: 8 lower-case hexadecimal digits."""
    return isinstance(text, str) and len(text) == 8 and has_only(text, "0123456789abcdef")


def has_only(text: str, allowed: str) -> bool:
    """True when each character of text is one of allowed."""
    return not text.strip(allowed)  # strip stops at the first character that is not allowed


def is_text(text: object, most: int) -> bool:
    """True for a str of at most `most` characters that UTF-8 can carry (JSON can escape half a surrogate pair)."""
    if not isinstance(text, str) or len(text) > most:
        return False
    try:
        text.encode()
    except UnicodeError:
        return False
    return True
