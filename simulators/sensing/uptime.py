"""How long the devices of a pole have had power."""

import numpy as np

from simulators.causes import STEP_S
from simulators.sensing.source import Surroundings
from simulators.world.arrays import FloatArray, IntArray
from simulators.world.noise import chance

_BEFORE_S = 30 * 86400  # at the scenario's beginning they have run for up to so long


class Uptime:
    def __init__(self, *, seed: int, poles: int) -> None:
        before = chance(seed, "uptime", np.arange(poles, dtype=np.int64)) * (_BEFORE_S // STEP_S)
        self._since = -before.astype(np.int32) - 1  # the step before their first
        self._step = -1

    def see(self, world: Surroundings) -> None:
        """Once a step: what has no power now begins anew."""
        if world.step != self._step:
            self._step = world.step
            self._since[~world.powered] = world.step

    def seconds(self, world: Surroundings, poles: IntArray) -> FloatArray:
        return (world.step - self._since[poles]).astype(np.float64) * STEP_S
