"""Readings as they come from the buses -> packs in the spool: events at once, telemetry once a second.

While the clock is not believed they go to the spool with the time since the start of the machine. Once it is, these get
their times and numbers first, in their order, and what comes meanwhile queues behind them on the disk.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable

import structlog

from gateway.clock import GRID_MS, STEP_MS, WALL_FROM_MS, Boot, Clock, Stamps, believed
from gateway.disk.spool import Spool, SpoolFull
from gateway.disk.spool_thread import SpoolThread
from gateway.reading import Reading

log = structlog.get_logger("collector")

FLUSH_S = 1.0
PACK_READINGS = 200
MAX_HELD = 20_000  # readings in memory while the disk takes none; then the oldest telemetry goes
TIMES_S = 1.0  # at a time, readings that waited get theirs for so long; what is new must not wait in memory


class Collector:
    """unspooled: readings that were lost before they had a number, because the disk took none for too long."""

    def __init__(self, *, disk: SpoolThread, clock: Clock, on_durable: Callable[[], None]) -> None:
        self._disk = disk
        self._clock = clock
        self._on_durable = on_durable
        self._stamps = Stamps()
        self._untimed = {True: 0, False: 0}  # is it an event -> rows of the spool that wait for their time
        self._known = False
        self._stepped_back = 0
        self._stepped_ms = 0  # of the clock's steps, those that are in the stamps held
        self._since_ms = 0  # the clock gave no stamp that is held before it
        self._held: dict[bool, list[Reading]] = {True: [], False: []}  # is it an event
        self._wake = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []  # who wants to know when what is held is on the disk
        self._stopping = False
        self.unspooled = 0

    def add(self, readings: list[Reading], event: bool) -> None:
        """Takes readings from a poller; never waits."""
        self._follow_clock()  # whose step these have seen already
        held = self._held[event]
        for device, point, time_ms, value, quality in readings:
            held.append((device, point, self._stamps.unlike(device, point, time_ms), value, quality))
        if event or len(held) >= PACK_READINGS:
            self._wake.set()

    async def durable(self) -> None:
        """Returns when all that was added so far is on the disk."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        await done

    def stop(self) -> None:
        """run() writes what is held and ends."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        last = False
        while not last:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._wake.wait()
            self._wake.clear()
            last = self._stopping
            waiting, self._waiting = self._waiting, []
            if await self._flush():
                for done in waiting:
                    if not done.done():
                        done.set_result(None)
            else:
                self._waiting = waiting + self._waiting
            self._forget_oldest()
        if left := len(self._held[True]) + len(self._held[False]):
            self.unspooled += left
            log.error("the gateway stops and the disk takes nothing: readings lost", readings=left)

    async def look(self) -> None:
        """Whether the clock is believed now; then what is held gets its time."""
        believable = self._clock.is_believable()
        self._follow_clock()
        if not believable or self._clock.known:
            return
        untimed, oldest = await self._disk.run(functools.partial(_untimed, boot=self._clock.boot()))
        if not self._clock.is_believable():
            return
        # No await from here on: a stamp is given either before all of it, or after.
        began_ms = self._clock.boot().began_ms
        held = [ms + began_ms for readings in self._held.values() for _, _, ms, _, _ in readings if ms < WALL_FROM_MS]
        self._clock.believe(min(held, default=None) if oldest is None else oldest)
        self._known = True
        self._untimed = untimed
        self._replace(self._timed)

    async def _flush(self) -> bool:
        """What is held goes to the disk; False where the disk refuses some: that is held further, before newer ones."""
        await self.look()
        begins_ms = self._clock.last_ms
        await self._give_times()
        if await self._append(event=True) & await self._append(event=False):
            self._since_ms = begins_ms - STEP_MS  # for it may go back by that much without a step
            return True
        return False

    async def _give_times(self) -> None:
        """Readings that waited for the time get it."""
        until = asyncio.get_running_loop().time() + TIMES_S
        try:
            while self._known and any(self._untimed.values()):
                self._untimed = await self._disk.run(functools.partial(_give_times, clock=self._clock))
                self._on_durable()
                if asyncio.get_running_loop().time() >= until:
                    break
        except SpoolFull as full:
            log.error("readings that waited for the time wait for room on the disk", error=str(full))

    async def _append(self, *, event: bool) -> bool:
        held = self._held[event]
        left = len(held)
        try:
            while left:
                part = held[: min(left, PACK_READINGS)]
                await self._disk.run(functools.partial(self._how(event), readings=part))
                del held[: len(part)]
                left -= len(part)
                self._on_durable()
        except SpoolFull as full:
            log.error("readings held in memory until the disk has room", held=len(held), error=str(full))
        return not left

    def _how(self, event: bool) -> Callable[..., None]:
        """How readings that are held are written: numbered, or where they wait for the time and who is before them."""
        if self._known and not self._untimed[event]:
            memory = {"last_ms": self._clock.last_ms, "set_back": self._clock.set_back}
            return functools.partial(_append, event=event, memory=memory)
        boot = "" if self._known else self._clock.boot().id
        return functools.partial(_append_unclocked, event=event, boot=boot, boot_ms=self._clock.since_boot_ms())

    def _follow_clock(self) -> None:
        """What is held got its stamps before the wall clock was set: they move with it."""
        clock = self._clock
        step, back = clock.stepped_ms - self._stepped_ms, clock.stepped_back - self._stepped_back
        self._stepped_ms, self._stepped_back = clock.stepped_ms, clock.stepped_back
        if self._known and not clock.known:  # back to 1970, say: they wait for the time like what follows
            self._known = False
            self._move(lambda time_ms: time_ms // GRID_MS * GRID_MS - clock.believed_ms)
        elif step:
            self._move(lambda time_ms: time_ms // GRID_MS * GRID_MS + step + (time_ms + back) % GRID_MS)
            self._since_ms += step

    def _timed(self, time_ms: int) -> int:
        if time_ms < WALL_FROM_MS:
            return time_ms + self._clock.boot().began_ms
        told = believed(time_ms, self._clock.last_ms)
        return self._clock.last_ms if told is None else told

    def _move(self, moved: Callable[[int], int]) -> None:
        self._replace(
            lambda time_ms: moved(time_ms) if time_ms >= self._since_ms else time_ms
        )  # before: a device's own

    def _replace(self, time: Callable[[int], int]) -> None:
        self._stamps.move(time)
        for held in self._held.values():
            held[:] = [(device, point, time(ms), value, quality) for device, point, ms, value, quality in held]

    def _forget_oldest(self) -> None:
        excess = len(self._held[True]) + len(self._held[False]) - MAX_HELD
        if excess > 0:
            telemetry = min(excess, len(self._held[False]))
            del self._held[False][:telemetry]
            del self._held[True][: excess - telemetry]
            self.unspooled += excess
            log.error("memory full and the disk takes nothing: oldest readings lost", readings=excess)


def _append(spool: Spool, readings: list[Reading], event: bool, memory: dict[str, int]) -> None:
    spool.append(event=event, readings=readings, **memory)


def _append_unclocked(spool: Spool, readings: list[Reading], event: bool, boot: str, boot_ms: int) -> None:
    spool.append_unclocked(event=event, readings=readings, boot=boot, boot_ms=boot_ms)


def _untimed(spool: Spool, boot: Boot) -> tuple[dict[bool, int], int | None]:
    return spool.untimed, spool.oldest_unclocked(boot)


def _give_times(spool: Spool, clock: Clock) -> dict[bool, int]:
    return spool.give_times(clock.boot(), last_ms=clock.last_ms, set_back=clock.set_back)
