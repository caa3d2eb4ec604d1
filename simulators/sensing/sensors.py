"""What the nodes of a whole city read: a world and rows of a table IN, values and qualities OUT."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from device_profiles.schema import Profile
from simulators.causes import Cause
from simulators.sensing.columns import tables
from simulators.sensing.instruments import Instruments
from simulators.sensing.rot import TIMEOUT, Qualities, spells
from simulators.sensing.source import Surroundings
from simulators.sensing.uptime import Uptime
from simulators.world.arrays import IntArray
from simulators.world.city_map import CityMap


@dataclass(frozen=True, kw_only=True)
class Sensed:
    """raw[r, c]: value * 10**decimals of the column, of a bool 0 or 1; 0 where there is no value. quality[r, c]: 0 is
    good, else 1 + index in wire.packs.QUALITIES."""

    raw: IntArray
    quality: Qualities


class Sensors:
    """Every sensor of a city. The same seed, city, causes and steps of reading give the same values."""

    def __init__(
        self,
        *,
        seed: int,
        city: CityMap,
        profiles: Mapping[str, Profile],
        causes: Sequence[Cause],
        every: IntArray,
    ) -> None:
        """every: steps between two readings, by pole."""
        self.tables = tables(city, profiles)
        rots = spells(causes, city, seed)
        self._uptime = Uptime(seed=seed, poles=city.poles)
        self._instruments = [
            Instruments(
                seed=seed, poles=table.poles, columns=table.columns, profiles=profiles, every=every[table.poles],
                rots=rots,
            )
            for table in self.tables
        ]  # fmt: skip

    def sense(self, world: Surroundings, table: int, rows: IntArray) -> Sensed:
        """One reading of each row, now. Ask once a step at least, if only for no row: the uptimes follow the power."""
        self._uptime.see(world)
        uptime_s = self._uptime.seconds(world, self.tables[table].poles[rows])
        raw, quality = self._instruments[table].sense(world, rows, uptime_s)
        quality[world.silent[self.tables[table].poles[rows]]] = TIMEOUT  # the node's software does not read them
        raw[quality != 0] = 0
        return Sensed(raw=raw, quality=quality)
