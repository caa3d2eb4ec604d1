"""The running buses of a node: a driver for each, and what a new site changes of them.

A bus whose lines in the site stay as they are keeps its driver, its connection and its deadlines. A driver that cannot
start, or that breaks, is tried again and keeps nobody else from working.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from device_profiles.schema import Model
from device_profiles.site_buses import AnyBus
from device_profiles.site_model import Device, Site
from gateway.driver import Counters, Driver
from gateway.drivers import first_line
from gateway.identity import spoken_for
from protocols import errors
from wire.backoff import Backoff

log = structlog.get_logger("bus")

COMMAND_S = 10.0  # a command on a bus that is about to change has so long to end
CLOSE_S = 5.0
QUIET_S = 2.0  # on a line without transaction numbers a device may still answer what the old driver asked
DOWN = {"line_down": 1.0}  # a bus whose driver does not run
RETRY_S = (1.0, 60.0)  # first and longest wait before a driver that broke is tried again


class Make(Protocol):
    def __call__(self, *, name: str, bus: AnyBus, devices: list[Device]) -> Driver: ...


@dataclass(frozen=True)
class _Plan:
    """All that a driver is made of; secrets are what stands in the files that the bus and its controllers name."""

    bus: AnyBus
    devices: tuple[Device, ...]
    controllers: dict[str, tuple[object, ...]]
    secrets: tuple[tuple[str | None, ...], ...]


@dataclass(eq=False, kw_only=True)
class _Running:
    plan: _Plan
    driver: Driver | None = None
    task: asyncio.Task[None] | None = None
    commands: set[asyncio.Timeout] = field(default_factory=set)


class Buses:
    """make gives the driver of a bus; nothing is opened by that."""

    def __init__(self, *, node: str, make: Make) -> None:
        self._node = node
        self._make = make
        self._running: dict[str, _Running] = {}
        self._devices: dict[tuple[str, str], Device] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._changing: set[str] = set()
        self._settled = asyncio.Event()  # nothing is changing
        self._settled.set()
        self._gone = Counters()  # of drivers that are no more

    @property
    def counters(self) -> Counters:
        """Of all drivers since the start of the process."""
        drivers = [each.driver.counters for each in self._running.values() if each.driver is not None]
        return _sum([self._gone, *drivers])

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """Of each bus, by the names of the profile `bus`."""
        return {name: each.driver.figures if each.driver else DOWN for name, each in self._running.items()}

    async def run(self, site: Site) -> None:
        """Reads until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            self.start(site)
            await asyncio.Event().wait()

    async def retire(self, site: Site) -> list[str]:
        """Stops what the new site lacks or changes; the names. Commands for these buses wait until start().

        Where there are any, start() comes QUIET_S later.
        """
        plans = self._plans(site)
        changed = {name: each for name, each in self._running.items() if each.plan != plans.get(name)}
        self._changing = set(changed)
        self._settled.clear()
        await asyncio.gather(*(self._stop(name, each) for name, each in changed.items()))
        return sorted(changed)

    def start(self, site: Site) -> list[str]:
        """Starts what the site has and what does not run yet; the names."""
        assert self._tasks is not None
        plans = self._plans(site)
        new = {name: _Running(plan=plan) for name, plan in plans.items() if name not in self._running}
        self._running |= new
        self._devices = {(device.pole, device.device): device for device in site.devices_of(self._node)}
        for name, each in new.items():
            each.task = self._tasks.create_task(self._drive(name, each), name=f"bus {name}")
        self._changing = set()
        self._settled.set()
        return sorted(new)

    def device(self, pole: str, name: str) -> Device | None:
        """The device of this name, where the site has it."""
        return self._devices.get((pole, name))

    @contextlib.asynccontextmanager
    async def lent(self, device: Device) -> AsyncIterator[Driver]:
        """The driver of a device's bus, which stays at least COMMAND_S. Raises DeviceError where there is none."""
        while device.bus in self._changing:
            await self._settled.wait()
        running = self._running.get(device.bus)
        if running is None or device not in running.plan.devices:
            raise errors.LineDown("the site was changed meanwhile: this device is not on that bus any more")
        if running.driver is None:
            raise errors.LineDown(f"the bus {device.bus} does not run: see the gateway's log")
        try:
            async with asyncio.timeout(None) as patience:
                running.commands.add(patience)
                yield running.driver
        except TimeoutError:
            if not patience.expired():
                raise
            raise errors.Timeout("the site was changed meanwhile: nobody knows whether the device obeyed") from None
        finally:
            running.commands.discard(patience)

    async def close(self) -> None:
        """After run() was cancelled."""
        await asyncio.gather(*(self._close(name, each) for name, each in self._running.items()))

    async def _drive(self, name: str, each: _Running) -> None:
        wait = Backoff(first=RETRY_S[0], most=RETRY_S[1])
        while True:
            try:
                each.driver = self._make(name=name, bus=each.plan.bus, devices=list(each.plan.devices))
                await each.driver.run()
            except Exception as error:  # one bus, whatever is wrong with it, must not end the others
                log.exception("bus does not run, trying again", bus=name, error=f"{type(error).__name__}: {error}")
            await self._close(name, each)
            await asyncio.sleep(wait.next())

    async def _stop(self, name: str, each: _Running) -> None:
        until = asyncio.get_running_loop().time() + COMMAND_S
        for command in each.commands:
            command.reschedule(until)
        while each.commands:
            await asyncio.sleep(0.02)
        if each.task is not None:
            each.task.cancel()
            await asyncio.wait([each.task], timeout=CLOSE_S)
        await self._close(name, each)
        del self._running[name]

    async def _close(self, name: str, each: _Running) -> None:
        driver, each.driver = each.driver, None
        if driver is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                await driver.close()
        except Exception as error:  # what cannot be closed must not keep the next driver from starting
            log.error("bus does not close", bus=name, error=f"{type(error).__name__}: {error}")
        self._gone = _sum([self._gone, driver.counters])

    def _plans(self, site: Site) -> dict[str, _Plan]:
        return {name: _plan(site, name, bus) for name, bus in site.buses_of(self._node).items()}


def _plan(site: Site, name: str, bus: AnyBus) -> _Plan:
    secrets = tuple(_secrets(each) for each in (bus, *site.controllers_on(name).values()))
    return _Plan(bus, tuple(site.devices_on(name)), spoken_for(site, name), secrets)


def _secrets(holder: Model) -> tuple[str | None, ...]:
    try:
        return tuple(first_line(value) for _, value in holder if isinstance(value, Path))
    except (OSError, UnicodeError):  # the driver tells it when it starts
        return ()


def _sum(counters: list[Counters]) -> Counters:
    names = [each.name for each in dataclasses.fields(Counters)]
    return Counters(**{name: sum(getattr(each, name) for each in counters) for name in names})
