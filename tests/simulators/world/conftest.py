"""Worlds to look into: `a_world(causes, …)` makes one, `play(seconds)` goes on with it."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pytest

from simulators.causes import Cause
from simulators.world.arrays import FloatArray
from simulators.world.city_map import CityMap, city_map
from simulators.world.world import STEP_S, World

AFTERNOON = datetime(2026, 7, 15, 14, 0)
CITIES: dict[tuple[int, int], CityMap] = {}


class Look:
    """A world, and its quantities at every pole."""

    def __init__(self, world: World) -> None:
        self.world, self.city = world, world.city
        self.all = np.arange(world.city.poles)

    def __getitem__(self, quantity: str) -> FloatArray:
        return self.world.quantity(quantity, self.all)

    def play(self, seconds: int) -> "Look":
        for _ in range(seconds // STEP_S):
            self.world.advance()
        return self

    def until(self, local: datetime) -> "Look":
        while self.world.local() < local:
            self.world.advance()
        return self


@pytest.fixture(scope="session")
def a_world() -> Callable[..., Look]:
    def made(*causes: Cause, poles: int = 120, seed: int = 1, start: datetime = AFTERNOON) -> Look:
        city = CITIES.setdefault((seed, poles), city_map(seed=seed, poles=poles))
        look = Look(World(seed=seed, city=city, causes=causes, start=start))
        look.world.advance()
        return look

    return made
