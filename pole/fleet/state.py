"""Everything that a run knows at one moment: what its view and its plain lines are made of."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pole.fleet.figures import Ingested

LOOKS = 60  # looks that a rate's curve goes back
NEWS = 3


@dataclass(kw_only=True)
class State:
    """said: the emulator's newest line. cpu: part -> share of one core since the look before."""

    title: str
    speed: float | None
    store: str
    for_s: int
    coming: tuple[tuple[int, str], ...] = ()  # (second of the scenario, what happens then), ascending
    said: Mapping[str, Any] = field(default_factory=dict)
    ingested: Ingested = field(default_factory=Ingested)
    running: Mapping[str, bool] = field(default_factory=dict)
    cpu: Mapping[str, float] = field(default_factory=dict)
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=LOOKS))  # readings a second into the store
    news: list[str] = field(default_factory=list)  # of the run, not of the city
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.began

    @property
    def next(self) -> tuple[int, str] | None:
        """(in how many seconds of the world, what happens then)."""
        now = self.said.get("world_s", 0)
        return next(((at - now, what) for at, what in self.coming if at > now), None)


def line(state: State) -> str:
    """One plain line about the present."""
    said = state.said
    if not said:
        return f"{state.seconds:5.0f} s  the emulator builds its city"
    cpu = ", ".join(f"{part} {100 * share:.0f} %" for part, share in state.cpu.items())
    rate = state.rates[-1] if state.rates else 0.0
    missing = [f"{part}: no process" for part, running in state.running.items() if not running]
    away = f" (dark {said['dark']}, offline {said['offline']})" if said["dark"] + said["offline"] else ""
    text = (
        f"{state.seconds:5.0f} s  {said['local'].replace('T', ' ')}  {said['connected']} of {said['nodes']} nodes"
        f" connected{away}; {said['readings']} readings, {rate:.0f} a second into the store; packs:"
        f" {said['stored']} of {said['packs']} stored, {said['pending']} wait; CPU of a core: {cpu}"
    )
    if said["behind_s"] >= 1:
        text += f"; {said['behind_s']:.0f} s behind the clock"
    return "; ".join([text, *missing])
