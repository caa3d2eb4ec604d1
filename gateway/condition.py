"""What a node tells of itself: the status for the broker, and the counters of its own device."""

import importlib.metadata
import time

import structlog

from device_profiles.site_model import bus_device
from gateway.birth import OWN_DEVICE
from gateway.buses import Buses
from gateway.clock import Clock
from gateway.collector import Collector
from gateway.configuration import Configuration
from gateway.disk.spool import Spool, SpoolState
from gateway.disk.spool_thread import SpoolThread
from gateway.own_device import Counted, memory_bytes

log = structlog.get_logger("gateway")

VERSION = importlib.metadata.version("multipole")
RATE_AFTER_S = 60.0  # the spool's capacity in hours is told once the rate is known from so much time


class Condition:
    def __init__(
        self, *, disk: SpoolThread, clock: Clock, collector: Collector, buses: Buses, configuration: Configuration
    ) -> None:
        self._disk = disk
        self._clock = clock
        self._collector = collector
        self._buses = buses
        self._configuration = configuration
        self._began = time.monotonic()
        self._too_small_said = False

    async def status(self, online: bool) -> dict[str, object]:
        """As wire.messages.STATUS has it."""
        state = await self._disk.run(Spool.state)
        return {
            "online": online,
            "ep": state.epoch,
            "head": state.head,
            "stored": state.stored,
            "pending": state.pending,
            "dropped": state.dropped,
            "readings": state.readings,
            "unspooled": self._collector.unspooled,
            "capacity_hours": self._capacity_hours(state),
            "clock": "ok" if self._clock.known else "unset",
            "unclocked": state.unclocked,
            "clock_steps": self._clock.steps,
            "synchronised": self._clock.synchronised(),
            "version": VERSION,
            "time": time.time_ns() // 1_000_000,
            **self._configuration.status(),
        }

    async def counters(self) -> Counted:
        """The numbers of the profile `gateway`."""
        state = await self._disk.run(Spool.state)
        buses = self._buses.counters
        counters = {
            "uptime_s": int(time.monotonic() - self._began),
            "spool_pending": state.pending,
            "spool_bytes": state.bytes,
            "packs_dropped": sum(state.dropped.values()),
            "readings_produced": state.readings,
            "bus_requests": buses.requests,
            "bus_timeouts": buses.timeouts,
            "bus_errors": buses.errors,
            "memory_bytes": memory_bytes(),
        }
        return {f"{self._pole}/{OWN_DEVICE}": counters}

    async def bus_figures(self) -> Counted:
        """The numbers of the profile `bus`."""
        return {f"{self._pole}/{bus_device(bus)}": figures for bus, figures in self._buses.figures.items()}

    @property
    def _pole(self) -> str:
        return self._configuration.site.gateways[self._configuration.node].pole

    def _capacity_hours(self, state: SpoolState) -> float | None:
        """How long the spool lasts without confirmation at the rate since the start; None until that is known."""
        running_s = time.monotonic() - self._began
        written = self._disk.spool.written_bytes
        if running_s < RATE_AFTER_S or not written:
            return None
        own = self._configuration.site.gateways[self._configuration.node]
        hours = round((own.spool_megabytes << 20) / written * running_s / 3600, 1)
        if hours < own.keep / 3600 and not self._too_small_said:
            log.warning("spool too small for what it is to bridge: raise spool_megabytes", hours=hours, keep_s=own.keep)
            self._too_small_said = True
        return hours
