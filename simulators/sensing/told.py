"""What devices on wires hold: the world at their poles IN, a value for every point of theirs OUT, for a while back."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from device_profiles.schema import Profile
from simulators.causes import STEP_S, Cause
from simulators.sensing.columns import Column, columns
from simulators.sensing.instruments import Instruments
from simulators.sensing.rot import TIMEOUT, Qualities, Spell, spells
from simulators.sensing.source import Surroundings
from simulators.sensing.texts import text
from simulators.sensing.uptime import Uptime
from simulators.world.arrays import IntArray
from simulators.world.city_map import CityMap
from simulators.world.kits import KITS

Value = float | bool | str
STEPS_KEPT = 30
_STEP_MS = STEP_S * 1000


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """What all devices of one kind held in a step. texts: (row, point) -> text."""

    raw: IntArray
    quality: Qualities
    texts: Mapping[tuple[int, str], str]


class Told:
    """The same values as Sensors has for a pole that it reads in every step, and all other points of the devices too.

    It takes each step of the world once, best before the clock is there: whoever asks for a later one is told the last.
    """

    def __init__(
        self,
        *,
        seed: int,
        city: CityMap,
        profiles: Mapping[str, Profile],
        causes: Sequence[Cause],
        began_ms: int,
        poles: IntArray,
        others: Mapping[str, str] | None = None,
    ) -> None:
        """The devices of these poles' kits, and others: "P00001/meter-2" -> profile.

        began_ms: when the scenario's first step began, ms since 1970. Raises ValueError for a device on a pole that the
        city does not have.
        """
        devices = {
            f"{city.names[pole]}/{name}": profile for pole in poles.tolist() for name, profile in _kit(city, pole)
        }
        rots = spells(causes, city, seed)
        self._began_ms = began_ms
        self._uptime = Uptime(seed=seed, poles=city.poles)
        self._last = -1
        self._where: dict[str, tuple[_Group, int]] = {}
        for (name, profile), alike in _alike(devices | dict(others or {}), city).items():
            group = _Group(seed=seed, name=name, profile=profile, profiles=profiles, poles=alike, rots=rots)
            self._where |= {f"{city.names[pole]}/{name}": (group, row) for row, pole in enumerate(alike)}
        self._groups = list({id(group): group for group, _ in self._where.values()}.values())

    def take(self, world: Surroundings) -> None:
        """Feels the world's present step."""
        self._uptime.see(world)
        self._last = world.step
        for group in self._groups:
            group.feel(world, self._uptime)

    def value(self, device: str, point: str, time_ms: int) -> Value | None:
        """What it holds then; None before the first step, and for a point that it does not have.

        A sensor that is out of range says so by its number. One that is dead still has one: see `unanswered`.
        """
        group, row = self._where[device]
        return group.value(row, point, self._ago(time_ms))

    def source(self, device: str) -> Callable[[str, int], Value | None]:
        """For the `source` of simulators.device.EmulatedDevice."""
        group, row = self._where[device]

        def value(point: str, time_ms: int) -> Value | None:
            return group.value(row, point, self._ago(time_ms))

        return value

    def unanswered(self, device: str, time_ms: int) -> frozenset[str]:
        """The points that the device does not answer for then; all that it measures where it is dead itself."""
        group, row = self._where[device]
        return group.unanswered(row, self._ago(time_ms))

    def _ago(self, time_ms: int) -> int:
        """Steps back from the last."""
        return max(0, self._last - (time_ms - self._began_ms) // _STEP_MS)


class _Group:
    """Devices that have the same name and profile."""

    def __init__(
        self,
        *,
        seed: int,
        name: str,
        profile: str,
        profiles: Mapping[str, Profile],
        poles: Sequence[int],
        rots: Sequence[Spell],
    ) -> None:
        self._profile = profiles[profile]
        self._poles = np.array(poles, dtype=np.int64)
        self._rows = np.arange(len(poles), dtype=np.int64)
        found = list(columns(name, self._profile, all_points=True))
        self._columns: dict[str, tuple[int, Column]] = {each.point: (index, each) for index, each in enumerate(found)}
        self._texts = [point for point, each in self._profile.points.items() if each.kind == "text"]
        self._instruments = Instruments(
            seed=seed, poles=self._poles, columns=found, profiles=profiles, every=np.ones(len(poles), dtype=np.int64),
            rots=rots,
        )  # fmt: skip
        self._history: deque[_Moment] = deque(maxlen=STEPS_KEPT)

    def feel(self, world: Surroundings, uptime: Uptime) -> None:
        raw, quality = self._instruments.sense(world, self._rows, uptime.seconds(world, self._poles))
        texts = {
            (row, point): text(self._profile, point, partial(self._quantity, world, row))
            for point in self._texts
            for row in self._rows.tolist()
        }
        self._history.append(_Moment(raw=raw, quality=quality, texts=texts))

    def value(self, row: int, point: str, ago: int) -> Value | None:
        moment = self._at(ago)
        if moment is None:
            return None
        if point not in self._columns:
            return moment.texts.get((row, point))
        index, column = self._columns[point]
        number = int(moment.raw[row, index])
        return bool(number) if column.kind == "bool" else number / 10**column.decimals

    def unanswered(self, row: int, ago: int) -> frozenset[str]:
        moment = self._at(ago)
        if moment is None:
            return frozenset()
        return frozenset(point for point, (index, _) in self._columns.items() if moment.quality[row, index] == TIMEOUT)

    def _at(self, ago: int) -> _Moment | None:
        """The oldest that is kept for what lies farther back."""
        return self._history[max(-len(self._history), -1 - ago)] if self._history else None

    def _quantity(self, world: Surroundings, row: int, name: str) -> float:
        return float(world.quantity(name, self._poles[row : row + 1])[0])


def _kit(city: CityMap, pole: int) -> tuple[tuple[str, str], ...]:
    return KITS[int(city.kit[pole])].devices


def _alike(devices: Mapping[str, str], city: CityMap) -> dict[tuple[str, str], list[int]]:
    """(device's name, profile) -> the poles that have it. Raises ValueError."""
    index = {name: pole for pole, name in enumerate(city.names)}
    found: dict[tuple[str, str], list[int]] = {}
    for device, profile in devices.items():
        pole, _, name = device.partition("/")
        if pole not in index:
            raise ValueError(f"{device}: the city has no pole {pole}; it has {city.names[0]} to {city.names[-1]}")
        found.setdefault((name, profile), []).append(index[pole])
    return found
