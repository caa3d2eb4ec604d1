"""What stands behind the ? of a store's URL: how long readings are kept, what stays of them for longer, and gzip.

keep=30d        readings older than that go; without it they stay for ever
thin=15m:5y     of each quarter of an hour something stays for five years
gzip=yes        compress what is written; without it only towards servers elsewhere
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_TIME = re.compile(r"([1-9][0-9]{0,5})([smhdwy])")
_TIME_RULE = "write a whole number and s, m, h, d, w or y, as in 30d"


@dataclass(frozen=True, slots=True)
class Options:
    """Times in seconds; None: for ever, not thinned, by the server's address."""

    keep_s: int | None = None
    thin_every_s: int | None = None
    thin_keep_s: int | None = None
    gzip: bool | None = None


DEFAULT = Options()


def read(query: str, allowed: tuple[str, ...], *, least_s: int = 1) -> Options:
    """The text behind the ? -> Options. least_s: what the store keeps at least, where it does not keep for ever.

    Raises ValueError with what is wrong and what is allowed.
    """
    try:
        told = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else {}
    except ValueError as error:
        raise ValueError(f"{query!r} are no options; write KEY=VALUE&KEY=VALUE") from error
    for key in told.keys() - set(allowed):
        raise ValueError(f"{key!r} is no option of this store; it knows {', '.join(allowed)}")
    every, _, most = told.get("thin", "").partition(":")
    options = Options(
        keep_s=_seconds("keep", told["keep"]) if "keep" in told else None,
        thin_every_s=_seconds("thin", every) if "thin" in told else None,
        thin_keep_s=_seconds("thin", most) if most else None,
        gzip=_choice("gzip", told["gzip"]) if "gzip" in told else None,
    )
    if options.keep_s is not None and options.keep_s < least_s:
        raise ValueError(f"keep={told['keep']}: this store keeps readings for {least_s // 3600}h at least")
    if options.thin_every_s is not None and options.keep_s is None:
        raise ValueError("thin needs keep: it says what stays of what is older than that")
    if options.thin_keep_s is not None and options.thin_keep_s <= (options.keep_s or 0):
        raise ValueError(f"thin={told['thin']} keeps less than keep={told['keep']}: what is thinned stays for longer")
    return options


def _seconds(key: str, text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{key}: {text!r} is no time; {_TIME_RULE}")
    return int(found[1]) * _UNITS[found[2]]


def _choice(key: str, text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"{key}: {text!r} is neither yes nor no")
    return text == "yes"
