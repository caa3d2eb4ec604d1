"""The time: UTC from whoever tells it, ticking with the board; and the times of readings that were taken before it.

These carry the number of the boot and its milliseconds. When the time gets known, the boot's offset goes to the disk
before such a reading can be sent: a pack has the same times for ever. edge.boots says what becomes of a boot that never
gets to know the time.
"""

import asyncio

from edge.guest import guest

_GRID_MS = 10  # of stamps: the last digit tells apart what is lived through twice when the clock is set back
_SET_AFTER_MS = 1_735_689_600_000  # 2025-01-01: an earlier time was never set
_SET_BEFORE_MS = 4_102_444_800_000  # 2100-01-01
_STEP_MS = 1000
_LOOK_MS = 60_000  # between two looks at the board's own clock
_ASK_S = 1024  # between two questions to the NTP server; 20 ppm are 20 ms
_RETRY_S = 16  # RFC 4330, section 10: never less than 15 s
_RETRY_MAX_S = 64


class Clock:
    """boot: the number of this boot, from when the journal is open. steps: how often it was set by more than 1 s.

    known: the newest boot with an offset on the disk. oldest: that packs wait of for their time. start: where the
    milliseconds of this boot begin.
    """

    def __init__(self, board, config: dict) -> None:
        self.path = board.folder + "/clock"
        self.boot = 1
        self.steps = self.known = self.oldest = self.start = self._back = self._look = 0
        self._board = board
        self._ntp = config["ntp"]
        self._offset: int | None = None
        self._asked = (0, 0, 0)  # boot; what edge.boots found for it

    def ms(self) -> int:
        """Milliseconds of this boot, on the grid: what a reading is stamped with while now() is None."""
        return int(self._board.ms() + self.start) // _GRID_MS * _GRID_MS

    def now(self) -> int | None:
        """UTC, ms since 1970; None while it is not known."""
        ms = self.ms()
        if self._offset is None or (not self._ntp and ms >= self._look):
            self._look = ms + _LOOK_MS
            self._follow(self._board.utc_ms() or 0)
        return None if self._offset is None else ms + self._offset + (self.boot + self._back) % _GRID_MS

    def set(self, utc_ms: int) -> None:
        """It is utc_ms now. A time that cannot be is not taken."""
        if self._follow(utc_ms):
            self._board.set_utc_ms(utc_ms)

    def time(self, boot: int, ms: int) -> tuple[int, bool] | None:
        """(UTC, whether it is an estimate) of a boot's millisecond, of UTC where boot is 0; None: not known yet."""
        if not boot:
            return ms, False
        if boot > self.known:
            return None
        if boot != self._asked[0]:
            found = guest("edge.boots", "find", self, boot)
            if not found:  # the file went bad meanwhile: the next start sorts it out
                return None
            self._asked = found
        return ms + self._asked[2], self._asked[1] > boot

    def _follow(self, utc_ms: int) -> bool:
        if not _SET_AFTER_MS <= utc_ms < _SET_BEFORE_MS:
            return False
        offset = utc_ms // _GRID_MS * _GRID_MS - self.ms()
        step = 0 if self._offset is None else offset - self._offset
        if abs(step) > _GRID_MS or self._offset is None:
            self._offset = offset
            self.steps += abs(step) > _STEP_MS
            self._back += step < 0
        if self.known < self.boot:
            try:
                guest("edge.boots", "enter", self, self._offset + (self.boot + self._back) % _GRID_MS)
            except OSError:  # tried again when the time is told next
                pass
        return True

    async def run(self, beat) -> None:
        """Asks the NTP server every now and then, for ever; beat() is called at least every _RETRY_S."""
        wait = 0
        while True:
            try:
                self.set(await guest("edge.sntp", "ask", self._ntp, self._board.ms))
                wait = _ASK_S
            except OSError as error:
                print("ntp:", *error.args)
                wait = _ASK_S if "kiss" in error.args else min(max(wait * 2, _RETRY_S), _RETRY_MAX_S)
            for _ in range(wait // _RETRY_S):
                beat()
                await asyncio.sleep(_RETRY_S)
