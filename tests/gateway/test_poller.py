import asyncio
import contextlib
import time
from dataclasses import dataclass

import structlog

from device_profiles.schema import Profile
from gateway import health
from gateway.bus import Bus
from gateway.poller import Poller
from gateway.serial_line import SerialLine
from gateway.tcp_line import TcpLine
from simulators.device import EmulatedDevice
from simulators.rtu_port import RtuPort
from simulators.tcp_port import TcpPort

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

    def __init__(self, line, model, units, name="bus-1"):
        self.told = []
        self.logs = structlog.testing.LogCapture()
        log = structlog.wrap_logger(None, processors=[self.logs])
        self.bus = Bus(name=name, line=line)
        devices = [Device(device=f"d{unit}", unit=unit) for unit in units]
        self.poller = Poller(
            bus_name=name,
            bus=self.bus,
            devices=devices,
            profiles={"probe": model},
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
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def polling(*watches):
    tasks = [asyncio.create_task(watch.poller.run()) for watch in watches]
    try:
        yield
    finally:
        for task, watch in zip(tasks, watches, strict=True):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await watch.bus.close()


def port(path, model, units):
    devices = [EmulatedDevice(profile=model, pole="P1", name=f"d{unit}", unit=unit) for unit in units]
    return RtuPort(path=path, devices=devices, baud=115200)


def serial(path):
    return SerialLine(port=str(path), baud=115200)


def test_values_of_all_devices_arrive(tmp_path):
    async def scene():
        model = profile()
        async with port(tmp_path / "bus", model, [1, 2]) as emulated:
            watch = Watch(serial(tmp_path / "bus"), model, [1, 2])
            async with polling(watch):
                await watch.until(lambda: watch.of("P1/d1") and watch.of("P1/d2"))
                emulated.unit(2).devices[0].hold("level", 12.5)
                await watch.until(lambda: len(watch.of("P1/d2")) == 2)
        assert watch.of("P1/d1") == [(10.0, None)]
        assert watch.of("P1/d2") == [(10.0, None), (12.5, None)]

    asyncio.run(scene())
