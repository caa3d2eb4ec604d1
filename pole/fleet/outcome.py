"""How a run went: for people as a table, for programs as one JSON line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pole.fleet import judge_outcome
from pole.fleet.plan import Plan

STORED = ("right", "told", "unjudged", "wrong", "moved")  # what a verdict finds in the store


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """end: the emulator's last line. cpu_s: by part. connected: names that had an MQTT session of their own."""

    plan: Plan
    end: Mapping[str, Any]
    verdict: judge_outcome.Outcome
    cpu_s: Mapping[str, float]
    connected: int
    seconds: float
    restarts: int

    @property
    def good(self) -> bool:
        """Every reading is right or explained, none invented, and something is stored."""
        return self.verdict.good and self.stored > 0

    @property
    def stored(self) -> int:
        """Readings that the verdict has found in the store, of nodes and of what stands on wires."""
        kinds, held = self.verdict.kinds, self.verdict.held
        return sum(kinds[kind] + held[kind] for kind in STORED)

    @property
    def missing(self) -> dict[str, int]:
        """Readings that are not in the store and are accounted for, by why."""
        both = self.verdict.kinds + self.verdict.held
        return {kind: both[kind] for kind in judge_outcome.GOOD if kind not in STORED and both[kind]}

    @property
    def cpu_us_per_reading(self) -> dict[str, float]:
        """Of each part, over the readings that were stored in the end."""
        return {part: round(1e6 * spent / max(1, self.stored), 2) for part, spent in self.cpu_s.items()}

    def json_line(self, folder: str) -> str:
        """One JSON object without a line break."""
        plan, end, verdict = self.plan, self.end, self.verdict
        counts = {
            "scenario": plan.scenario.stem,
            "seed": plan.seed,
            "poles": plan.poles,
            "nodes": len(plan.nodes),
            "wires": plan.wires,
            "agents": plan.agents,
            "connected": self.connected,
            "packs": end["packs"],
            "resent": end["resent"],
            "readings": end["readings"],
            "stored": self.stored,
            **{kind: verdict.kinds[kind] + verdict.held[kind] for kind in judge_outcome.BAD},
            "missing": self.missing,
            "verified": self.good,
            "latency_p50_ms": end["latency_ms"]["p50"],
            "latency_p99_ms": end["latency_ms"]["p99"],
            "cpu_s": {part: round(spent, 2) for part, spent in self.cpu_s.items()},
            "cpu_us_per_reading": self.cpu_us_per_reading,
            "memory_per_node": end["memory_per_node"],
            "truth_sha256": end["truth_sha256"],
            "world_s": end["world_s"],
            "speed": plan.speed or "max",
            "seconds": self.seconds,
            "restarts": self.restarts,
            "folder": folder,
        }
        return json.dumps(counts)


def table(outcome: Outcome) -> RenderableType:
    """What it cost, and what became of it."""
    end = outcome.end
    rows = Table(title="CPU, side by side", title_justify="left")
    for heading in ("part", "seconds", "µs a reading"):
        rows.add_column(heading, justify="left" if heading == "part" else "right")
    for part, spent in outcome.cpu_s.items():
        rows.add_row(part, f"{spent:.1f}", f"{outcome.cpu_us_per_reading[part]:.1f}")
    latency = end["latency_ms"]
    text = Text(
        f"{outcome.connected:,} of {len(outcome.plan.nodes):,} nodes had a session of their own, at"
        f" {end['memory_per_node'] / 1000:.1f} kB of the emulator's memory each. From a node to its confirmation:"
        f" p50 {latency['p50']} ms, p99 {latency['p99']} ms; {end['resent']:,} of {end['packs']:,} packs sent again."
    )
    return Group(rows, text, judge_outcome.table(outcome.verdict))
