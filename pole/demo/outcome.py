"""How a run of the demo went: for people as a table, for programs as one JSON line."""

import json
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pole.demo.reconciliation import Account

HEADINGS = {  # of an account's fields; the whole table fits 80 columns
    "node": "node", "produced": "produced", "stored": "stored", "pending": "pending", "packs_dropped": "packs\ndropped",
    "refused": "refused", "lost": "lost", "duplicated": "stored\ntwice",
}  # fmt: skip

MOST_LATE = 0.01  # of the values; more is no machine that stood still for a moment


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How it went. Latencies are ms from a pack's oldest reading to its storing."""

    poles: int
    devices: int
    functions: list[str]  # of which something was stored
    seconds: float
    first_reading_s: float | None
    accounts: list[Account]
    latency_p50_ms: int | None
    latency_p99_ms: int | None
    kills: int
    crashes: int
    wrong_values: int
    stamped_late: int
    values_checked: int

    def total(self, what: str) -> int:
        """Sum of one column of the accounts."""
        return sum(int(getattr(account, what)) for account in self.accounts)

    @property
    def good(self) -> bool:
        """Something was stored, all of it right, hardly any of it late, nothing lost and nothing twice."""
        wrong = self.total("lost") + self.total("duplicated") + self.wrong_values
        is_late = self.stamped_late > MOST_LATE * self.values_checked
        return wrong == 0 and not is_late and self.total("stored") > 0 and self.values_checked > 0

    def json_line(self, folder: str) -> str:
        """One JSON object without a line break."""
        counts = {
            "poles": self.poles,
            "devices": self.devices,
            "functions": self.functions,
            "readings_produced": self.total("produced"),
            "readings_stored": self.total("stored"),
            "pending": self.total("pending"),
            "packs_dropped": self.total("packs_dropped"),
            "refused": self.total("refused"),
            "told_again": self.total("told_again"),
            "lost": self.total("lost"),
            "duplicated": self.total("duplicated"),
            "wrong_values": self.wrong_values,
            "stamped_late": self.stamped_late,
            "values_checked": self.values_checked,
            "latency_p50_ms": self.latency_p50_ms,
            "latency_p99_ms": self.latency_p99_ms,
            "first_reading_s": self.first_reading_s,
            "kills": self.kills,
            "crashes": self.crashes,
            "seconds": self.seconds,
            "folder": folder,
        }
        return json.dumps(counts)


def table(outcome: Outcome) -> RenderableType:
    """The reconciliation at the end."""
    rows = Table(title="What was produced, and what became of it", title_justify="left")
    for column, heading in HEADINGS.items():
        rows.add_column(heading, justify="left" if column == "node" else "right")
    for account in outcome.accounts:
        rows.add_row(*(str(getattr(account, column)) for column in HEADINGS))
    rows.add_row("all", *(str(outcome.total(column)) for column in HEADINGS if column != "node"), style="bold")
    verdict = Text("nothing lost" if outcome.good else "NOT as promised", "bold green" if outcome.good else "bold red")
    rest = Text(
        f"; told twice by a device: {outcome.total('told_again')}; {len(outcome.functions)} functions told;"
        f" {outcome.values_checked} stored values compared with what the"
        f" devices held: {outcome.wrong_values} wrong,"
        f" {outcome.stamped_late} stamped late;"
        f" latency p50 {outcome.latency_p50_ms} ms, p99 {outcome.latency_p99_ms} ms; {outcome.kills} kills"
    )
    return Group(rows, verdict + rest)
