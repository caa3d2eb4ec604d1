"""SIP, as far as asking an intercom whether it is there takes: an OPTIONS request out, its answer IN (RFC 3261).

Only the first line and the four headers by which an answer finds its request are read: Via's branch, Call-ID, CSeq.
"""

import re
from dataclasses import dataclass

from protocols.errors import BadAnswer

Raw = int | float | bool | str | bytes

MAX_MESSAGE = 16384
# What is said for somebody who cannot be reached, by himself or by a proxy before him (RFC 3261, 21.4 and 21.5); every
# other final answer shows that the intercom's own SIP works, a refusal (404, 405) and a call under way (486) too.
NOT_ALIVE = {408: "request timeout", 480: "temporarily unavailable", 503: "service unavailable", 504: "server timeout"}

_STATUS = re.compile(r"SIP/2\.0 ([1-6]\d\d)(?: (.*))?", re.ASCII | re.IGNORECASE)
_BRANCH = re.compile(r";\s*branch\s*=\s*([^\s;,]+)", re.ASCII | re.IGNORECASE)
_CSEQ = re.compile(r"(\d{1,10})\s+([A-Za-z]{1,32})", re.ASCII)
_COMPACT = {"v": "via", "i": "call-id"}  # RFC 3261, 7.3.3
_COOKIE = "z9hG4bK"  # a branch of RFC 3261 begins so


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """By what an answer is known: `branch` without the standard's cookie, `sequence` from 1."""

    branch: str
    call_id: str
    sequence: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """code: 100 to 699; below 200 it is provisional, and another follows."""

    code: int
    reason: str
    transaction: Transaction
    method: str

    @property
    def is_final(self) -> bool:
        return self.code >= 200

    @property
    def is_alive(self) -> bool:
        return self.code not in NOT_ALIVE


def options(transaction: Transaction, *, host: str, port: int, own_host: str, own_port: int) -> bytes:
    """The request (RFC 3261, 11.1) from own_host:own_port to the device at host:port."""
    lines = [
        f"OPTIONS sip:{_location(host, port)} SIP/2.0",
        f"Via: SIP/2.0/UDP {_location(own_host, own_port)};branch={_COOKIE}{transaction.branch};rport",
        "Max-Forwards: 70",
        f"From: <sip:multipole@{_location(own_host, own_port)}>;tag={transaction.branch}",
        f"To: <sip:{_location(host, port)}>",
        f"Call-ID: {transaction.call_id}",
        f"CSeq: {transaction.sequence} OPTIONS",
        f"Contact: <sip:multipole@{_location(own_host, own_port)}>",
        "Accept: application/sdp",
        "User-Agent: Multipole",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _location(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def answer(datagram: bytes) -> Answer:
    """Raises BadAnswer for what is no SIP response."""
    lines = _lines(datagram)
    status = _STATUS.fullmatch(lines[0])
    if status is None:
        raise BadAnswer("noise", f"no SIP response: {lines[0][:60]!r}")
    sequence, method = _cseq(_header(lines, "cseq"))
    return Answer(
        code=int(status[1]),
        reason=(status[2] or "").strip(),
        transaction=Transaction(
            branch=_branch(_header(lines, "via")), call_id=_header(lines, "call-id"), sequence=sequence
        ),
        method=method,
    )


def transaction_of(request: bytes) -> Transaction:
    """The transaction that a request opens. Raises BadAnswer for what is no SIP request."""
    lines = _lines(request)
    if not lines[0].upper().endswith(" SIP/2.0"):
        raise BadAnswer("noise", f"no SIP request: {lines[0][:60]!r}")
    sequence, _ = _cseq(_header(lines, "cseq"))
    return Transaction(branch=_branch(_header(lines, "via")), call_id=_header(lines, "call-id"), sequence=sequence)


def check_answer(transaction: Transaction, found: Answer) -> None:
    """Raises BadAnswer unless `found` answers this transaction (RFC 3261, 17.1.3)."""
    if found.transaction != transaction or found.method.upper() != "OPTIONS":
        raise BadAnswer("late", f"{found.code} to another request (CSeq {found.transaction.sequence} {found.method})")


def values(found: Answer) -> dict[str, Raw]:
    """The items that a final answer tells."""
    return {"alive": found.is_alive, "status_code": found.code}


def items(request: bytes, response: bytes) -> dict[str, Raw]:
    """One exchange -> alive and status_code; how long it took stands in no message. Raises BadAnswer."""
    found = answer(response)
    check_answer(transaction_of(request), found)
    if not found.is_final:
        raise BadAnswer("short", f"{found.code} is provisional; the final answer did not come")
    return values(found)


def _lines(message: bytes) -> list[str]:
    """First line and headers, each unfolded (RFC 3261, 7.3.1)."""
    if len(message) > MAX_MESSAGE:
        raise BadAnswer("length", f"{len(message)} bytes; at most {MAX_MESSAGE} are read")
    head, end, _ = message.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not end:
        raise BadAnswer("short", f"{len(message)} bytes without an empty line: {message[:30]!r}")
    return re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")


def _header(lines: list[str], name: str) -> str:
    """The first of that name: the topmost Via is ours."""
    for line in lines[1:]:
        key, colon, value = line.partition(":")
        key = key.strip().lower()
        if colon and _COMPACT.get(key, key) == name:
            return value.strip()
    raise BadAnswer("header", f"no {name} header")


def _branch(via: str) -> str:
    found = _BRANCH.search(via.split(",", 1)[0])
    if found is None:
        raise BadAnswer("header", "no branch in the topmost Via")
    return found[1].removeprefix(_COOKIE)


def _cseq(text: str) -> tuple[int, str]:
    found = _CSEQ.fullmatch(text)
    if found is None:
        raise BadAnswer("header", f"no CSeq: {text[:40]!r}")
    return int(found[1]), found[2]
