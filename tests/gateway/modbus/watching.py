"""A poller on a real pty or socket, and everything that it told: for the tests of the bus."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

import structlog

from device_profiles.schema import Profile
from gateway.modbus.bus import Bus
from gateway.modbus.learned import Learned
from gateway.modbus.poller import Poller
from gateway.modbus.serial_line import SerialLine
from simulators.device import EmulatedDevice
from simulators.rtu_port import RtuPort

LABELS = {"en": "x", "zh": "某"}
FAST = {"every": "100ms", "silence": "1h"}


def point(address, *, poll="fast", around=10.0, **more):
    at = {"table": "holding", "address": address, "type": "uint16", "scale": 0.1}
    return {"labels": LABELS, "at": at, "poll": poll, "emulate": {"around": around}, **more}


def profile(points=None, polls=None, **modbus):
    return Profile.model_validate(
        {
            "profile": "probe",
            "version": 1,
            "function": "air",
            "maker": "none",
            "model": "none",
            "labels": LABELS,
            "source": "made up for these tests",
            "verified": "bench",
            "protocol": "modbus",
            "modbus": {"latency": "5ms", "baud": 115200, **modbus},
            "polls": polls or {"fast": FAST},
            "points": points or {"level": point(0)},
        }
    )


@dataclass
class Device:
    device: str
    unit: int
    pole: str = "P1"
    profile: str = "probe"
    channel: int = 0


class Watch:
    """A poller on a real pty or socket, and everything that it told."""

    def __init__(self, line, model, units, name="bus-1", *, dead_share=0.05, learned=None, others=None):
        """others: unit -> the profile of a unit that is of another one."""
        self.told = []
        self.logs = structlog.testing.LogCapture()
        log = structlog.wrap_logger(None, processors=[self.logs])
        self.bus = Bus(name=name, line=line)
        others = others or {}
        devices = [Device(device=f"d{unit}", unit=unit) for unit in units]
        devices += [Device(device=f"d{unit}", unit=unit, profile=f"other-{unit}") for unit in others]
        self.poller = Poller(
            bus=self.bus,
            devices=devices,
            profiles={"probe": model} | {f"other-{unit}": each for unit, each in others.items()},
            dead_share=dead_share,
            learned=learned or Learned(),
            on_readings=lambda readings, event: self.told.extend((*reading, event) for reading in readings),
            now_ms=lambda: time.time_ns() // 1_000_000,
            log=log,
        )

    def of(self, device, name=None):
        return [(value, quality) for at, key, _, value, quality, _ in self.told if at == device and name in (None, key)]

    def logged(self, event):
        return [entry for entry in self.logs.entries if entry["event"] == event]

    async def until(self, condition, seconds=10.0):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.003)


@contextlib.asynccontextmanager
async def polling(*watches):
    """Their pollers run; one that breaks is told at the end."""
    tasks = [asyncio.create_task(watch.poller.run()) for watch in watches]
    try:
        yield
    finally:
        for task, watch in zip(tasks, watches, strict=True):
            task.cancel()
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            finally:
                await watch.bus.close()


def port(path, model, units, others=None):
    models = dict.fromkeys(units, model) | (others or {})
    devices = [EmulatedDevice(profile=each, pole="P1", name=f"d{unit}", unit=unit) for unit, each in models.items()]
    return RtuPort(path=path, devices=devices, baud=115200)


def asked(emulated, unit=None):
    """(unit, function, address, count) of the requests that were on the line, oldest first."""
    seen = [(each.unit, each.request[0], *_place(each.request)) for each in emulated.account.journal]
    return [each for each in seen if unit in (None, each[0])]


def _place(request):
    return int.from_bytes(request[1:3], "big"), int.from_bytes(request[3:5], "big")


def serial(path):
    return SerialLine(port=str(path), baud=115200)
