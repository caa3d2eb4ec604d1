"""What a store is: SQLite in `sqlite_store`, InfluxDB in `influx_store`; `store_url` opens the one that is named."""

from dataclasses import dataclass
from typing import Protocol

from ingest.rows import Counts, Ledger, Packs, Row, Run


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which readings a query is for; None means all. since_ms counts from 1970, limit is the most rows."""

    function: str | None = None
    pole: str | None = None
    device: str | None = None
    point: str | None = None
    since_ms: int = 0
    limit: int = 1000


class Store(Protocol):
    """Where readings go. Every call raises Unavailable when a later attempt may succeed."""

    name: str
    flights: int  # writes that it takes at once

    async def write(self, runs: list[Run], ledgers: list[Ledger]) -> None:
        """Stores all of it, durably. Raises Refused when some of it can never be stored. Writing twice is harmless."""

    async def readings(self, wanted: Wanted) -> list[Row]:
        """Newest first; values and bad qualities alike."""

    async def packs(self) -> list[Packs]:
        """The ledger: what is stored of each spool epoch of each node."""

    async def counts(self) -> Counts:
        """How much the store holds in all."""

    async def close(self) -> None:
        """Lets go of the store."""
