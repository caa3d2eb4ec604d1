"""A driver: all devices of one bus, whatever they speak.

Modbus has a driver of its own, which plans the time on the bus (`modbus_driver`). Devices that are asked share
`polling`, devices that speak by themselves share `hearing`; a protocol adds an Asker or a Listener to them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from device_profiles.items import Value
from device_profiles.schema import Command
from device_profiles.site_model import Device
from gateway.reading import Reading

OnReadings = Callable[[list[Reading], bool], None]  # readings, and whether they must not wait


@dataclass
class Counters:
    """Since the start of the process. errors: all but the timeouts; what they were stands below, where it is known."""

    requests: int = 0
    timeouts: int = 0
    errors: int = 0
    crc: int = 0  # wrong checksums, noise, half frames, and other units' answers
    refused: int = 0  # exceptions, but for the next
    busy: int = 0
    down: int = 0  # requests for which there was no port or connection
    late: int = 0  # answers that came when nobody waited for them any more
    echoes: int = 0  # requests that the line sent back to us


def counted(counters: Counters) -> dict[str, float]:
    """What every driver counts, by the names of the profile `bus`."""
    return {"requests": counters.requests, "timeouts": counters.timeouts, "errors": counters.errors}


def noted(in_time: Callable[[], None]) -> tuple[Callable[[], None], list[Exception]]:
    """in_time() for who turns every exception into an error of the device; what it raised stands in the list."""
    stopped: list[Exception] = []

    def before() -> None:
        try:
            in_time()
        except Exception as reason:
            stopped.append(reason)
            raise

    return before, stopped


class Driver(Protocol):
    @property
    def counters(self) -> Counters: ...

    @property
    def figures(self) -> dict[str, float]:
        """What the profile `bus` counts, by name; what this driver does not know is absent."""
        ...

    async def run(self) -> None:
        """Reads until cancelled; what is to be told goes to the collector."""
        ...

    async def write(self, device: Device, command: Command, wanted: Value | None, in_time: Callable[[], None]) -> None:
        """Tells a device what to do. in_time() is called last before anything leaves; what it raises stops that.

        wanted: the argument, None where the command has none. Raises errors.DeviceError.
        """
        ...

    async def read(self, device: Device, point: str) -> Value:
        """One point, now. Raises errors.DeviceError, and NoValue where what came is no valid value."""
        ...

    async def close(self) -> None: ...
