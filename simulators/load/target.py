"""Where a load goes, and from where."""

import resource
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulators.load.errors import LoadError

RESERVED = 100  # descriptors for everything that is no session


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
    """Raises this process's limit of open files as far as it may. Raises LoadError where that is not enough."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and nodes + RESERVED > hard:
        raise LoadError(
            f"{nodes} nodes need {nodes + RESERVED} open files, and a process may have {hard} here: take at most"
            f" {hard - RESERVED} nodes, or raise the limit (ulimit -Hn) for this program and for the broker."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
