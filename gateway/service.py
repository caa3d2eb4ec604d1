"""A running gateway: one node of a site, its buses and its uplink, until it is told to stop."""

import asyncio
import contextlib
import importlib.metadata
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
import structlog

from device_profiles import loader
from device_profiles.site_model import Site
from gateway.birth import OWN_DEVICE, OWN_PROFILE, birth
from gateway.clock import Clock
from gateway.collector import Collector
from gateway.command_log import CommandLog
from gateway.commands import Commands
from gateway.disk.spool import Spool, SpoolState
from gateway.disk.spool_thread import SpoolThread
from gateway.driver import Driver
from gateway.drivers import driver, first_line
from gateway.own_device import OwnDevice, memory_bytes
from gateway.uplink import Node, Uplink

log = structlog.get_logger("gateway")

VERSION = importlib.metadata.version("multipole")
DRAIN_S = 5.0  # on a stop: time for ingest to confirm what is under way; the rest stays on the disk
READERS_S = 5.0  # on a stop: time for connections to end
CLOCK_LOOK_S = 1.0
NAME_THREADS, NAME_THREADS_MOST = 16, 256  # asyncio's own few fill up where a name server is silent
RATE_AFTER_S = 60.0  # the spool's capacity in hours is told once the rate is known from so much time


async def run(*, site: Site, node: str, stop: asyncio.Event) -> None:
    """Reads and sends until stop is set; then writes what it holds, and leaves with the last counts told."""
    own = site.gateways[node]
    assert own.spool is not None
    disk = SpoolThread(Spool(path=own.spool, max_bytes=own.spool_megabytes << 20))
    command_log = CommandLog(own.spool.with_name(own.spool.name + ".commands"))
    asyncio.get_running_loop().set_default_executor(_threads(len(site.devices_of(node))))
    try:
        await _wait_for_clock(stop)
        await _Service(site, node, disk, command_log).run(stop)
    finally:
        disk.close()
        command_log.close()


class _Service:
    def __init__(self, site: Site, node: str, disk: SpoolThread, command_log: CommandLog) -> None:
        state = disk.spool.state()
        self._site = site
        self._node = node
        self._disk = disk
        self._began = time.monotonic()
        self._too_small_said = False
        self._clock = Clock(last_ms=state.last_ms, set_back=state.set_back)
        self._collector = Collector(disk=disk, clock=self._clock, on_durable=self._wake)
        self._drivers = {name: self._driver(name) for name in site.buses_of(node)}
        self._own = OwnDevice(
            device=f"{site.gateways[node].pole}/{OWN_DEVICE}",
            profile=loader.profiles()[OWN_PROFILE],
            counters=self._counters,
            on_readings=self._collector.add,
            now_ms=self._clock.now_ms,
        )
        self._interrupted = command_log.interrupted
        commands = Commands(
            devices=site.devices_of(node),
            profiles=loader.profiles(),
            drivers=self._drivers,
            command_log=command_log,
            now_ms=lambda: time.time_ns() // 1_000_000,
            log=structlog.get_logger("commands"),
        )
        self._uplink = Uplink(
            node=_node(site, node), disk=disk, status=self._status, birth=self._birth, on_command=commands.handle
        )

    async def run(self, stop: asyncio.Event) -> None:
        log.info("gateway starts", node=self._node, buses=len(self._drivers), **await self._spool_says())
        async with asyncio.TaskGroup() as tasks, self._closed_buses():
            uplink = tasks.create_task(self._uplink.run(), name="uplink")
            collector = tasks.create_task(self._collector.run(), name="collector")
            tasks.create_task(self._tell_interrupted(), name="interrupted commands")
            readers = [tasks.create_task(self._uplink.run_commands(), name="commands")]
            readers += [tasks.create_task(each.run(), name=f"bus {name}") for name, each in self._drivers.items()]
            readers.append(tasks.create_task(self._own.run(), name="own device"))
            await stop.wait()
            log.info("gateway stops: writing what it holds", node=self._node)
            for reader in readers:
                reader.cancel()
            await asyncio.wait(readers, timeout=READERS_S)  # what they still tell is written too
            self._collector.stop()
            await collector
            await self._drain()
            uplink.cancel()
        await self._uplink.say_goodbye()
        log.info("gateway stopped", node=self._node, **await self._spool_says())

    async def _tell_interrupted(self) -> None:
        for command, outcome in self._interrupted:
            await self._uplink.reply({"id": command, "time": time.time_ns() // 1_000_000, **outcome})

    async def _drain(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while self._uplink.connected and (await self._disk.run(Spool.state)).pending:
                    await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def _closed_buses(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for each in self._drivers.values():
                await each.close()

    def _wake(self) -> None:
        self._uplink.wake()

    def _driver(self, name: str) -> Driver:
        return driver(
            name=name,
            bus=self._site.buses[name],
            devices=self._site.devices_on(name),
            profiles=loader.profiles(),
            on_readings=self._collector.add,
            now_ms=self._clock.now_ms,
            durable=self._collector.durable,
            log=structlog.get_logger("bus"),
        )

    def _birth(self) -> dict[str, object]:
        return birth(
            site=self._site,
            node=self._node,
            profiles=loader.profiles(),
            epoch=self._disk.spool.epoch,
            version=VERSION,
            now_ms=time.time_ns() // 1_000_000,
        )

    async def _status(self, online: bool) -> dict[str, object]:
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
            "clock": "ok" if self._clock.is_set() else "unset",
            "version": VERSION,
            "time": time.time_ns() // 1_000_000,
        }

    def _capacity_hours(self, state: SpoolState) -> float | None:
        """How long the spool lasts without confirmation at the rate since the start; None until that is known."""
        running_s = time.monotonic() - self._began
        written = self._disk.spool.written_bytes
        if running_s < RATE_AFTER_S or not written:
            return None
        own = self._site.gateways[self._node]
        hours = round((own.spool_megabytes << 20) / written * running_s / 3600, 1)
        if hours < own.keep / 3600 and not self._too_small_said:
            log.warning("spool too small for what it is to bridge: raise spool_megabytes", hours=hours, keep_s=own.keep)
            self._too_small_said = True
        return hours

    async def _counters(self) -> dict[str, int]:
        state = await self._disk.run(Spool.state)
        buses = [each.counters for each in self._drivers.values()]
        return {
            "uptime_s": int(time.monotonic() - self._began),
            "spool_pending": state.pending,
            "spool_bytes": state.bytes,
            "packs_dropped": sum(state.dropped.values()),
            "readings_produced": state.readings,
            "bus_requests": sum(bus.requests for bus in buses),
            "bus_timeouts": sum(bus.timeouts for bus in buses),
            "bus_errors": sum(bus.errors for bus in buses),
            "memory_bytes": memory_bytes(),
        }

    async def _spool_says(self) -> dict[str, Any]:
        state = asdict(await self._disk.run(Spool.state))
        return {name: state[name] for name in ("epoch", "head", "stored", "pending", "dropped", "readings")}


def _threads(devices: int) -> ThreadPoolExecutor:
    """Where names are looked up, which a call that was given up goes on doing; the broker's connection needs one too.

    They begin when they are needed.
    """
    return ThreadPoolExecutor(min(NAME_THREADS_MOST, NAME_THREADS + 2 * devices), thread_name_prefix="names")


async def _wait_for_clock(stop: asyncio.Event) -> None:
    # A reading with a false time is worse than a late one: the clock is waited for.
    said = False
    while not Clock().is_set() and not stop.is_set():
        if not said:
            log.error("the clock was never set: waiting for it before the first reading; set it, or start NTP")
            said = True
        await asyncio.sleep(CLOCK_LOOK_S)


def _node(site: Site, name: str) -> Node:
    own = site.gateways[name]
    address = urlsplit(own.broker)
    secure = address.scheme == "mqtts"
    connect: dict[str, Any] = {
        "hostname": address.hostname,
        "port": address.port or (8883 if secure else 1883),
        "username": site.user_of(name),
        "password": first_line(own.password_file),
    }
    if secure:
        connect["tls_params"] = aiomqtt.TLSParameters(
            ca_certs=_text(own.ca), certfile=_text(own.cert), keyfile=_text(own.key)
        )
    return Node(site.area, name, connect, confirm_by_broker=own.confirm == "broker")


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
