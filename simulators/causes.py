"""What happens to a city: a scenario is a time line of causes, and what the poles read follows from them.

`Cause.values` by kind (docs/scenarios.md has every range):
    front     from_deg (where it comes from, 0 = north, 90 = east), speed (m/s), width_m, rain (mm/h), wind (m/s),
              cooling (K), pressure (hPa that it rises by); its first edge is at the city's edge at begin_s
    weather   temperature (K), humidity (%), cloud (0..1), wind (m/s), each added; rain (mm/h)
    crowd     people (all together, within where.radius_m of where.centre)
    traffic   factor
    plume     pollutant (pm2_5, pm10, no2, so2, o3, co), strength (ug/m3 close to it, at where.centre)
    outage    the feeder or circuit is dead
    sag       percent that the voltage falls by
    offline   the network is away
    rollout   version, sick (0..1 of the poles), symptom (boot-loop, silent-sensors); end_s is the way back
    rot       how (drift, stuck, spikes, noise, dead), rate (drift: % of the point's range an hour; spikes: an hour;
              noise: ± % of the range), function, device, point (texts; empty is any)
    clock     how (step, drift, unset), by (step: s ahead; drift: s an hour; unset: 0)
    cover     open until end_s
    hit       angle (degrees that the pole leans by until end_s)
    sos       the button is pressed until end_s
    charging  factor
    lamps     level (%)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from device_profiles import loader
from simulators.world.arrays import BoolArray, IntArray
from simulators.world.city_map import CityMap
from simulators.world.kits import KITS
from simulators.world.noise import chance

STEP_S = 10  # causes begin and end with the world's steps
FOREVER = 1 << 40  # seconds: the end of what has none
ROADS = ("lane", "street", "main-road", "square")  # the numbers of CityMap.road
WHOLES = ("feeder", "circuit", "network_cell", "basin", "district")  # of CityMap, what a pole is one of


@dataclass(frozen=True, kw_only=True)
class Where:
    """Which poles. Every part narrows the choice; share or count then take some of what is left, by chance.

    near: share of the city's width from the west, of its height from the south, so that it fits every size of city;
    the pole that stands nearest always counts as near. whole: one of WHOLES: all poles of the feeders (…) that hold a
    pole that is left; share and count are of feeders (…) then.
    """

    share: float = 1.0
    count: int | None = None
    whole: str = ""
    districts: tuple[str, ...] = ()
    poles: tuple[str, ...] = ()
    near: tuple[float, float] | None = None
    radius_m: float = 300.0
    feeders: tuple[int, ...] = ()
    network_cells: tuple[int, ...] = ()
    roads: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()

    def centre(self, city: CityMap) -> tuple[float, float]:
        """Metres from the south-west corner; the city's middle where nothing is near."""
        east, north = self.near or (0.5, 0.5)
        return east * city.width_m, north * city.height_m

    def chosen(self, city: CityMap, seed: int, stream: str) -> BoolArray:
        """By pole. The same city, seed and stream choose the same poles."""
        left = self._left(city)
        if not self.whole:
            return _some(left, self.share, self.count, seed, stream)
        group = getattr(city, self.whole)
        with_some = np.zeros(int(group.max()) + 1, dtype=np.bool_)
        with_some[group[left]] = True
        taken: BoolArray = _some(with_some, self.share, self.count, seed, stream)[group]
        return taken

    def _left(self, city: CityMap) -> BoolArray:
        left = np.ones(len(city.names), dtype=np.bool_)
        if self.poles:
            left &= np.isin(np.array(city.names), self.poles)
        if self.districts:
            numbers = [number for number, district in enumerate(city.districts) if district[0] in self.districts]
            left &= np.isin(city.district, numbers)
        if self.feeders:
            left &= np.isin(city.feeder, self.feeders)
        if self.network_cells:
            left &= np.isin(city.network_cell, self.network_cells)
        if self.roads:
            left &= np.isin(city.road, [ROADS.index(road) for road in self.roads])
        if self.functions:
            left &= np.isin(city.kit, kits_with(self.functions))
        return left & self._nearby(city, left) if self.near else left

    def _nearby(self, city: CityMap, left: BoolArray) -> BoolArray:
        east, north = self.centre(city)
        distance = np.hypot(city.x - east, city.y - north)
        nearest = np.where(left, distance, np.inf).min(initial=np.inf)
        near: BoolArray = distance <= max(self.radius_m, nearest)
        return near


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One cause. Times are seconds from the scenario's beginning, whole steps; end_s is the first moment without it.

    fade_s: how long what comes over a whole region (weather, a crowd, traffic …) takes to come and to go.
    over_s: the poles (with `whole`: the feeders …) are not met at once but one after another, by chance, within this
    time; each for as long.
    number: its place in the scenario, from 0; the stream of its chances follows from it.
    en, zh: what to tell people when it begins, where the scenario says it; empty: the kind's usual words.
    """

    kind: str
    begin_s: int
    end_s: int = FOREVER
    where: Where = field(default_factory=Where)
    values: Mapping[str, float | str] = field(default_factory=dict)
    number: int = 0
    fade_s: int = 0
    over_s: int = 0
    en: str = ""
    zh: str = ""

    @property
    def stream(self) -> str:
        return f"cause {self.number} {self.kind}"

    def strength(self, time_s: int) -> float:
        """0 before and after, 1 between, rising and falling over fade_s, each half of its length at most."""
        if not self.begin_s <= time_s < self.end_s:
            return 0.0
        fade = min(self.fade_s, (self.end_s - self.begin_s) / 2)
        return min(1.0, (time_s - self.begin_s) / fade, (self.end_s - time_s) / fade) if fade else 1.0

    def spans(self, city: CityMap, seed: int) -> tuple[IntArray, IntArray]:
        """When it begins and ends for each pole, seconds, whole steps; FOREVER and FOREVER where it never does."""
        chosen = self.where.chosen(city, seed, self.stream)
        together = getattr(city, self.where.whole) if self.where.whole else np.arange(len(chosen), dtype=np.int64)
        late = chance(seed, f"{self.stream} late", together) * self.over_s
        shift = (late // STEP_S).astype(np.int64) * STEP_S
        begin = np.where(chosen, self.begin_s + shift, FOREVER)
        return begin, np.where(chosen, np.minimum(self.end_s + shift, FOREVER), FOREVER)

    def number_of(self, key: str) -> float:
        """A value that is a number; 0 where the cause has none of that name."""
        return float(self.values.get(key, 0.0))

    def text_of(self, key: str) -> str:
        """A value that is a text; empty where the cause has none of that name."""
        return str(self.values.get(key, ""))


def kits_with(functions: tuple[str, ...]) -> list[int]:
    """The numbers of the kits that have a device of one of the functions."""
    return [
        number
        for number, kit in enumerate(KITS)
        if any(loader.files()[profile].parent.name in functions for _, profile in kit.devices)
    ]


def _some(left: BoolArray, share: float, count: int | None, seed: int, stream: str) -> BoolArray:
    """`count`, or `share` (one at least), of those that are left, by chance."""
    drawn = chance(seed, stream, np.arange(len(left), dtype=np.int64))
    wanted = math.ceil(share * int(left.sum())) if count is None else count
    out = np.zeros(len(left), dtype=np.bool_)
    out[np.argsort(np.where(left, drawn, 2.0), kind="stable")[:wanted]] = True
    return out & left
