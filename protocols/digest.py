"""How a device that asks for a password gets its proof: challenges IN, the Authorization header OUT.

Digest (RFC 7616: MD5 and SHA-256, with qop "auth" or, as RFC 2069, without) and Basic (RFC 7617), for HTTP and RTSP.
"""

import base64
import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from protocols.errors import Refused

MOST_HEADERS, MOST_TEXT = 8, 4096  # of one answer, and characters of each: a hostile one has 100,000
_HASHES = {"sha-256": hashlib.sha256, "md5": hashlib.md5}  # the stronger first
_PART = re.compile(
    r'\s*(?:([!#-\'*+.^-z|~0-9A-Z-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*)|([A-Za-z0-9-]+)(?=\s|,|$))\s*,?'
)


@dataclass(frozen=True)
class Challenge:
    """scheme: digest or basic, small; parameters: their names small, their values without quotation marks."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def challenges(values: Iterable[str]) -> list[Challenge]:
    """The WWW-Authenticate headers' values -> what they offer. What cannot be read, or is too long, is left out."""
    found: list[Challenge] = []
    for value in itertools.islice(values, MOST_HEADERS):
        value = value[:MOST_TEXT]
        place = 0
        while match := _PART.match(value, place):
            place = match.end()
            if match[3]:
                found.append(Challenge(match[3].lower(), {}))
            elif found:
                found[-1] = Challenge(found[-1].scheme, {**found[-1].parameters, match[1].lower(): _bare(match[2])})
    return found


def authorization(
    offered: Iterable[Challenge],
    *,
    user: str,
    password: str,
    method: str,
    uri: str,
    cnonce: str,
    basic: bool = False,
) -> str:
    """The header's value for the strongest challenge that we can answer.

    basic: the password may travel readable. Raises Refused where nothing is left; the text holds no credentials.
    """
    # a challenge's words go back in a header of ours, where no control character may stand
    offers = [offer for offer in offered if all(map(str.isprintable, offer.parameters.values()))]
    digests = {_algorithm(offer): offer for offer in reversed(offers) if offer.scheme == "digest"}
    for name in _HASHES:
        if name in digests:
            return _digest(name, digests[name], user, password, method, uri, cnonce)
    if not any(offer.scheme == "basic" for offer in offers):
        schemes = ", ".join(sorted({offer.scheme[:20] for offer in offers})) or "nothing"
        raise Refused(0, f"the device asks for a password in a way that we do not know ({schemes})")
    if not basic:
        raise Refused(0, "the device takes the password only readable (Basic), and so it was not sent")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _algorithm(offer: Challenge) -> str:
    # "auth" is the only protection we know: a challenge that insists on auth-int is none
    qop = offer.parameters.get("qop")
    return "" if qop and not _has_auth(qop) else offer.parameters.get("algorithm", "MD5").lower()


def _has_auth(qop: str) -> bool:
    return "auth" in [word.strip().lower() for word in qop.split(",")]


def _digest(name: str, offer: Challenge, user: str, password: str, method: str, uri: str, cnonce: str) -> str:
    def hashed(*parts: str) -> str:
        return _HASHES[name](":".join(parts).encode()).hexdigest()

    realm, nonce = offer.parameters.get("realm", ""), offer.parameters.get("nonce", "")
    secret, subject = hashed(user, realm, password), hashed(method, uri)
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
    bare = {}
    if "qop" in offer.parameters:
        bare = {"qop": "auth", "nc": "00000001"}
        fields |= {"cnonce": cnonce, "response": hashed(secret, nonce, "00000001", cnonce, "auth", subject)}
    else:
        fields |= {"response": hashed(secret, nonce, subject)}
    if "opaque" in offer.parameters:
        fields["opaque"] = offer.parameters["opaque"]
    if "algorithm" in offer.parameters:
        bare["algorithm"] = offer.parameters["algorithm"]
    return "Digest " + ", ".join([*(f"{key}={_quoted(fields[key])}" for key in fields), *map("=".join, bare.items())])


def _bare(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL) if value.startswith('"') else value


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
