"""The gateway and its buses as devices of its own pole: their counters are readings like any other."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from device_profiles.schema import Profile
from gateway.reading import Reading
from gateway.reports import Report

Counted = Mapping[str, Mapping[str, float]]  # "pole/device" -> a number for each counter that is known


class OwnDevices:
    """All of one profile. Devices come and go; a counter that is not there is not told."""

    def __init__(
        self,
        *,
        profile: Profile,
        counted: Callable[[], Awaitable[Counted]],
        on_readings: Callable[[list[Reading], bool], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._profile = profile
        self._counted = counted
        self._on_readings = on_readings
        self._now_ms = now_ms

    async def run(self) -> None:
        """Reports until cancelled."""
        await asyncio.gather(*(self._run_group(name) for name in self._profile.polls))

    async def _run_group(self, group: str) -> None:
        points = {name: point for name, point in self._profile.points.items() if point.poll == group}
        poll = self._profile.polls[group]
        reports: dict[tuple[str, str], Report] = {}
        while True:
            counted = await self._counted()
            time_ms, now = self._now_ms(), time.monotonic()
            readings: list[Reading] = []
            for device, counters in counted.items():
                for name, point in points.items():
                    value = counters.get(point.counter or name)
                    if value is None:
                        continue
                    report = reports.setdefault(
                        (device, name), Report(deadband=point.deadband, silence=poll.silence)
                    )  # fmt: skip
                    if report.reason(now, value, None) is not None:
                        readings.append((device, name, time_ms, value, None))
            self._on_readings(readings, False)
            for key in [key for key in reports if key[0] not in counted]:
                del reports[key]
            await asyncio.sleep(poll.every)


def memory_bytes() -> int:
    """Resident memory of this process; 0 where the system does not tell (proc(5), statm)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
