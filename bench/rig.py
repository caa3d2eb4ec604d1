"""Buses on the emulated wire, and the gateway's own drivers that poll them, without a spool and a broker."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bench import plans
from bench.wire import EmulatedBus, Wire
from device_profiles.site_buses import SerialBus
from gateway import drivers
from gateway.driver import Driver
from gateway.reading import Reading
from simulators.wire_account import Account, Transaction


@dataclass(frozen=True, kw_only=True)
class Window:
    """What happened on one bus for a while, as the emulated side saw it.

    readings: valid ones that the gateway told; spoilt: those that it told as not taken, or not valid.
    cpu_s: of the gateway's process, all buses together; waited_s: how long it had work and the machine no CPU for it.
    """

    account: Account
    readings: int
    spoilt: int
    cpu_s: float
    waited_s: float = 0.0

    @property
    def transactions(self) -> list[Transaction]:
        return list(self.account.journal)

    @property
    def share(self) -> float:
        """Time that the line needed / time that went by, from the first request to the last one; 1 is all there is."""
        made = self.transactions
        return sum(each.wire for each in made[:-1]) / (made[-1].start - made[0].start)

    @property
    def lost_s(self) -> float:
        """Time that went by without need, a transaction."""
        made = self.transactions
        return (made[-1].start - made[0].start - sum(each.wire for each in made[:-1])) / (len(made) - 1)

    def periods(self) -> dict[tuple[int, bytes], float]:
        """Mean seconds from one request to its next, by unit and request. Those that came once are left out."""
        times: dict[tuple[int, bytes], list[float]] = {}
        for each in self.transactions:
            times.setdefault((each.unit, each.request), []).append(each.start)
        return {key: (at[-1] - at[0]) / (len(at) - 1) for key, at in times.items() if len(at) > 1}


class Rig:
    """Use it by `rig()`."""

    def __init__(self, *, wire: Wire, buses: Mapping[str, EmulatedBus]) -> None:
        self.wire = wire
        self.devices = {name: [plans.device(place, name) for place in bus.places] for name, bus in buses.items()}
        self._valid = dict.fromkeys(buses, 0)
        self._told = dict.fromkeys(buses, 0)
        self._cpu = self._waited = 0.0
        self.drivers = {name: self._driver(bus) for name, bus in buses.items()}

    async def window(self, seconds: float) -> dict[str, Window]:
        """Looks for so long; the result by the buses' names."""
        self.start()
        await asyncio.sleep(seconds)
        return self.stop()

    def start(self) -> None:
        self.wire.reset()
        self._valid = dict.fromkeys(self._valid, 0)
        self._told = dict.fromkeys(self._told, 0)
        self._cpu, self._waited = time.process_time(), _waited()

    def stop(self) -> dict[str, Window]:
        """What happened since start()."""
        cpu, waited = time.process_time() - self._cpu, _waited() - self._waited
        valid, told = dict(self._valid), dict(self._told)
        return {
            name: Window(
                account=self.wire.account(name),
                readings=valid[name],
                spoilt=told[name] - valid[name],
                cpu_s=cpu,
                waited_s=waited,
            )
            for name in self.drivers
        }

    def _driver(self, bus: EmulatedBus) -> Driver:
        def on_readings(readings: list[Reading], event: bool) -> None:
            self._told[bus.name] += len(readings)
            self._valid[bus.name] += sum(quality is None for *_, quality in readings)

        site_bus = SerialBus.model_validate(
            {"gateway": "gw", "port": str(bus.path), "baud": bus.baud, "parity": bus.parity, "stop_bits": bus.stop_bits}
        )
        options: dict[str, Any] = {"durable": None}  # Modbus devices ask for no confirmation
        return drivers.driver(
            name=bus.name, bus=site_bus, devices=self.devices[bus.name],
            profiles={place.profile.profile: place.profile for place in bus.places}, on_readings=on_readings,
            now_ms=lambda: time.time_ns() // 1_000_000, log=_silent(), **options,
        )  # fmt: skip


@contextlib.asynccontextmanager
async def rig(*buses: EmulatedBus) -> AsyncIterator[Rig]:
    """Everything runs."""
    with Wire(*buses) as wire:
        made = Rig(wire=wire, buses={bus.name: bus for bus in buses})
        tasks = [asyncio.create_task(driver.run()) for driver in made.drivers.values()]
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for driver in made.drivers.values():
                await driver.close()
            for error in ended:
                if isinstance(error, Exception):
                    raise error


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """For the ports' names."""
    with tempfile.TemporaryDirectory(prefix="pole-bench-") as path:
        yield Path(path)


def _waited() -> float:
    """Seconds that this thread was kept waiting for a CPU since it began; 0 where the kernel does not tell."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e9
    return 0.0


def _silent() -> Any:
    return structlog.wrap_logger(None, processors=[_drop])


def _drop(logger: Any, name: str, event: Any) -> Any:
    raise structlog.DropEvent
