"""The Modbus devices of one bus: polled by plan, told and read between the polls."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from device_profiles import registers
from device_profiles.blocks import address
from device_profiles.items import Value
from device_profiles.schema import WORDS, Command, Profile
from device_profiles.site_model import Device
from gateway.driver import Counters, OnReadings, counted
from gateway.modbus.bus import Bus, Line
from gateway.modbus.learned import Learned
from gateway.modbus.load import Load
from gateway.modbus.poller import Poller
from protocols import modbus


class ModbusDriver:
    def __init__(
        self,
        *,
        name: str,
        line: Line,
        dead_share: float,
        learned: Learned,
        devices: Sequence[Device],
        profiles: Mapping[str, Profile],
        on_readings: OnReadings,
        now_ms: Callable[[], int],
        log: Any,
    ) -> None:
        self._profiles = profiles
        self._bus = Bus(name=name, line=line)
        self._poller = Poller(
            bus=self._bus, devices=devices, profiles=profiles, dead_share=dead_share, learned=learned,
            on_readings=on_readings, now_ms=now_ms, log=log,
        )  # fmt: skip
        self._load = Load(bus=self._bus, poller=self._poller, log=log)

    @property
    def counters(self) -> Counters:
        return self._bus.counters

    @property
    def figures(self) -> dict[str, float]:
        counters = self.counters
        return {
            **counted(counters), "crc_errors": counters.crc, "exceptions": counters.refused, "busy": counters.busy,
            "late": counters.late, **self._load.figures(),
        }  # fmt: skip

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._poller.run(), name="poller")
            tasks.create_task(self._load.run(), name="load")

    async def write(self, device: Device, command: Command, wanted: Value | None, in_time: Callable[[], None]) -> None:
        at = command.write
        assert at is not None
        assert device.unit is not None
        assert isinstance(wanted, int | float)
        words = registers.words(at, wanted)
        if at.bit is not None:  # the register's other bits stay
            now = await self._transact(device, modbus.read(at.table, address(at, device.channel), 1))
            words = [now[0] & ~(1 << at.bit) | words[0]]
        request = modbus.write(at.table, address(at, device.channel), words)
        await self._bus.transact(device.unit, request, self._wait(device.unit), urgent=True, before=in_time)

    async def read(self, device: Device, point: str) -> Value:
        asked = self._profiles[device.profile].points[point]
        assert asked.at is not None
        request = modbus.read(asked.at.table, address(asked.at, device.channel), WORDS[asked.at.type])
        return registers.value(asked, await self._transact(device, request))

    async def close(self) -> None:
        await self._bus.close()

    async def _transact(self, device: Device, request: bytes) -> list[int]:
        assert device.unit is not None
        answer = await self._bus.transact(device.unit, request, self._wait(device.unit), urgent=True)
        return modbus.items(request, answer)

    def _wait(self, unit: int) -> float:
        return self._poller.units[unit].answer_time.longest
