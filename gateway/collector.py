"""Readings as they come from the buses -> packs in the spool: events at once, telemetry once a second."""

import asyncio
import contextlib
import functools
from collections.abc import Callable

import structlog

from gateway.clock import Clock, Stamps
from gateway.disk.spool import Spool, SpoolFull
from gateway.disk.spool_thread import SpoolThread
from gateway.reading import Reading

log = structlog.get_logger("collector")

FLUSH_S = 1.0
PACK_READINGS = 200
MAX_HELD = 20_000  # readings in memory while the disk takes none; then the oldest telemetry goes


class Collector:
    """unspooled: readings that were lost before they had a number, because the disk took none for too long."""

    def __init__(self, *, disk: SpoolThread, clock: Clock, on_durable: Callable[[], None]) -> None:
        self._disk = disk
        self._clock = clock
        self._on_durable = on_durable
        self._stamps = Stamps()
        self._held: dict[bool, list[Reading]] = {True: [], False: []}  # is it an event
        self._wake = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []  # who wants to know when what is held is on the disk
        self._stopping = False
        self.unspooled = 0

    def add(self, readings: list[Reading], event: bool) -> None:
        """Takes readings from a poller; never waits."""
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
            if await self._append(event=True) & await self._append(event=False):
                for done in waiting:
                    if not done.done():
                        done.set_result(None)
            else:
                self._waiting = waiting + self._waiting
            self._forget_oldest()
        if left := len(self._held[True]) + len(self._held[False]):
            self.unspooled += left
            log.error("the gateway stops and the disk takes nothing: readings lost", readings=left)

    async def _append(self, *, event: bool) -> bool:
        """What is held goes to the disk; False where the disk refuses some: that is held further, before newer ones."""
        held, self._held[event] = self._held[event], []
        last_ms, set_back = self._clock.last_ms, self._clock.set_back
        try:
            while held:
                part = held[:PACK_READINGS]
                await self._disk.run(
                    functools.partial(_append, event=event, readings=part, last_ms=last_ms, set_back=set_back)
                )
                del held[:PACK_READINGS]
                self._on_durable()
        except SpoolFull as full:
            log.error("readings held in memory until the disk has room", held=len(held), error=str(full))
        self._held[event] = held + self._held[event]
        return not held

    def _forget_oldest(self) -> None:
        excess = len(self._held[True]) + len(self._held[False]) - MAX_HELD
        if excess > 0:
            telemetry = min(excess, len(self._held[False]))
            del self._held[False][:telemetry]
            del self._held[True][: excess - telemetry]
            self.unspooled += excess
            log.error("memory full and the disk takes nothing: oldest readings lost", readings=excess)


def _append(spool: Spool, *, event: bool, readings: list[Reading], last_ms: int, set_back: int) -> None:
    spool.append(event=event, readings=readings, last_ms=last_ms, set_back=set_back)
