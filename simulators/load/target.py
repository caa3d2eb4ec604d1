"""Where a load goes, and from where."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulators import descriptors
from simulators.load.errors import LoadError


@dataclass(frozen=True, kw_only=True)
class Target:
    """users: name -> password; each is a node with a session of its own. sources: addresses of this machine.

    confirm: "stored" (ingest's down/stored, as nodes do) or "broker" (PUBACK is the end; no ingest is needed).
    parts: process ids by name, whose CPU is told beside ours.
    """

    host: str
    port: int
    users: Mapping[str, str] = field(repr=False)
    sources: Sequence[str] = ("",)
    tls: ssl.SSLContext | None = None
    confirm: str = "stored"
    parts: Mapping[str, int] = field(default_factory=dict)


def loopback(count: int) -> list[str]:
    """So many source addresses: each has 28,000 ports of its own towards a broker."""
    return [f"127.0.0.{number + 1}" for number in range(count)]


def make_room(nodes: int) -> None:
    """So many sessions may be open in this process, and in those that it starts. Raises LoadError."""
    try:
        descriptors.make_room(nodes, option="--nodes")
    except descriptors.TooManyNodes as error:
        raise LoadError(str(error)) from error
