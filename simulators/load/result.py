"""What a run of the generator brought."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulators.load.account import StageAccount


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The run as it stands. connecting: so many nodes of all are ready; later: packs confirmed of those due so far."""

    phase: str
    at_s: float  # since the first pack was due; connecting: since it began
    done: int
    of: int

    def __str__(self) -> str:
        what = "nodes are ready" if self.phase == "connecting" else "packs that are due confirmed"
        return f"{self.at_s:5.0f} s  {self.phase}: {self.done} of {self.of} {what}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """priority: "real-time" or "usual", the generator's own. connected_s: until every node had its first confirmation.

    losses: ended connections by reason.
    """

    nodes: int
    sources: int
    tls: bool
    readings: int
    confirm: str
    priority: str
    connected_s: float
    accounts: Sequence[StageAccount]
    losses: dict[str, int]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row a stage, see StageAccount.row."""
        return [account.row(self.confirm) for account in self.accounts]

    @property
    def confirmed(self) -> int:
        """Packs of all stages; the first one of each node is not counted."""
        ends = (each.to_stored if self.confirm == "stored" else each.to_puback for each in self.accounts)
        return sum(end.count for end in ends)

    @property
    def sent(self) -> int:
        return sum(account.sent for account in self.accounts)

    @property
    def highest_held(self) -> float | None:
        """Packs a second of the highest stage that was held and can be trusted."""
        held = [row["rate"] for row in self.rows if row["verdict"] == "held"]
        return max(held, default=None)

    @property
    def trusted(self) -> bool:
        return all(row["verdict"] != "do not trust" for row in self.rows)
