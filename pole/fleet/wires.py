"""`python -m pole.fleet.wires ORDER.json`: the devices on wires, as the world has them, until SIGTERM.

It goes on with real time: step k begins at began_ms + k * 10 s. What it says stands in FOLDER/depths/state.json:

    {"step": 7, "dark": {pole: [[from_ms, until_ms or null], ...]}, "cut": {node: [...]} (no way to the broker),
     "dark_nodes": [nodes whose pole is dark now], "cut_nodes": [...], "devices": {...}, "left_out": {...}}
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pole import signals
from pole.fleet.depth_devices import Acts
from pole.fleet.depth_site import WireSite
from pole.fleet.depth_world import WireStep, WireWorld

AHEAD_MS = 2000  # a step is known so long before it begins: a device shows it at once
LOOK_S = 0.05


class Wires:
    """One run of them."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        folder = Path(order["folder"])
        self._world = WireWorld(order)
        self._acts = Acts(path=folder / "acts-wires.jsonl", act=self._world.act)
        self._site = WireSite(
            order=order, folder=folder / "depths", passwords=passwords(order), acts=self._acts,
            source_of=self._world.source_of,
        )  # fmt: skip
        self._state = folder / "depths" / "state.json"
        self._coming: deque[WireStep] = deque()
        self._dark: dict[str, list[list[int | None]]] = {}
        self._cut: dict[str, list[list[int | None]]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop is set."""
        self._foresee(_now_ms())
        async with self._site:
            while not stop.is_set():
                self._foresee(_now_ms() + AHEAD_MS)
                while self._coming and self._coming[0].number <= self._world.step_at(_now_ms()):
                    await self._begin(self._coming.popleft())
                await asyncio.sleep(LOOK_S)
        self._acts.close()

    def _foresee(self, time_ms: int) -> None:
        while self._world.step < self._world.step_at(time_ms):
            self._coming.append(self._world.advance())

    async def _begin(self, step: WireStep) -> None:
        """From now on this step holds."""
        _turned(self._dark, step.dark)
        for wires in self._site.wires.values():
            await wires.feel(step)
        for node in _turned(self._cut, step.away):
            proxy = self._site.proxies[node]
            await (proxy.vanish() if node in step.away else proxy.restore())
        self._say(step)

    def _say(self, step: WireStep) -> None:
        hung = self._site.wires.values()
        said = {
            "step": step.number, "dark": self._dark, "cut": self._cut,
            "dark_nodes": [wires.node.name for wires in hung if wires.pole in step.dark],
            "cut_nodes": sorted(step.away),
            "devices": {
                device.name: {"node": wires.node.name, "profile": device.profile.profile}
                for wires in hung
                for device in wires.devices
            },
            "left_out": {name: why for wires in hung for name, why in wires.left_out.items()},
        }  # fmt: skip
        new = self._state.with_suffix(".new")  # a reader finds the old text or the new one
        new.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
        new.replace(self._state)


def passwords(order: Mapping[str, Any]) -> dict[str, str]:
    """Of all users of the run, from the file of `user:password` lines that the order names."""
    lines = Path(order["passwords"]).read_text(encoding="utf-8").splitlines()
    return dict(line.split(":", 1) for line in lines)


def _turned(spans: dict[str, list[list[int | None]]], now: frozenset[str]) -> list[str]:
    """Who has gone, or come back, since the last time; their spans are told so."""
    since = {name for name, each in spans.items() if each[-1][1] is None}
    for name in now - since:
        spans.setdefault(name, []).append([_now_ms(), None])
    for name in since - now:
        spans[name][-1][1] = _now_ms()
    return sorted(now ^ since)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> None:
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    asyncio.run(signals.until_stopped(Wires(order).run))


if __name__ == "__main__":
    main()
