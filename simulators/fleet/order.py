"""What a process of nodes is told to do: one JSON file."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Order:
    """speed: world seconds in a second, None: as fast as it goes. for_s: world seconds, None: until told to stop.

    The first poles are agents, then come wires, then nodes. began_ms: when the scenario begins, ms since 1970.
    """

    folder: Path
    scenario: str
    seed: int
    poles: int
    wires: int
    agents: int
    every_s: int
    began_ms: int
    start: datetime
    speed: float | None
    for_s: int | None
    host: str
    port: int
    passwords: Path
    ca: Path | None
    sources: tuple[str, ...]


def load(path: Path) -> Order:
    """The file that `pole fleet run` writes. Raises OSError, ValueError, KeyError."""
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    tls = told.get("tls")
    return Order(
        folder=Path(told["folder"]), scenario=told["scenario"], seed=told["seed"], poles=told["poles"],
        wires=told.get("wires", 0), agents=told.get("agents", 0), every_s=told["every_s"],
        began_ms=told["began_ms"], start=datetime.fromisoformat(told["start"]), speed=told["speed"],
        for_s=told["for_s"], host=told["broker"]["host"], port=told["broker"]["port"],
        passwords=Path(told["passwords"]), ca=Path(tls["ca"]) if tls else None,
        sources=tuple(told.get("sources") or ("",)),
    )  # fmt: skip
