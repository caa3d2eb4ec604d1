"""Reconciliation: what each node says it produced against what the ledger in the database holds.

head == stored + pending + dropped is the node's own account, in packs. A pack is lost when it is at or below the head
and neither in the ledger nor pending nor dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.rows import Packs
from ingest.stores import Store

Status = Mapping[str, Any]  # wire.messages.STATUS


@dataclass(frozen=True, slots=True)
class Account:
    """One spool epoch of one node. Counts are packs unless they say readings; ranges are [[first, last], …]."""

    area: str
    node: str
    epoch: str
    online: bool | None  # None: no status of this epoch
    produced: int
    stored: int
    pending: int
    dropped: dict[str, int]
    lost: int
    readings_produced: int | None
    readings_stored: int
    readings_refused: int
    ranges: list[list[int]] = field(default_factory=list)
    gaps: list[list[int]] = field(default_factory=list)
    verdict: str = ""


async def reconcile(statuses: Mapping[tuple[str, str], Status], store: Store) -> list[Account]:
    """The latest status by (area, node), and a store -> an account for each epoch. Raises Unavailable."""
    return compare(statuses, await store.packs())


def compare(statuses: Mapping[tuple[str, str], Status], packs: Sequence[Packs]) -> list[Account]:
    """As reconcile, on a ledger that has been read."""
    ledger = {(pack.area, pack.node, pack.epoch): pack for pack in packs}
    keys = ledger.keys() | {(area, node, status["ep"]) for (area, node), status in statuses.items()}
    accounts = []
    for area, node, epoch in sorted(keys):
        pack = ledger.get((area, node, epoch)) or Packs(area, node, epoch, [], 0, 0, 0)
        status = statuses.get((area, node))
        if status is not None and status["ep"] == epoch:
            accounts.append(_current(pack, status))
        else:
            accounts.append(_former(pack, known=status is not None))
    return accounts


def gaps(stored: Sequence[Sequence[int]], head: int) -> list[list[int]]:
    """The numbers from 1 to head that are in no range."""
    out: list[list[int]] = []
    after = 1
    for first, last in stored:
        if first > head:
            break
        if first > after:
            out.append([after, first - 1])
        after = last + 1
    if after <= head:
        out.append([after, head])
    return out


def missing(stored: Sequence[Sequence[int]], head: int) -> int:
    """How many numbers from 1 to head are in no range."""
    return sum(last - first + 1 for first, last in gaps(stored, head))


def _current(pack: Packs, status: Status) -> Account:
    head, pending, dropped = status["head"], status["pending"], dict(status["dropped"])
    absent = missing(pack.ranges, head)
    lost = max(0, absent - pending - sum(dropped.values()))
    return Account(
        area=pack.area,
        node=pack.node,
        epoch=pack.epoch,
        online=bool(status["online"]),
        produced=head,
        stored=_total(pack.ranges),
        pending=pending,
        dropped=dropped,
        lost=lost,
        readings_produced=status["readings"],
        readings_stored=pack.readings,
        readings_refused=pack.refused,
        ranges=pack.ranges,
        gaps=gaps(pack.ranges, head),
        verdict=_verdict(bool(status["online"]), lost, absent, dropped),
    )


def _former(pack: Packs, *, known: bool) -> Account:
    # Nobody can say any more what this epoch produced: the node has a new spool, or has never sent a status.
    last = pack.ranges[-1][1] if pack.ranges else 0
    why = "an earlier spool of this node" if known else "the node has sent no status"
    return Account(
        area=pack.area,
        node=pack.node,
        epoch=pack.epoch,
        online=None,
        produced=last,
        stored=_total(pack.ranges),
        pending=0,
        dropped={},
        lost=0,
        readings_produced=None,
        readings_stored=pack.readings,
        readings_refused=pack.refused,
        ranges=pack.ranges,
        gaps=gaps(pack.ranges, last),
        verdict=f"{why}: only what arrived is known",
    )


def _verdict(online: bool, lost: int, absent: int, dropped: Mapping[str, int]) -> str:
    said = "complete"
    if lost:
        said = f"LOST {lost}"
    elif dropped and any(dropped.values()):
        said = "dropped by the node"
    elif absent:
        said = "under way"
    return said if online else f"{said} (offline: the node's numbers are those of its last connection)"


def _total(stored: Sequence[Sequence[int]]) -> int:
    return sum(last - first + 1 for first, last in stored)
