"""Time stamps of readings: milliseconds since 1970 that never name two instants of one point alike.

A point in the database is its series and its time stamp, so two readings of one point with one stamp are one reading.
A wall clock that is set back lives through some milliseconds twice. Stamps therefore lie on a grid of 10 ms, and their
last digit says how often the clock was set back (modulo 10): what is lived through again gets other stamps.

While the wall clock is not believed, a stamp counts from the start of the machine (CLOCK_BOOTTIME, clock_gettime(2)).
Such a stamp is known by its size: a machine that runs for eight years without a clock is beyond the wire's rules too.
"""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from wire.senml import RELATIVE_LIMIT_S

log = structlog.get_logger("clock")

GRID_MS = 10
SET_AFTER_MS = 1_735_689_600_000  # 2025-01-01: a clock before it was never set
WALL_FROM_MS = RELATIVE_LIMIT_S * 1000  # a smaller stamp counts from the start of the machine
STEP_MS = 1000  # a larger difference between two looks is a step; a smaller one is drift that is put right
NTP_MS = 120_000  # after the start of the machine NTP has so long, before a clock that it has not set is believed
BACK_MS = 300_000  # a clock that is earlier than the spool's last stamp is believed after so long
AHEAD_MS = 300_000  # how far a device's clock may be ahead of ours; then its times are not believed
BEHIND_MS = 30 * 86_400_000  # how old what a device sends again may be
_TIME_ERROR = 5  # adjtimex(2): "the system clock is not synchronized to a reliable server"


@dataclass(frozen=True)
class Boot:
    """A run of the machine. began_ms: when it began, ms since 1970, as the wall clock of now has it."""

    id: str
    began_ms: int


class Clock:
    """last_ms and set_back are the spool's memory of the highest stamp and of the times the clock was set back.

    known: the wall clock is believed. steps: how often it was set while the gateway ran; stepped_ms, stepped_back: the
    sum of the steps that it made while it was believed, and how many of them went back.
    """

    def __init__(
        self,
        *,
        last_ms: int = 0,
        set_back: int = 0,
        wall_ns: Callable[[], int] = time.time_ns,
        boot_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        synchronised: Callable[[], bool] = lambda: kernel_synchronised(),
        boot_id: str | None = None,
    ) -> None:
        self.last_ms = last_ms
        self.set_back = set_back
        self.known = False
        self.steps = 0
        self.stepped_ms = self.stepped_back = 0
        self.synchronised = synchronised
        self._wall_ns = wall_ns
        self._boot_ns = boot_ns
        self._boot_id = boot_id or _boot_id()
        self._doubted_at: int | None = None
        self._offset = self._measured()
        self._began_ms = 0  # as of when the clock was believed; a step moves it, a little drift does not
        self.believed_ms = 0  # when this boot began, as the clock had it last while it was believed

    def now_ms(self) -> int:
        """The stamp of now. Equal stamps within a grid step are the caller's to tell apart, see Stamps."""
        self._notice_step()
        if not self.known:
            return self.since_boot_ms()
        now = self._wall_ms()
        if now < self.last_ms // GRID_MS * GRID_MS:
            self.set_back += 1
        self.last_ms = now + self.set_back % GRID_MS
        return self.last_ms

    def since_boot_ms(self) -> int:
        return self._boot_ns() // 1_000_000 // GRID_MS * GRID_MS

    def boot(self) -> Boot:
        """This run of the machine; its beginning carries the digit of the times the clock was set back."""
        began_ms = self._began_ms if self.known else self._offset // GRID_MS * GRID_MS
        return Boot(self._boot_id, began_ms + self.set_back % GRID_MS)

    def is_believable(self) -> bool:
        """Set at all, and by NTP or without a reason to doubt it; what was believed stays so, unless it is unset."""
        self._notice_step()
        if self.known:
            return True
        return self._wall_ms() >= SET_AFTER_MS and (self.synchronised() or not self._is_doubtful())

    def believe(self, oldest_ms: int | None) -> None:
        """Stamps are the wall clock's from now on, and from oldest_ms on for readings that waited for it."""
        now = self._wall_ms()
        if min(now, now if oldest_ms is None else oldest_ms) <= self.last_ms:
            self.set_back += 1
        self.last_ms = now + self.set_back % GRID_MS
        self._began_ms = self._offset // GRID_MS * GRID_MS
        self.known = True
        log.info("the time is known", set_back=self.set_back)

    def _is_doubtful(self) -> bool:
        since_boot = self.since_boot_ms()
        if self._wall_ms() < self.last_ms - STEP_MS:
            self._doubted_at = since_boot if self._doubted_at is None else self._doubted_at
            return since_boot - self._doubted_at < BACK_MS
        return since_boot < NTP_MS

    def _notice_step(self) -> None:
        before, self._offset = self._offset, self._measured()
        step = self._offset - before
        if abs(step) <= STEP_MS:
            return
        self.steps += 1
        log.warning("the wall clock was set", by_s=round(step / 1000, 3), steps=self.steps)
        if self._wall_ms() < SET_AFTER_MS:
            if self.known:
                self.believed_ms = before // GRID_MS * GRID_MS
            self.known = False
        if self.known:
            self._began_ms += step // GRID_MS * GRID_MS
            self.stepped_ms += step // GRID_MS * GRID_MS
            if step < 0:
                self.set_back += 1
                self.stepped_back += 1
                self.last_ms = self._wall_ms() + self.set_back % GRID_MS

    def _wall_ms(self) -> int:
        return self._wall_ns() // 1_000_000 // GRID_MS * GRID_MS

    def _measured(self) -> int:
        return (self._wall_ns() - self._boot_ns()) // 1_000_000


class Stamps:
    """The last stamp of each point, so that a point that is read twice within a grid step keeps both readings."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}

    def unlike(self, device: str, point: str, time_ms: int) -> int:
        """time_ms, or the next step of the grid that this point has not had just before."""
        key = (device, point)
        last = self._last.get(key, 0)
        if last >= time_ms and last - time_ms < 1000 and last % GRID_MS == time_ms % GRID_MS:
            time_ms = last + GRID_MS
        self._last[key] = time_ms
        return time_ms

    def move(self, moved: Callable[[int], int]) -> None:
        """Stamps that were given get another time."""
        self._last = {key: moved(time_ms) for key, time_ms in self._last.items()}


def believed(told_ms: int, now_ms: int) -> int | None:
    """A device's own time, where its clock is not certainly wrong; nothing was measured later than now."""
    return min(told_ms, now_ms) if now_ms - BEHIND_MS <= told_ms <= now_ms + AHEAD_MS else None


def kernel_synchronised() -> bool:
    """Whether the kernel was told by NTP or PTP that its clock is right (adjtimex(2)); without either it never is."""
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))  # struct timex; modes = 0 only asks
    except (OSError, AttributeError):
        return False
    return 0 <= state < _TIME_ERROR


def _boot_id() -> str:
    """A new one at every start of the machine (random(4)); without it, no two runs of the gateway share a machine's."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"unknown-{time.time_ns()}"
