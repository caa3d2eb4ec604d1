"""What the poles read, step by step, and the truth of it: for one seed the same, whoever carries it away, and when.

A pole reads its devices every so many steps, at its own moment within the step; at once when something must not wait.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.sensing.sensors import Sensors
from simulators.world.arrays import BoolArray, IntArray
from simulators.world.city_map import CityMap
from simulators.world.happenings import Happening
from simulators.world.world import STEP_S, World

STEP_MS = STEP_S * 1000
URGENT = ("sos_pressed", "cover_open", "impact")  # a change of these is read at once
_SPREAD = 7919  # a prime: neighbours read at moments far apart


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Of some poles of one table, in the order of their moments. A row is one pole's pack."""

    table: int
    rows: IntArray  # in the table
    poles: IntArray
    moment_ms: IntArray  # after the step's beginning
    stamp_ms: IntArray  # the same by the node's own clock
    raw: IntArray
    quality: NDArray[np.uint8]
    urgent: BoolArray

    def part(self, first: int, end: int) -> "Readings":
        """The rows from first to before end."""
        cut = slice(first, end)
        return Readings(
            table=self.table, rows=self.rows[cut], poles=self.poles[cut], moment_ms=self.moment_ms[cut],
            stamp_ms=self.stamp_ms[cut], raw=self.raw[cut], quality=self.quality[cut], urgent=self.urgent[cut],
        )  # fmt: skip


class Truth(Protocol):
    """Who writes down what was read."""

    def step(self, step: int, tables: list[tuple[int, IntArray, IntArray, IntArray, NDArray[np.uint8]]]) -> None: ...
    def happening(self, happening: Happening) -> None: ...


class Production:
    """nodes: which poles are nodes of their own; the devices of the others are read by somebody else, at every step.

    spread: the poles take turns, so that a broker has as much to do in every step; else all read in one step, which is
    much less work where nothing is sent.
    """

    def __init__(
        self,
        *,
        world: World,
        city: CityMap,
        sensors: Sensors,
        every: IntArray,
        nodes: BoolArray,
        truth: Truth,
        spread: bool = True,
    ) -> None:
        self._world = world
        self._sensors = sensors
        self._nodes = nodes
        self._truth = truth
        index = np.arange(city.poles, dtype=np.int64)
        self._every = every
        self._phase = index % every if spread else np.zeros_like(index)
        self._moment = np.where(nodes, index * _SPREAD % STEP_MS, 0)
        self._urgent = {name: np.zeros(city.poles, dtype=bool) for name in URGENT}
        self._all = index

    def advance(self) -> tuple[int, list[Readings]]:
        """The next step: its number, and what its nodes read. All of it is in the truth when this returns."""
        step = self._world.advance()
        urgent = self._changed()
        due = (step % self._every == self._phase) | urgent
        due &= self._world.powered & self._world.running
        readings = [found for found in self._tables(due, urgent) if len(found.rows)]
        self._truth.step(step, [(each.table, each.rows, each.stamp_ms, each.raw, each.quality) for each in readings])
        for happening in self._world.happenings():
            self._truth.happening(happening)
        return step, [self._of_nodes(each) for each in readings]

    def _changed(self) -> BoolArray:
        changed = np.zeros(len(self._all), dtype=bool)
        for name, before in self._urgent.items():
            now = self._world.quantity(name, self._all) != 0
            changed |= now != before
            self._urgent[name] = now
        return changed

    def _tables(self, due: BoolArray, urgent: BoolArray) -> Iterator[Readings]:
        for number, table in enumerate(self._sensors.tables):
            rows = np.flatnonzero(due[table.poles])
            if number and not len(rows):  # the first one is asked in any case: the sensors want to see every step
                continue
            poles = table.poles[rows]
            order = np.argsort(self._moment[poles], kind="stable")
            rows, poles = rows[order], poles[order]
            sensed = self._sensors.sense(self._world, number, rows)
            moment = self._moment[poles]
            yield Readings(
                table=number, rows=rows, poles=poles, moment_ms=moment,
                stamp_ms=moment + self._world.clock_offset_ms[poles], raw=sensed.raw, quality=sensed.quality,
                urgent=urgent[poles],
            )  # fmt: skip

    def _of_nodes(self, readings: Readings) -> Readings:
        kept = self._nodes[readings.poles]
        if kept.all():
            return readings
        return Readings(
            table=readings.table, rows=readings.rows[kept], poles=readings.poles[kept],
            moment_ms=readings.moment_ms[kept], stamp_ms=readings.stamp_ms[kept], raw=readings.raw[kept],
            quality=readings.quality[kept], urgent=readings.urgent[kept],
        )  # fmt: skip
