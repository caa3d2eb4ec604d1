"""RTSP 1.0 (RFC 2326) as far as a camera's health needs it: requests OUT, responses and SDP (RFC 8866) IN.

No stream is ever set up: OPTIONS and DESCRIBE alone, so no video passes here. `head.split` cuts the responses.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from protocols.errors import BadAnswer
from protocols.head import Message, number

PORT = 554
MOST_URI = 1024


def request(method: str, uri: str, sequence: int, headers: Mapping[str, str] | None = None) -> bytes:
    """One request without a body."""
    extra = [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([f"{method} {uri} RTSP/1.0", f"CSeq: {sequence}", *extra, "", ""]).encode()


def sequence(message: Message) -> int | None:
    """CSeq: the number of the request that a response belongs to."""
    told = message.one("cseq")
    return int(told) if number(told) else None


def has_video(description: bytes) -> bool:
    """True where an SDP names a video stream: a line "m=video …" (RFC 8866, 5.14)."""
    return any(line.startswith(b"m=video ") for line in re.split(rb"\r\n|\n|\r", description))


def is_alive(answer: Message) -> bool | None:
    """What the answer to DESCRIBE says of the stream; None where it says nothing: a password is wanted, a redirect."""
    if answer.status in (401, 403, 407) or not (answer.status == 200 or answer.status >= 400):
        return None
    return answer.status == 200 and has_video(answer.body)


def place(uri: str) -> tuple[str, int]:
    """A stream's URI as a camera tells it -> (the URI without user and password, its port). Raises BadAnswer.

    It goes into a request line: what could end that line or begin another is refused.
    """
    if not uri.isascii() or not uri.isprintable() or " " in uri or len(uri) > MOST_URI:
        raise BadAnswer("header", "the stream's URI has characters that no URI has, or is too long")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        raise BadAnswer("header", "the stream's URI cannot be read") from None
    if parts.scheme.lower() != "rtsp" or not host:
        raise BadAnswer("header", f"the stream's URI is no rtsp://… but {parts.scheme[:10] or 'without a scheme'}")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), port
