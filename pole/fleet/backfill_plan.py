"""What a backfill is to write: a city, a span of time that ends about now, and which scenarios come over it when."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulators import scenario as scenarios
from simulators.causes import STEP_S, Cause

SCENARIOS = ("heatwave", "storm", "feeder-outage", "sensor-rot", "vandal")  # what a month of a city has
CITY_TIME = timedelta(hours=8)  # UTC+8
STEP_MS = STEP_S * 1000
PLAN, RUN = "backfill.json", "run.json"


class BackfillError(Exception):
    """A backfill that cannot be done, or not go on; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """scenarios: names or files; each comes once, on a day of its own. began_ms: of the first step, since 1970."""

    poles: int
    seed: int
    every_s: int
    steps: int
    scenarios: tuple[str, ...]
    store: str
    began_ms: int

    @property
    def start(self) -> datetime:
        """Of the first step, by the city's clock, without a zone."""
        return (datetime.fromtimestamp(self.began_ms / 1000, UTC) + CITY_TIME).replace(tzinfo=None)

    def causes(self) -> tuple[Cause, ...]:
        """Raises FileProblem."""
        moved = [cause for name, at_s in self.coming() for cause in _moved(name, at_s)]
        return tuple(replace(cause, number=number) for number, cause in enumerate(moved))

    def coming(self) -> Iterator[tuple[str, int]]:
        """(scenario, second at which it begins): at its own hour of days that lie evenly; one may not fit."""
        length = timedelta(seconds=self.steps * STEP_S)
        for number, name in enumerate(self.scenarios):
            found = scenarios.load(name)
            day = (self.start + length * (number + 0.5) / len(self.scenarios)).date()
            at = datetime.combine(day, found.start.time())
            at_s = int((at - self.start).total_seconds()) // STEP_S * STEP_S
            if 0 <= at_s < self.steps * STEP_S:
                yield name, at_s

    def order(self, folder: Path) -> dict[str, Any]:
        """As the order of a run, so that what reads one reads the other."""
        return {
            "folder": str(folder), "scenario": " ".join(self.scenarios), "seed": self.seed, "poles": self.poles,
            "wires": 0, "agents": 0, "every_s": self.every_s, "began_ms": self.began_ms,
            "start": self.start.isoformat(), "speed": None, "for_s": self.steps * STEP_S,
        }  # fmt: skip


class Folder:
    """Where a backfill keeps its truth, how far it is, and perhaps the store. Raises BackfillError."""

    def __init__(self, path: Path, plan: Plan) -> None:
        """A folder that holds the same plan goes on where it was, whenever it began."""
        self.path = path.absolute()
        self.plan = plan
        self.stored = -1  # the last step of which everything is in the store
        self.complete = False
        file = self.path / PLAN
        if file.exists():
            self._go_on(json.loads(file.read_text(encoding="utf-8")))
        elif self.path.exists() and any(self.path.iterdir()):
            raise BackfillError(f"{path} holds something that is no backfill; choose another folder with --dir")
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            run = {"order": plan.order(self.path), "store": plan.store}
            (self.path / RUN).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
            (self.path / "account.json").write_text('{"nodes": {}}\n', encoding="utf-8")
            self.note(-1, complete=False)

    def note(self, stored: int, *, complete: bool) -> None:
        """How far it is."""
        self.stored, self.complete = stored, complete
        told = {"plan": asdict(self.plan), "stored": stored, "complete": complete}
        new = self.path / f"{PLAN}.new"  # a reader finds the old text or the new one
        new.write_text(json.dumps(told) + "\n", encoding="utf-8")
        new.replace(self.path / PLAN)

    def _go_on(self, told: dict[str, Any]) -> None:
        began = Plan(**(told["plan"] | {"scenarios": tuple(told["plan"]["scenarios"])}))
        if replace(began, began_ms=0) != replace(self.plan, began_ms=0):
            differs = _differences(began, self.plan)
            raise BackfillError(
                f"{self.path} holds another backfill ({differs}); choose another folder with --dir, or delete it"
            )
        self.plan = began
        self.stored, self.complete = told["stored"], told["complete"]
        if self.complete:
            raise BackfillError(f"{self.path} is complete already; choose another folder with --dir, or delete it")


def _differences(one: Plan, other: Plan) -> str:
    pairs = ((key, value, getattr(other, key)) for key, value in asdict(one).items() if key != "began_ms")
    return ", ".join(f"{key} {there} there, {asked} asked for" for key, there, asked in pairs if there != asked)


def _moved(name: str, at_s: int) -> Sequence[Cause]:
    # What lasts for ever in a scenario ends with it here: the city goes on.
    found = scenarios.load(name)
    return [
        replace(cause, begin_s=cause.begin_s + at_s, end_s=min(cause.end_s, found.length_s) + at_s)
        for cause in found.causes
        if cause.begin_s < found.length_s
    ]
