"""What the world holds at one step: quantities by name, made when somebody asks, and then kept until the next step."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np

from simulators.world.arrays import FloatArray, IntArray
from simulators.world.city_map import CityMap

STEP_S = 10


class Present:
    """The step, its time, and every quantity at every pole. Modules offer theirs and read each other's by name."""

    def __init__(self, *, seed: int, city: CityMap, start: datetime) -> None:
        self.seed, self.city, self.start = seed, city, start
        self.step = -1
        self.index: IntArray = np.arange(city.poles, dtype=np.int64)
        self._makers: dict[str, Callable[[], FloatArray]] = {}
        self._made: dict[str, FloatArray] = {}

    def offer(self, **makers: Callable[[], FloatArray]) -> None:
        """Quantities by name: what makes each, one value a pole, of the present step."""
        self._makers |= makers

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._makers)

    def __getitem__(self, name: str) -> FloatArray:
        """One value a pole; not to be written to. Raises KeyError."""
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._makers[name]()
            made.flags.writeable = False
        return made

    def begin(self, step: int) -> None:
        self.step = step
        self._made.clear()

    @property
    def second(self) -> int:
        """Seconds since the scenario's beginning."""
        return self.step * STEP_S

    @property
    def local(self) -> datetime:
        return self.start + timedelta(seconds=self.second)

    @property
    def hour(self) -> float:
        """Of the local day, 0 to 24."""
        local = self.local
        return local.hour + local.minute / 60 + local.second / 3600

    def everywhere(self, value: float) -> FloatArray:
        return np.full(self.city.poles, value)


def by_hour(hour: float, knots: tuple[tuple[float, float], ...]) -> float:
    """A daily course that is given at some hours from 0 on, straight between them and over midnight."""
    after = next((place for place, knot in enumerate(knots) if knot[0] > hour), len(knots))
    since, low = knots[after - 1]
    until, high = knots[after] if after < len(knots) else (24.0, knots[0][1])
    return low + (high - low) * (hour - since) / (until - since)
