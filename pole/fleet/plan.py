"""What somebody wants to see run: a scenario, so many poles, how fast, into which store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulators import scenario as scenarios
from simulators.causes import STEP_S

STORE = "sqlite:readings.db"
BIRTHS_S = 800  # that ingest takes in a second, before the first readings
DEPTHS_LEAD_S, WIRE_S, AGENT_S = 14.0, 0.1, 1.0  # for gateways and agents to start: together, and for each pole


@dataclass(frozen=True, kw_only=True)
class Plan:
    """for_s: seconds of the world. speed: the world's seconds in one of ours; None: as fast as it goes."""

    scenario: Path
    title: str  # in both languages
    start: str  # of the scenario, local ISO time
    seed: int
    poles: int
    wires: int = 0
    agents: int = 0
    every_s: int = 30
    speed: float | None = 1.0
    for_s: int
    store: str = STORE
    token_file: Path | None = None
    tls: bool = False
    coming: tuple[tuple[int, str], ...] = ()  # (second of the scenario, what happens then), ascending

    @property
    def nodes(self) -> list[str]:
        """Names of those that speak to the broker by themselves: the poles after the agents and the wires."""
        return [f"P{pole + 1:05}-node" for pole in range(self.agents + self.wires, self.poles)]

    @property
    def asked(self) -> dict[str, Any]:
        """The part of the emulator's order that decides the world."""
        return {
            "scenario": str(self.scenario), "seed": self.seed, "poles": self.poles, "wires": self.wires,
            "agents": self.agents, "every_s": self.every_s, "start": self.start, "speed": self.speed,
            "for_s": self.for_s,
        }  # fmt: skip

    def began_ms(self, now_ms: int) -> int:
        """Where the scenario's beginning is put in real time, a whole step of ms since 1970.

        In real time that is the step nearest to when everything has started. A faster world would be ahead of the
        clock, and ingest refuses what comes from the future: it ends about now.
        """
        step = 1000 * STEP_S
        if self.speed == 1.0:
            lead_s = len(self.nodes) / BIRTHS_S + WIRE_S * self.wires + AGENT_S * self.agents
            lead_s += DEPTHS_LEAD_S if self.wires + self.agents else 0
            return (now_ms + round(1000 * lead_s) + step // 2) // step * step
        return (now_ms - 1000 * self.for_s) // step * step


def planned(name: str, *, seed: int | None = None, for_s: int | None = None, **more: Any) -> Plan:
    """A scenario by name or file, and the rest of a plan; else its own seed and length. Raises FileProblem."""
    scenario = scenarios.load(name)
    return Plan(
        scenario=scenarios.found(name).absolute(), title=f"{scenario.labels.en} {scenario.labels.zh}",
        start=scenario.start.isoformat(), seed=scenario.seed if seed is None else seed,
        for_s=scenario.length_s if for_s is None else for_s,
        coming=tuple((cause.begin_s, f"{cause.zh} {cause.en}") for cause in scenario.causes if cause.en), **more,
    )  # fmt: skip
