"""LED screens that speak the Multivision text protocol over TCP: values IN, frames OUT, and back.

    SOH LEDS <verb> <id> = <value> CR     sets; the controller does not answer
    SOH LEDG <verb> <id> = ? CR           asks
    SOH LEDR <verb> <id> = <value> CR     the answer

<id> is two digits: one control computer drives several screens. Source: the package ledwallcontroller 0.2.0 (its
description, code and tests), which knows one verb: BRIGH, brightness, 0 to 100. An item's name is the verb.
"""

import re
import unicodedata
from dataclasses import dataclass

from protocols.address import split as split_address
from protocols.errors import BadAnswer

Raw = int | float | bool | str | bytes

PORT = 4010  # the reference package's default
FIRST_ID = 1
SOH, CR = b"\x01", b"\r"
MOST_VALUE = 240  # bytes
MOST_FRAME = 4 + 16 + 2 + 1 + MOST_VALUE  # between SOH and CR
_FRAME = re.compile(rb"LED([SGR])([A-Z]{1,16})([0-9]{2})=([^\x00-\x1f\x7f]*)")
NAMES = r"[A-Z]{1,16}"  # of items, as a pattern
_SCREEN = re.compile(r"[0-9]{1,2}")


@dataclass(frozen=True)
class Frame:
    """kind: S sets, G asks, R answers."""

    kind: str
    verb: str
    screen: int
    value: str


def place(address: str) -> tuple[str, int, int]:
    """ "10.0.0.7", "10.0.0.7:4010", "10.0.0.7:4010#02" -> (host, port, the screen's id). Raises ValueError."""
    where, mark, screen = address.partition("#")
    if mark and not _SCREEN.fullmatch(screen):
        raise ValueError(f"'{screen}' is no screen's id: after # stand one or two digits, as in 10.0.0.7:{PORT}#02")
    return *split_address(where, PORT), int(screen) if mark else FIRST_ID


def encode(kind: str, verb: str, screen: int, value: Raw = "?") -> bytes:
    """One frame. Raises ValueError, with what is wrong with the value."""
    if not re.fullmatch(NAMES, verb):
        raise ValueError(f"a verb is 1 to 16 letters from A to Z, not {verb[:20]!r}")
    if not 0 <= screen <= 99:
        raise ValueError(f"a screen's id is 0 to 99, not {screen}")
    return SOH + f"LED{kind}{verb}{screen:02d}=".encode() + _value(value) + CR


def _value(value: Raw) -> bytes:
    if isinstance(value, bytes):
        raise ValueError("a value is a number or a text")
    written = str(int(value)) if isinstance(value, bool | int) or _whole(value) else str(value)
    for place, letter in enumerate(written):
        # a frame ends at a control character, and what follows one would be a frame of its own
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp"):
            raise ValueError(
                f"the text has the character U+{ord(letter):04X} at place {place + 1}; a screen takes one line"
            )
    encoded = written.encode()
    if len(encoded) > MOST_VALUE:
        raise ValueError(f"the text takes {len(encoded)} bytes in UTF-8, {MOST_VALUE} are the most")
    return encoded


def _whole(value: Raw) -> bool:
    return isinstance(value, float) and value.is_integer()


def split(received: bytes) -> tuple[bytes | None, bytes]:
    """Bytes so far -> (the first frame without SOH and CR, the rest); None where it is not whole.

    What stands before a SOH is noise and left out; a SOH within a frame begins it anew. Raises BadAnswer for a frame
    that is too long: the rest is then not worth waiting for.
    """
    start = received.find(SOH)
    if start < 0:
        return None, b""
    end = received.find(CR, start)
    start = received.rfind(SOH, start, end if end >= 0 else len(received))
    if (end if end >= 0 else len(received)) - start - 1 > MOST_FRAME:
        raise BadAnswer("length", f"a frame of more than {MOST_FRAME} bytes")
    return (None, received[start:]) if end < 0 else (received[start + 1 : end], received[end + 1 :])


def decode(frame: bytes) -> Frame:
    """A frame without SOH and CR. Raises BadAnswer."""
    match = _FRAME.fullmatch(frame)
    if match is None:
        raise BadAnswer("header", f"no frame of a screen: {frame[:24]!r}")
    try:
        return Frame(match[1].decode(), match[2].decode(), int(match[3]), match[4].decode())
    except UnicodeDecodeError:
        raise BadAnswer("noise", "the value is no UTF-8") from None


def raw(value: str) -> Raw:
    """A value as it stands in a frame -> a number where it is written as one, else the text; str() leads back."""
    return int(value) if re.fullmatch(r"0|-?[1-9][0-9]{0,8}", value) else value


def answer(verb: str, screen: int, frame: bytes) -> Raw | None:
    """What a frame says to the question after `verb`; None where it is another screen's or another verb's answer.

    Raises BadAnswer.
    """
    told = decode(frame)
    return raw(told.value) if (told.kind, told.verb, told.screen) == ("R", verb, screen) else None


def items(request: bytes, response: bytes) -> dict[str, Raw]:
    """One exchange -> {verb: value}: a question and its answer. Raises BadAnswer."""
    asked, rest = split(request)
    question = decode(asked or b"")
    if question.kind != "G" or rest:
        raise BadAnswer("header", "the request asks nothing")
    while True:
        frame, response = split(response)
        if frame is None:
            raise BadAnswer("short", "no whole frame")
        told = decode(frame)
        if (told.kind, told.verb) == ("R", question.verb):
            if told.screen != question.screen:
                raise BadAnswer("address", f"screen {told.screen:02d} answered for {question.screen:02d}")
            return {told.verb: raw(told.value)}
