"""A running gateway: one node of a site, its buses and its uplink, until it is told to stop."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import structlog

from device_profiles import loader
from device_profiles.site_buses import AnyBus
from device_profiles.site_model import Device, Site
from gateway.announced import Announced
from gateway.birth import BUS_PROFILE, OWN_PROFILE, birth, devices_of
from gateway.buses import QUIET_S, Buses
from gateway.clock import Clock
from gateway.collector import Collector
from gateway.command_log import CommandLog
from gateway.commands import Commands
from gateway.condition import VERSION, Condition
from gateway.configuration import Configuration
from gateway.disk.spool import Spool
from gateway.disk.spool_thread import SpoolThread
from gateway.driver import Driver
from gateway.drivers import driver
from gateway.identity import controllers_on, node_of
from gateway.modbus.learned import Learned
from gateway.own_device import OwnDevices
from gateway.uplink import Uplink
from wire import messages
from wire.errors import MessageError

log = structlog.get_logger("gateway")

DRAIN_S = 5.0  # on a stop: time for ingest to confirm what is under way; the rest stays on the disk
READERS_S = 5.0  # on a stop: time for connections to end
NAME_THREADS = 256  # asyncio's own few fill up where a name server is silent; they begin when they are needed
WRITTEN_S = 5.0  # on a change: time for the disk to take what the old buses told
FORGET_S = 2.0  # how often it is looked whether all of a device that left is stored


async def run(*, configuration: Configuration, stop: asyncio.Event) -> None:
    """Reads and sends until stop is set; then writes what it holds, and leaves with the last counts told."""
    own = configuration.site.gateways[configuration.node]
    assert own.spool is not None
    disk = SpoolThread(Spool(path=own.spool, max_bytes=own.spool_megabytes << 20))
    command_log = CommandLog(own.spool.with_name(own.spool.name + ".commands"))
    # Names are looked up in threads, and a call that was given up goes on; the broker's connection needs one too.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(NAME_THREADS, thread_name_prefix="names"))
    try:
        await _Service(configuration, disk, command_log).run(stop)
    finally:
        disk.close()
        command_log.close()


class _Service:
    def __init__(self, configuration: Configuration, disk: SpoolThread, command_log: CommandLog) -> None:
        state = disk.spool.state()
        self._configuration = configuration
        self._site, self._node = configuration.site, configuration.node
        self._disk = disk
        self._clock = Clock(last_ms=state.last_ms, set_back=state.set_back)
        self._collector = Collector(disk=disk, clock=self._clock, on_durable=self._wake)
        self._learned = Learned(disk.spool.path.with_name(disk.spool.path.name + ".learned.json"))
        self._buses = Buses(node=self._node, make=self._driver)
        self._condition = Condition(
            disk=disk, clock=self._clock, collector=self._collector, buses=self._buses, configuration=configuration
        )
        told = {OWN_PROFILE: self._condition.counters, BUS_PROFILE: self._condition.bus_figures}
        self._own = [
            OwnDevices(
                profile=loader.profiles()[profile], counted=counted, on_readings=self._collector.add,
                now_ms=self._clock.now_ms,
            )
            for profile, counted in told.items()
        ]  # fmt: skip
        self._announced = Announced(disk.spool.path)
        self._announced.change(devices_of(self._site, self._node), epoch=state.epoch, head=state.head)
        self._interrupted = command_log.interrupted
        commands = Commands(
            buses=self._buses,
            profiles=loader.profiles(),
            command_log=command_log,
            now_ms=lambda: time.time_ns() // 1_000_000,
            time_known=lambda: self._clock.known,
            log=structlog.get_logger("commands"),
        )
        self._uplink = Uplink(
            node=node_of(self._site, self._node), disk=disk, status=self._condition.status, birth=self._birth,
            on_command=commands.handle, on_config=configuration.post,
        )  # fmt: skip
        configuration.on_news = self._uplink.tell_status

    async def run(self, stop: asyncio.Event) -> None:
        buses = len(self._site.buses_of(self._node))
        await self._collector.look()
        if not self._clock.known:
            log.error("the time is not known: readings wait on the disk for it; set the clock, or start NTP")
        log.info("gateway starts", node=self._node, buses=buses, **await self._spool_says())
        async with asyncio.TaskGroup() as tasks, self._closed_buses():
            uplink = tasks.create_task(self._uplink.run(), name="uplink")
            collector = tasks.create_task(self._collector.run(), name="collector")
            tasks.create_task(self._tell_interrupted(), name="interrupted commands")
            readers = [
                tasks.create_task(self._uplink.run_commands(), name="commands"),
                tasks.create_task(self._buses.run(self._site), name="buses"),
                tasks.create_task(self._learned.run(), name="what buses learned"),
                *(tasks.create_task(own.run(), name="own devices") for own in self._own),
                tasks.create_task(self._configuration.run(self._change), name="configuration"),
                tasks.create_task(self._forget(), name="devices that left"),
            ]
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

    async def _change(self, site: Site) -> None:
        """Only what the site changes is touched; a birth goes out before the first pack of a new device."""
        stopped = await self._buses.retire(site)
        if stopped:
            await asyncio.gather(asyncio.sleep(QUIET_S), self._written())
        state = await self._disk.run(Spool.state)
        devices = devices_of(site, self._node)
        await asyncio.to_thread(self._announced.change, devices, epoch=state.epoch, head=state.head)
        self._site = site
        self._uplink.move(node_of(site, self._node))
        self._uplink.announce()
        started = self._buses.start(site)
        log.info("site changed", stopped=stopped, started=started, devices=len(site.devices_of(self._node)))

    async def _written(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WRITTEN_S):
                await self._collector.durable()

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(FORGET_S)
            if self._announced.former and self._announced.forget(**await self._disk.run(_numbers)):
                self._uplink.announce()

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
            await self._buses.close()

    def _wake(self) -> None:
        self._uplink.wake()

    def _driver(self, *, name: str, bus: AnyBus, devices: list[Device]) -> Driver:
        return driver(
            name=name,
            bus=bus,
            devices=devices,
            profiles=loader.profiles(),
            on_readings=self._collector.add,
            now_ms=self._clock.now_ms,
            durable=self._collector.durable,
            learned=self._learned,
            controllers=lambda: controllers_on(self._site, name),
            log=structlog.get_logger("bus"),
        )

    def _birth(self) -> dict[str, object]:
        former = [each.named for each in self._announced.former]
        while True:
            message = birth(
                site=self._site, node=self._node, profiles=loader.profiles(), epoch=self._disk.spool.epoch,
                version=VERSION, now_ms=time.time_ns() // 1_000_000, former=former,
            )  # fmt: skip
            if not former or _fits(message):
                return message
            log.error("no room in the birth for devices that left: readings of the first may be refused")
            former = former[len(former) // 2 + 1 :]

    async def _spool_says(self) -> dict[str, Any]:
        state = asdict(await self._disk.run(Spool.state))
        return {name: state[name] for name in ("epoch", "head", "stored", "pending", "dropped", "readings")}


def _numbers(spool: Spool) -> dict[str, Any]:
    """What gateway.announced needs to know of the spool."""
    state = spool.state()
    first = [*spool.events(after=0, limit=1), *spool.telemetry(after=0, before=state.head + 1, limit=1)]
    oldest = min((kept.number for kept in first), default=state.head + 1)
    return {"epoch": state.epoch, "head": state.head, "oldest": oldest, "unclocked": bool(state.unclocked)}


def _fits(birth: dict[str, object]) -> bool:
    try:
        messages.encode(birth, messages.BIRTH)
    except MessageError:
        return False
    return True
