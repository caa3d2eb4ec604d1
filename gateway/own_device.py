"""The gateway as a device of its own pole: its counters are readings like any other, from the profile `gateway`."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from device_profiles.schema import Profile
from gateway.reading import Reading
from gateway.reports import Report


class OwnDevice:
    """counters() gives a number for each name that the profile's points count."""

    def __init__(
        self,
        *,
        device: str,
        profile: Profile,
        counters: Callable[[], Awaitable[dict[str, int]]],
        on_readings: Callable[[list[Reading], bool], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._device = device
        self._profile = profile
        self._counters = counters
        self._on_readings = on_readings
        self._now_ms = now_ms

    async def run(self) -> None:
        """Reports until cancelled."""
        await asyncio.gather(*(self._run_group(name) for name in self._profile.polls))

    async def _run_group(self, group: str) -> None:
        points = {name: point for name, point in self._profile.points.items() if point.poll == group}
        silence = self._profile.polls[group].silence
        reports = {name: Report(deadband=point.deadband, silence=silence) for name, point in points.items()}
        while True:
            counted = await self._counters()
            time_ms, now = self._now_ms(), time.monotonic()
            readings: list[Reading] = []
            for name, point in points.items():
                value = counted[point.counter or name]
                if reports[name].reason(now, value, None) is not None:
                    readings.append((self._device, name, time_ms, value, None))
            self._on_readings(readings, False)
            await asyncio.sleep(self._profile.polls[group].every)


def memory_bytes() -> int:
    """Resident memory of this process; 0 where the system does not tell (proc(5), statm)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
