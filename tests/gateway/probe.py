"""A device of no maker, and what a driver tells of it: for the tests of polling and hearing."""

import asyncio
import contextlib
import time

import structlog

from device_profiles.schema import Profile
from device_profiles.site_model import Device

LABELS = {"en": "x", "zh": "某"}


def point(name, *, poll="fast", **more):
    item = {"name": name} | more.pop("item", {})
    return {"labels": LABELS, "item": item, "poll": poll, **more}


def profile(points, *, polls=None, commands=None, protocol="sip"):
    return Profile.model_validate(
        {
            "profile": "probe", "version": 1, "function": "emergency", "maker": "none", "model": "none",
            "labels": LABELS, "source": "made up for these tests", "verified": "bench", "protocol": protocol,
            "polls": polls or {"fast": {"every": "100ms", "silence": "1h"}}, "points": points,
            "commands": commands or {},
        }
    )  # fmt: skip


def device(name, address, *, profile="probe"):
    return Device(pole="P1", device=name, profile=profile, bus="bus-1", address=address)


async def durable():
    """A disk that is never slow."""


class Watch:
    """What a driver told: (device, point, time_ms, value, quality, event); `options` are a driver's arguments."""

    def __init__(self, profiles, devices):
        self.told = []
        self.logs = structlog.testing.LogCapture()
        self.options = {
            "name": "bus-1", "devices": devices, "profiles": profiles, "on_readings": self._take,
            "now_ms": lambda: time.time_ns() // 1_000_000,
            "log": structlog.wrap_logger(None, processors=[self.logs]),
        }  # fmt: skip

    @property
    def hearing(self):
        """The options of a driver that hears, or of any."""
        return {**self.options, "durable": durable}

    def of(self, device, point):
        return [(value, quality) for at, name, _, value, quality, _ in self.told if (at, name) == (device, point)]

    def logged(self, event):
        return [entry for entry in self.logs.entries if entry["event"] == event]

    async def until(self, condition, seconds=10.0):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    def _take(self, readings, event):
        self.told.extend((*reading, event) for reading in readings)


@contextlib.asynccontextmanager
async def running(driver):
    task = asyncio.create_task(driver.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await driver.close()
