"""Messages with a head of lines, as RTSP (RFC 2326) and HTTP/1 write them: bytes IN, status, headers and body OUT."""

import re
from dataclasses import dataclass, replace

from protocols.errors import BadAnswer

MOST_HEAD, MOST_BODY = 16_384, 65_536
_FRAME_MARK = b"$"  # interleaved media, which nobody here asked for (RFC 2326, 10.12)
_STATUS = re.compile(rb"(?:RTSP|HTTP)/1\.[01] ([1-5][0-9]{2})(?: ([^\r\n]*))?")
_REQUEST = re.compile(rb"[A-Z_]{1,20} \S{1,1024} (?:RTSP|HTTP)/1\.[01]")


@dataclass(frozen=True)
class Message:
    """A response, or (where status is 0) a request, with its first line as the reason. Header names are small."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        """Its first value; empty where there is none."""
        return next(iter(self.all(name)), "")


def split(received: bytes) -> tuple[Message, bytes] | None:
    """Bytes so far -> (the first message, what follows it); None where more is needed. Raises BadAnswer."""
    if received[:1] == _FRAME_MARK:
        raise BadAnswer("noise", "media came that nobody asked for")
    if received[:1] and not received[:1].isalpha():
        raise BadAnswer("noise", f"no message begins with {received[:8]!r}")
    end = received.find(b"\r\n\r\n", 0, MOST_HEAD + 4)
    if end < 0:
        if len(received) > MOST_HEAD:
            raise BadAnswer("length", f"a head of more than {MOST_HEAD} bytes")
        return None
    message = head(received[:end])
    start, length = end + 4, _length(message)
    if len(received) < start + length:
        return None
    return replace(message, body=received[start : start + length]), received[start + length :]


def head(lines: bytes) -> Message:
    """First line and headers, without the empty line that ends them. Raises BadAnswer."""
    first, _, rest = lines.partition(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None and _REQUEST.fullmatch(first) is None:
        raise BadAnswer("header", f"no status and no request: {first[:40]!r}")
    reason = printable((status[2] or b"").decode("latin-1")) if status else first.decode("latin-1")
    return Message(int(status[1]) if status else 0, reason, tuple(_headers(rest)))


def _headers(lines: bytes) -> list[tuple[str, str]]:
    # a folded line belongs to the one before (RFC 2822, as RFC 2326 refers to it)
    found: list[tuple[str, str]] = []
    for line in filter(None, lines.split(b"\r\n")):
        name, colon, value = line.decode("latin-1").partition(":")
        if line[:1] in b" \t" and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.decode('latin-1').strip()}")
        elif colon and name.strip():
            found.append((name.strip().lower(), value.strip()))
        else:
            raise BadAnswer("header", f"no header line: {line[:40]!r}")
    return found


def _length(message: Message) -> int:
    told = message.one("content-length") or "0"
    if not number(told):
        raise BadAnswer("length", f"Content-Length is {told[:20]!r}")
    if int(told) > MOST_BODY:
        raise BadAnswer("length", f"a body of {int(told)} bytes, {MOST_BODY} are the most")
    return int(told)


def number(digits: str) -> bool:
    """True: one to nine ASCII digits; int() alone also takes spaces, signs, underscores and other scripts' digits."""
    return digits.isascii() and digits.isdigit() and len(digits) < 10


def printable(words: str, most: int = 200) -> str:
    """What a device says, fit for a log line."""
    clean = "".join(letter if letter.isprintable() else " " for letter in words[: 4 * most])
    return " ".join(clean.split())[:most]
