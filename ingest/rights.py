"""Which node may speak for which device: by the inventory where there is one, else the one that announced it first.

A node that announces a device of another one is refused until the other one announces it no more, or an operator has
decided. What a node was once allowed and has left behind it may still tell: those readings wait in its spool.
"""

from typing import Protocol

from ingest.births import Kind
from ingest.owners import Device, Owners
from ingest.rows import Points

Decision = tuple[Device, str, str]  # device, node, why
Refused = tuple[str, str]  # reason and detail, as a refusal has them


class Barred(Points):
    """Stands for the points of a device that its node may not speak for: it has none of them. points: the real ones."""

    __slots__ = ("detail", "points", "reason")

    def __init__(self, *, points: Kind, refused: Refused) -> None:
        super().__init__()
        self.points = points
        self.reason, self.detail = refused


class Sites(Protocol):
    """An inventory: what the site files say."""

    def node(self, area: str, name: str) -> str | None:
        """The node of a device; None where no file names it."""


class Rights:
    """All claims, in the order in which they came."""

    def __init__(self, *, owners: Owners, sites: Sites | None = None) -> None:
        self.sites = sites
        self._owners = owners
        self._first: dict[str, dict[str, str]] = {}  # area -> device -> who announced it first
        self._others: dict[Device, dict[str, None]] = {}  # who announced it, too, in that order
        self._unwritten: dict[Decision, None] = {}  # in the order of the last of its kind

    def claim(self, area: str, name: str, node: str) -> None:
        """A node announces a device."""
        first = self._first.setdefault(area, {}).setdefault(name, node)
        if first == node:
            return
        others = self._others.setdefault((area, name), {})
        if node not in others:
            others[node] = None
            if self.sites is None and self._owners.of((area, name)) is None:
                self._decide(((area, name), first, "first"))

    def release(self, area: str, name: str, node: str) -> list[str]:
        """A node announces a device no more. Returns those that announce it still."""
        device, others = (area, name), self._others.get((area, name), {})
        if node in others:
            del others[node]
        elif others:
            self._first[area][name] = next(iter(others))
            del others[self._first[area][name]]
        elif self._first.get(area, {}).get(name) == node:
            del self._first[area][name]
        if not others:
            self._others.pop(device, None)
        if self._owners.of(device) == node or (device, node, "first") in self._unwritten:
            self._decide((device, node, "released"))
        return self.claimants(device)

    def claimants(self, device: Device) -> list[str]:
        """Who announces it, in the order in which they did."""
        area, name = device
        first = self._first.get(area, {}).get(name)
        return [] if first is None else [first, *self._others.get(device, ())]

    def refused(self, area: str, name: str, node: str, *, here: bool, had: bool) -> Refused | None:
        """Why a node may not speak for a device. here: it announces it now; had: it was allowed to, before."""
        told = name.rstrip("/")
        if self.sites is not None:
            owner = self.sites.node(area, name)
            if owner == node or (had and not here):
                return None
            if owner is None:
                return "unknown-device", f"{told} is in no site file of the inventory"
            return "not-yours", f"{told} is a device of {owner}, by the inventory"
        owner = self._owner((area, name))
        if owner in (None, node) or (had and not here):
            return None
        return "not-yours", f"{told} is a device of {owner}, which announced it first; see `pole ingest owners`"

    def take_unwritten(self) -> list[Decision]:
        """What the file of owners is to be told."""
        told, self._unwritten = self._unwritten, {}
        return list(told)

    def put_back(self, decisions: list[Decision]) -> None:
        """What could not be written."""
        newer, self._unwritten = self._unwritten, dict.fromkeys(decisions)
        for decision in newer:
            self._decide(decision)

    def _decide(self, decision: Decision) -> None:
        # Told again, it is the latest: two nodes that quarrel while the disk is full do not fill the memory.
        self._unwritten.pop(decision, None)
        self._unwritten[decision] = None

    def _owner(self, device: Device) -> str | None:
        decided = self._owners.of(device)
        if decided is not None:
            return decided
        return self._first.get(device[0], {}).get(device[1])
