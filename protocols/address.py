"""Where a device of a network answers, as a site file writes it."""

import re

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/#@\[\]]+))(?::([0-9]{1,5}))?")


def split(address: str, port: int) -> tuple[str, int]:
    """host, host:port or [IPv6]:port -> (host, port), with `port` where none is written. Raises ValueError."""
    match = _ADDRESS.fullmatch(address)
    written = int(match[3] or port) if match else 0
    if match is None or not 0 < written < 65536:
        raise ValueError(f"'{address}' is no host or host:port, as in 10.0.0.7:{port}")
    return match[1] or match[2], written
