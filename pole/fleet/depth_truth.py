"""What each device on wires showed at any time of a run, built again from its order and what was done to devices."""

import json
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pole.fleet.depth_world import WireWorld
from simulators.device import EmulatedDevice, Value

# A reading is stamped when its answer is in; the device held the value when it answered, an exchange earlier. A device
# that stamps by itself has a clock of whole seconds.
TOLERANCE_MS = 1500
_EXACT = 1e-6  # of a number: a controller's own arithmetic has this much to spare


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One value, as the store has it; a bool may be 0 or 1."""

    time_ms: int
    device: str
    point: str
    value: float | bool | str


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """No device held this value then. held: what it held."""

    reading: Reading
    held: frozenset[Value]


class DepthTruth:
    """It goes through the run once: ask for later and later times, at most four minutes back now and then."""

    def __init__(self, *, order: Mapping[str, Any], folder: Path) -> None:
        """folder: of the run, with acts-wires.jsonl. Raises OSError, FileProblem."""
        lines = (folder / "acts-wires.jsonl").read_text(encoding="utf-8").splitlines()
        acts: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self._world = WireWorld(order)
        self._acts = deque(act for act in acts if "act" in act)
        self._now = 0
        self._devices = {
            name: EmulatedDevice(
                profile=each.profile, pole=each.pole, name=each.name, seed=order["seed"], clock=lambda: self._now,
                source=self._world.source_of(name),
            )
            for name, each in self._world.devices.items()
        }  # fmt: skip
        for act in acts:
            self._do(act)

    def knows(self, device: str, point: str) -> bool:
        """Whether it is for the world to say what that shows: it is no node's own counter, and nothing that the gateway
        measures by itself."""
        points = self._devices[device].points if device in self._devices else {}
        item = points[point].item if point in points else None
        return point in points and (item is None or not item.measured)

    def held(self, device: str, point: str, time_ms: int) -> set[Value]:
        """All that it showed around that time. None: it had no valid value."""
        while self._world.step < self._world.step_at(time_ms + TOLERANCE_MS):
            self._feel()
            self._world.advance()
        return self._devices[device].held(point, time_ms, TOLERANCE_MS)

    def wrong(self, readings: Iterable[Reading]) -> Iterator[Wrong]:
        """Those that are not true. readings: of points that it knows, by time."""
        for reading in readings:
            held = self.held(reading.device, reading.point, reading.time_ms)
            if not any(_same(reading.value, value) for value in held):
                yield Wrong(reading=reading, held=frozenset(held))

    def _do(self, act: Mapping[str, Any]) -> None:
        self._now = act["time_ms"]
        device = self._devices[act["device"]]
        if act["value"] is None:
            device.release(act["point"])
        else:
            device.hold(act["point"], act["value"])

    def _feel(self) -> None:
        """What was done in the present step acts on the world before the next one."""
        while self._acts and self._acts[0]["step"] <= self._world.step:
            act = self._acts.popleft()
            self._world.act(act["device"].split("/")[0], act["act"], float(act["value"]))


def _same(found: float | bool | str, held: Value) -> bool:
    if isinstance(found, str) or isinstance(held, str) or held is None:
        return found == held
    return math.isclose(found, held, rel_tol=_EXACT, abs_tol=_EXACT)
