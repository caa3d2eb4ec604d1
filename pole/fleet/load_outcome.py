"""What a load showed: for programs one JSON line, for people a table of its stages."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from simulators.load.result import Result

STYLES = {"held": "green", "not held": "red", "do not trust": "yellow"}


@dataclass(frozen=True, kw_only=True)
class InStore:
    """Packs in our own store, and how long they took by ingest's clock: from due, which is their readings' time."""

    packs: int
    p50_ms: int | None
    p99_ms: int | None


@dataclass(frozen=True, kw_only=True)
class LoadOutcome:
    """in_store is None where the store is somebody else's."""

    result: Result
    broker: str
    in_store: InStore | None
    folder: str | None

    @property
    def good(self) -> bool:
        """Every stage can be trusted, one was held, and what was confirmed is in the store."""
        kept = self.in_store is None or self.in_store.packs >= self.result.confirmed
        return self.result.trusted and self.result.highest_held is not None and kept

    def json_line(self) -> str:
        """One JSON object without a line break."""
        result = self.result
        return json.dumps({
            "broker": self.broker, "tls": result.tls, "nodes": result.nodes, "sources": result.sources,
            "readings": result.readings, "confirm": result.confirm, "priority": result.priority,
            "connected_s": round(result.connected_s, 2), "sent": result.sent, "confirmed": result.confirmed,
            "in_store": None if self.in_store is None else asdict(self.in_store),
            "highest_held": result.highest_held, "trusted": result.trusted, "lost_connections": result.losses,
            "stages": result.rows, "folder": self.folder,
        })  # fmt: skip


def tables(outcome: LoadOutcome) -> list[RenderableType]:
    """A row a stage, and what it comes to."""
    result = outcome.result
    title = f"{result.nodes} nodes{', TLS' if result.tls else ''}, packs of {result.readings} readings"
    table = Table(title=f"{title}; ms from the moment when a pack was due", title_justify="left", box=SIMPLE_HEAD)
    stored = ["stored\np50 p99 max"] if result.confirm == "stored" else []
    parts = [*result.accounts[0].cost.others, "all else"]
    for heading in ("packs/s", "PUBACK\np50 p99 max", *stored, "late\np99", f"CPU %: own\n{' '.join(parts)}"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in result.rows:
        table.add_row(*_cells(row, bool(stored)))
    return [table, *_sentences(outcome)]


def _cells(row: dict[str, Any], stored: bool) -> list[RenderableType]:
    latencies = [row["puback_ms"], *([row["stored_ms"]] if stored else [])]
    cpu = [row["own_cpu"], *row["others_cpu"].values(), row["rest_cpu"]]
    return [
        f"{row['rate']:g}",
        *(" ".join(_time(each[share]) for share in ("p50", "p99", "max")) for each in latencies),
        _time(row["late_ms"]["p99"]),
        " ".join(f"{100 * each:.0f}" for each in cpu),
        Text(row["verdict"], STYLES[row["verdict"]]),
    ]


def _time(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "never"
    return f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:.0f}"


def _sentences(outcome: LoadOutcome) -> list[str]:
    result = outcome.result
    held = "no rate was held" if result.highest_held is None else f"highest rate held: {result.highest_held:g} packs/s"
    ready = f"{result.nodes} nodes were ready in {result.connected_s:.1f} s"
    packs = f"{result.sent} packs sent, {result.confirmed} confirmed"
    told = [f"{ready}; {packs}; {held}; CPU in percent of one core."]
    if outcome.in_store is not None:
        kept = outcome.in_store
        told.append(
            f"The store has {kept.packs} of them; by ingest's clock they took {kept.p50_ms} (p99: {kept.p99_ms}) ms."
        )
    if not result.trusted:
        told.append("Where it says `do not trust`, the generator was the bottleneck: the figures are its own.")
    told += [f"{row['rate']:g} packs/s {row['verdict']}: {row['why']}." for row in result.rows if row["why"]]
    told += [f"{count} connections ended: {reason}" for reason, count in result.losses.items()]
    return told
