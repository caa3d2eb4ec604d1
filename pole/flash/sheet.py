"""The acceptance sheet: what a controller is, what was written to it, what it showed; for people and for programs."""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 100
MARKS = {"ok": "ok", "failed": "FAILED", "skipped": "-"}


@dataclass(frozen=True)
class Check:
    """One line of the self-test. state: ok, failed or skipped; remedy: what to do where it failed."""

    name: str
    what: str
    state: str
    said: str
    remedy: str = ""


@dataclass
class Sheet:
    """facts: what stands at its head, in this order."""

    facts: dict[str, str]
    checks: list[Check] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        return bool(self.checks) and all(check.state != "failed" for check in self.checks)

    def document(self) -> dict[str, object]:
        return {"accepted": self.accepted, **self.facts, "checks": [asdict(check) for check in self.checks]}

    def show(self, file: IO[str] | None = None) -> None:
        console = Console(file=file, width=WIDTH) if file else Console()
        facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for name, value in self.facts.items():
            facts.add_row(name.replace("_", " "), value)
        console.print(f"Acceptance sheet: {self.facts['pole']}", style="bold")
        console.print(facts)
        table = Table(box=box.ASCII if file else box.SIMPLE)
        for column in ("check", "of", "result", "what it showed"):
            table.add_column(column, overflow="fold")
        for check in self.checks:
            style = "red" if check.state == "failed" else None
            table.add_row(check.name, check.what, MARKS[check.state], check.said, style=style)
        console.print(table)
        for check in self.checks:
            if check.remedy:
                console.print(f"{check.name} {check.what}: {check.remedy}", highlight=False)
        console.print(
            "ACCEPTED" if self.accepted else "NOT ACCEPTED", style="bold green" if self.accepted else "bold red"
        )

    def save(self, folder: Path, now: datetime) -> tuple[Path, Path]:
        """The same as text and as JSON. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"acceptance-{self.facts['pole']}-{now:%Y-%m-%d-%H%M%S}"
        text, document = folder / f"{stem}.txt", folder / f"{stem}.json"
        with text.open("w", encoding="utf-8") as file:
            self.show(file)
        document.write_text(json.dumps(self.document(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return text, document
