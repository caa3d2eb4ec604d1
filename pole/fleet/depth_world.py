"""The world as the devices on wires feel it: it goes on step by step, and what is done to a device acts on it.

The same order and the same acts give the same values again: pole.fleet.depth_truth judges a run by that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from device_profiles import loader
from pole.fleet.depth_devices import Source
from pole.fleet.depth_plan import city_of, hung, nodes
from simulators import scenario
from simulators.sensing.told import Told
from simulators.world.arrays import BoolArray
from simulators.world.world import STEP_S, World

STEP_MS = 1000 * STEP_S


@dataclass(frozen=True, kw_only=True)
class WireStep:
    """What devices and nodes on wires feel of a step, from its beginning on.

    dark: poles without power. away: nodes whose network is down. mute: "pole/device" -> points that it does not answer
    for. cars: charge point -> whether a car is there, and takes power.
    """

    number: int
    dark: frozenset[str] = frozenset()
    away: frozenset[str] = frozenset()
    mute: Mapping[str, frozenset[str]] = field(default_factory=dict)
    cars: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)


class WireWorld:
    """order: as the emulator of the nodes has it, so that both have the same world. devices: by "pole/device"."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        causes = scenario.load(order["scenario"]).causes
        self.city = city_of(order)
        self.nodes = nodes(order, self.city)
        self.began_ms: int = order["began_ms"]
        self.devices = {each.device: each for node in self.nodes for each in hung(node, self.city) if not each.without}
        self._indexes = {self.city.names[index]: index for node in self.nodes for index in node.poles}
        self._world = World(
            seed=order["seed"], city=self.city, causes=causes, start=datetime.fromisoformat(order["start"])
        )
        self._told = Told(
            seed=order["seed"], city=self.city, profiles=loader.profiles(), causes=causes, began_ms=self.began_ms,
            poles=np.array(sorted(self._indexes.values()), dtype=np.int64),
            others={name: each.profile.profile for name, each in self.devices.items()},
        )  # fmt: skip

    @property
    def step(self) -> int:
        """The newest that is known."""
        return self._world.step

    def step_at(self, time_ms: int) -> int:
        """The step that holds then; before the scenario's beginning the first one does."""
        return max(0, (time_ms - self.began_ms) // STEP_MS)

    def advance(self) -> WireStep:
        """One step further."""
        number = self._world.advance()
        self._told.take(self._world)
        at_ms = self.began_ms + number * STEP_MS
        dark, away = self._without(self._world.powered), self._without(self._world.reachable)
        return WireStep(
            number=number, dark=dark, cars=self._cars(at_ms),
            away=frozenset(node.name for node in self.nodes if self.city.names[node.poles[0]] in away),
            mute={name: points for name in self.devices if (points := self._told.unanswered(name, at_ms))},
        )  # fmt: skip

    def act(self, pole: str, what: str, value: float) -> int | None:
        """Acts on the world from the step after the present one on. Returns the present one; None where the pole has
        no such device in the world."""
        try:
            self._world.act(self._indexes[pole], what, value)
        except KeyError:
            return None
        return self._world.step

    def source_of(self, device: str) -> Source:
        """What it shows."""
        return self._told.source(device)

    def _cars(self, at_ms: int) -> dict[str, tuple[bool, bool]]:
        """Of charge points that have a state of their own."""
        return {
            name: (
                bool(self._told.value(name, "connected", at_ms)),
                bool(self._told.value(name, "charging", at_ms)),
            )
            for name, each in self.devices.items()
            if each.profile.protocol == "ocpp"
        }

    def _without(self, has: BoolArray) -> frozenset[str]:
        return frozenset(name for name, index in self._indexes.items() if not has[index])
