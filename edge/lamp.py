"""The lamp: a schedule by local time, dusk and dawn, which needs no network; a command overrides it for a while.

config["lamp"]: {"device": "P0017/lamp-1", "schedule": [[kind, minutes, level], …], "hold": seconds, "fail": level,
"output": ["relay", pin], ["pwm", name] or ["pwm", name, pin of the driver's supply], or ["modbus"]}. kind: 0 local time
in minutes of the day, 1 minutes after dawn, 2 after dusk; level: percent from that moment on. config["position"]:
millionths of a degree; config["utc_offset"]: minutes.

It fails lit: before the time is known, and whenever the level cannot be told, it is `fail` (100). What it says of a
lamp at a pin: `level` and `on` at the start, when they change, and every _REPORT_MS. A lamp on a bus is read by its
profile.
"""

import asyncio
import sys

from edge.guest import guest

_REPORT_MS = 300_000
_DAY_MINUTES = 1440


class Lamp:
    def __init__(self, board, clock, collector, config: dict, write=None) -> None:
        """write: for the output modbus, async function(level) that raises OSError while the lamp does not take it."""
        lamp = config["lamp"]
        self._fail: int = lamp["fail"]
        self.level = -1  # what the output was last set to
        self._board = board
        self._clock = clock
        self._collector = collector
        self._lamp = lamp
        self._place = config["position"]
        self._offset = config["utc_offset"]
        self._day = -1
        self._steps: list = []  # of that local day: (minute, level), ascending
        self._override = -1
        self._until = 0
        self._told = -_REPORT_MS  # where it starts at the level that it is to have, that is told too
        kind = lamp["output"][0]
        self._write = write if kind == "modbus" else None
        self._pwm = board.pwm(lamp["output"][1]) if kind == "pwm" else None
        relay = {"relay": lamp["output"][1:], "pwm": lamp["output"][2:]}.get(kind)
        self._relay = board.output(relay[0]) if relay else None
        if not self._write:
            self._set(self._fail)

    def override(self, level: int, seconds: int = 0) -> None:
        """This level for so long (0: the site's `hold`), then the schedule again. -1 ends an override."""
        self._override = level
        self._until = self._board.ms() + 1000 * (seconds or self._lamp["hold"])

    def wanted(self) -> int:
        """Per cent, now."""
        if self._override >= 0 and self._board.ms() >= self._until:
            self._override = -1
        if self._override >= 0:
            return self._override
        now = self._clock.now()
        if now is None:
            return self._fail
        minutes = now // 60_000 + self._offset
        if minutes // _DAY_MINUTES != self._day:
            self._plan(minutes // _DAY_MINUTES)
        level: int = self._steps[-1][1]  # before the day's first step the last one of the day before holds
        for at, following in self._steps:
            if at <= minutes % _DAY_MINUTES:
                level = following
        return level

    async def run(self, beat) -> None:
        """For ever; beat is called every second or so."""
        while True:
            beat()
            try:
                level = self.wanted()
            except Exception as error:  # whatever it is, the street is not to be dark
                sys.print_exception(error) if hasattr(sys, "print_exception") else print(error)
                level = self._fail
            await self.show(level)
            await asyncio.sleep(1)

    async def show(self, level: int) -> None:
        """Sets the lamp where it is not at this level, and tells."""
        now = self._board.ms()
        if level == self.level and now - self._told < _REPORT_MS:
            return
        if self._write:
            try:
                await self._write(level)
            except OSError:  # tried again in a second
                return
            self.level = level
        else:
            self._set(level)
            device, on = self._lamp["device"], '"vb":true' if level else '"vb":false'
            self._collector.add(device, "level", '"v":%d' % level, read=False)
            self._collector.add(device, "on", on, read=False)
        self._told = now

    def _set(self, level: int) -> None:
        if self._pwm:
            self._pwm(level * 10)
        if self._relay:
            self._relay(1 if level else 0)
        self.level = level

    def _plan(self, day: int) -> None:
        dawn, dusk = guest("edge.sun", "times", day, self._place[0], self._place[1])
        starts = (0, dawn + self._offset, dusk + self._offset)
        steps = [((starts[kind] + minutes) % _DAY_MINUTES, level) for kind, minutes, level in self._lamp["schedule"]]
        self._steps = sorted(steps)
        self._day = day
