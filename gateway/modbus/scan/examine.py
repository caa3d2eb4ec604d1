"""Asks one unit for what tells which profile it fits: first a point of each, then all blocks of those that remain."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from device_profiles.bus_time import Line as Settings
from device_profiles.fingerprint import CONTROL, Read, Seen, first, is_ruled_out, reads, singles
from device_profiles.schema import Profile
from gateway.modbus.bus import Line
from protocols import modbus
from protocols.errors import BadAnswer, Refused, Timeout

TRIES = 3  # where noise spoilt an answer, or the device was busy
SILENT_MOST = 2  # requests to one table without any answer, then it is left alone: each costs two seconds
BUSY = (5, 6)
BUSY_S = 0.2


class Examination:
    """spoilt: answers that were no frame, of so many `asked`."""

    def __init__(self, *, line: Line, unit: int, wait: float, settings: Settings | None = None) -> None:
        self.seen = Seen(line=settings)
        self.asked = 0
        self.spoilt = 0
        self._line = line
        self._unit = unit
        self._wait = wait
        self._silent: Counter[str] = Counter()  # table -> requests in vain; a table that answers leaves it

    async def run(self, profiles: Mapping[str, Profile]) -> Seen:
        """Raises LineDown."""
        for table, place in CONTROL:
            await self._ask(Read(table, place, 1))
        known = [profile for profile in profiles.values() if profile.modbus is not None]
        for read in sorted({first(profile) for profile in known}):
            await self._ask(read)
        for profile in known:
            if self.seen.has(first(profile)):
                await self._whole(profile)
        return self.seen

    async def _whole(self, profile: Profile) -> None:
        """Until so much is refused that it cannot be this profile."""
        absent = 0
        for read in reads(profile):
            if await self._ask(read):
                continue
            alone = singles(profile, read)
            for one in alone:
                absent += not (len(alone) > 1 and await self._ask(one))
                if is_ruled_out(profile, absent):
                    return

    async def _ask(self, read: Read) -> bool:
        """True where its words are there. What was asked already is not asked again."""
        if self.seen.has(read):
            return True
        if read in self.seen.refused or self._silent[read.table] >= SILENT_MOST:
            return False
        request = modbus.read(*read)
        for _ in range(TRIES):
            self.asked += 1
            try:
                words = modbus.items(request, await self._line.exchange(self._unit, request, self._wait))
            except BadAnswer as error:
                self.spoilt += 1
                self.seen.refused[read] = str(error)
            except Timeout:
                self.seen.refused[read] = "no answer"
                self._silent[read.table] += read.table not in {table for table, _ in self.seen.words}
                return False
            except Refused as error:
                self.seen.refused[read] = f"exception {error.code}"
                if error.code not in BUSY:
                    return False
                await asyncio.sleep(BUSY_S)
            else:
                self.seen.refused.pop(read, None)
                self.seen.words |= dict(zip(read.places, words, strict=True))
                return True
        return False
