"""What a store is, and which one a URL names.

sqlite:readings.db
influx1:http://127.0.0.1:8086/DATABASE
influx2:http://127.0.0.1:8086/ORG/BUCKET
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ingest.rows import Counts, Ledger, Packs, Row

EXAMPLES = "sqlite:readings.db, influx1:http://HOST:8086/DATABASE or influx2:http://HOST:8086/ORG/BUCKET"


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

    async def write(self, rows: list[Row], ledgers: list[Ledger]) -> None:
        """Stores all of it, durably. Raises Refused when some of it can never be stored. Writing twice is harmless."""

    async def readings(self, wanted: Wanted) -> list[Row]:
        """Newest first; values and bad qualities alike."""

    async def packs(self) -> list[Packs]:
        """The ledger: what is stored of each spool epoch of each node."""

    async def counts(self) -> Counts:
        """How much the store holds in all."""

    async def close(self) -> None:
        """Lets go of the store."""


def check_url(url: str) -> str:
    """The URL itself. Raises ValueError with what is allowed."""
    kind, _, rest = url.partition(":")
    if kind == "sqlite" and rest:
        return url
    parts = urlsplit(rest)
    names = [name for name in parts.path.split("/") if name]
    if parts.scheme in ("http", "https") and parts.hostname and (kind, len(names)) in (("influx1", 1), ("influx2", 2)):
        return url
    raise ValueError(f"{url!r} is not a store; write {EXAMPLES}")


def open_store(url: str, *, token: str = "", folder: Path | None = None) -> Store:
    """The store of a URL. token: influx2's token, or user:password for influx1. folder: where relative paths start."""
    check_url(url)
    kind, _, rest = url.partition(":")
    if kind == "sqlite":
        from ingest.sqlite_store import SqliteStore

        return SqliteStore(path=(folder or Path()) / rest)
    parts = urlsplit(rest)
    server = f"{parts.scheme}://{parts.netloc}"
    names = [name for name in parts.path.split("/") if name]
    if kind == "influx1":
        from ingest.influx1_store import Influx1Store

        return Influx1Store(server=server, database=names[0], credentials=token)
    from ingest.influx2_store import Influx2Store

    return Influx2Store(server=server, org=names[0], bucket=names[1], token=token)
