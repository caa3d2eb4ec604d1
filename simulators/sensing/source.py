"""What stands between the world and one point: quantities, their meaning, and how well a device feels it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from simulators.sensing import conversions
from simulators.world.arrays import BoolArray, FloatArray, IntArray

UPTIME = "uptime"  # seconds since the pole's power came back: no quantity of the world, the sensors count it


class Surroundings(Protocol):
    """What of the world sensors see: simulators.world.world.World is one."""

    @property
    def step(self) -> int: ...

    @property
    def powered(self) -> BoolArray: ...

    @property
    def silent(self) -> BoolArray: ...

    def quantity(self, name: str, poles: IntArray) -> FloatArray: ...


@dataclass(frozen=True, kw_only=True)
class Source:
    """How a device comes to a value. Without quantities it is always `usual`, which the profile says.

    The errors are standard deviations over sensors (gain, offset, drift) or over readings (noise), in the point's unit;
    gain has none, drift is per day. lag_s: time constant, first order. wraps: degrees, 360 is 0 again. alive: a bool
    quantity, without which the device does not answer. answers: a bool that says whether the device does.
    """

    quantities: tuple[str, ...] = ()
    of: Callable[..., FloatArray] = conversions.same
    noise: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    drift: float = 0.0
    lag_s: float = 0.0
    wraps: bool = False
    alive: str = ""
    answers: bool = False
    usual: float = 0.0

    @property
    def needs(self) -> tuple[str, ...]:
        """All that it asks of the world."""
        return (*self.quantities, self.alive) if self.alive else self.quantities

    @property
    def is_inexact(self) -> bool:
        """Whether it measures, rather than counts, switches or is set."""
        return bool(self.noise or self.gain or self.offset or self.drift)
