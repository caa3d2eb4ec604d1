"""What a verification found: for people as tables, for programs as one JSON object."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

SHOWN = 20  # examples of each kind

GOOD = {
    "right": "stored as produced: value, time and quality",
    "overwritten": "a clock was set back: a later reading has the same time",
    "pending": "still in the node's spool, to be sent",
    "dropped": "given up by a full spool, and counted",
    "refused": "kept in ingest's dead letters, with the reason",
    "ended": "the run ended in the middle of its last step",
}
HELD = {  # of real nodes alone
    "right": "a value that its device held at that time",
    "told": "the node could not read it, and said why",
    "unjudged": "what a node tells of itself, and measures by itself: no truth has it",
    "repeated": "a device told it twice, to a gateway that was killed in between: one row",
}
BAD = {
    "lost": "nobody has it, and nobody gave it up",
    "wrong": "another value, kind or quality is stored",
    "moved": "its value is stored at another time",
    "false": "stored, and never produced",
}


@dataclass(frozen=True, kw_only=True)
class Example:
    """One reading that is not as it should be. Times are ISO, UTC; wanted and found are texts."""

    pole: str
    device: str
    point: str
    time: str
    wanted: str
    found: str


@dataclass(kw_only=True)
class Outcome:
    """kinds: readings by what became of them, keys of GOOD and BAD. packs: of nodes, by what became of them.

    held: of poles on wires and of agents, where a value is compared with what its device held (judge_held); HELD too.
    reasons: of refused readings those of the dead letters, of pending ones what their nodes are at the end.
    faults: sentences, each of which makes the run not good. notes: what was not looked at.
    """

    poles: int
    judged: int = 0  # poles of which every reading was looked at
    produced: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    packs: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    held: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Every reading is right or explained, and nothing is there that nobody produced."""
        return not self.faults and not any(self.kinds[kind] + self.held[kind] for kind in BAD)

    def add(self, kind: str, example: Example) -> None:
        """Of the first ones of a kind."""
        shown = self.examples.setdefault(kind, [])
        if len(shown) < SHOWN:
            shown.append(example)

    def json_line(self) -> str:
        told = {
            "good": self.good, "poles": self.poles, "judged": self.judged, "produced": self.produced,
            **{kind: self.kinds[kind] for kind in (*GOOD, *BAD)}, "packs": dict(self.packs),
            "reasons": self.reasons, "held": dict(self.held),
            "examples": {kind: [asdict(each) for each in shown] for kind, shown in self.examples.items()},
            "faults": self.faults, "notes": self.notes, "seconds": round(self.seconds, 2),
        }  # fmt: skip
        return json.dumps(told, ensure_ascii=False)


def iso(time_ms: int) -> str:
    """2026-07-15T09:00:00.250Z"""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table(outcome: Outcome) -> RenderableType:
    """The account, the first bad ones, and a verdict."""
    parts: list[RenderableType] = [_account("What nodes produced, and what became of it", outcome.kinds, outcome)]
    if outcome.held:
        parts.append(_account("What gateways and controllers stored of devices on wires", outcome.held, None))
    parts += [_examples(kind, shown) for kind, shown in outcome.examples.items()]
    parts += [Text(fault, "red") for fault in outcome.faults[:SHOWN]]
    if len(outcome.faults) > SHOWN:
        parts.append(Text(f"and {len(outcome.faults) - SHOWN} more like that", "red"))
    parts += [Text(note) for note in outcome.notes]
    verdict = Text("every reading is explained", "bold green") if outcome.good else Text("NOT as promised", "bold red")
    parts.append(verdict + Text(f"; {outcome.judged} of {outcome.poles} poles in {outcome.seconds:.1f} s", ""))
    return Group(*parts)


def _account(title: str, kinds: Counter[str], outcome: Outcome | None) -> Table:
    rows = Table(title=title, title_justify="left")
    rows.add_column("became")
    rows.add_column("readings", justify="right")
    if outcome is not None:
        rows.add_column("packs", justify="right")
    rows.add_column("which is to say")
    for kind, text in {**GOOD, **(HELD if outcome is None else {}), **BAD}.items():
        if not kinds[kind] and kind not in ("right", *BAD):
            continue
        style = "bold red" if kind in BAD and kinds[kind] else ""
        packs = [] if outcome is None else [str(outcome.packs.get(kind, ""))]
        why = _reasons(outcome.reasons.get(kind)) if outcome is not None else ""
        rows.add_row(kind, str(kinds[kind]), *packs, text + why, style=style)
    if outcome is not None:
        rows.add_row("produced", str(outcome.produced), str(outcome.packs["produced"]), "by the truth", style="bold")
    return rows


def _reasons(reasons: Counter[str] | None) -> str:
    return f" ({', '.join(f'{count} {reason}' for reason, count in reasons.most_common())})" if reasons else ""


def _examples(kind: str, shown: list[Example]) -> Table:
    rows = Table(title=f"{kind}: {BAD.get(kind, '')}; the first {len(shown)}", title_justify="left")
    for heading in ("pole", "device", "point", "time", "wanted", "found"):
        rows.add_column(heading, no_wrap=heading == "time")
    for each in shown:
        rows.add_row(each.pole, each.device, each.point, each.time, each.wanted, each.found)
    return rows
