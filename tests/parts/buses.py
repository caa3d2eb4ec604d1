"""Emulated buses beside the one that runs a command: in a thread with a loop of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from device_profiles import loader
from simulators.device import EmulatedDevice
from simulators.pty import Pty
from simulators.rtu_port import RtuPort

BAUD = 115200  # the emulated wire's own, whatever a scan sets: tests need not wait for characters
ANSWER_S = 0.002


def device(profile: str, unit: int) -> EmulatedDevice:
    return EmulatedDevice(
        profile=loader.profile(profile), pole="P", name=f"{profile}-{unit}", unit=unit, tick_ms=3_600_000
    )


def rtu_port(path: Path, *devices: EmulatedDevice) -> RtuPort:
    """Units that answer at once."""
    port = RtuPort(path=path, devices=list(devices), baud=BAUD)
    for unit in port.units.values():
        unit.faults.slow = ANSWER_S - unit.modbus.latency
    return port


def speaking(path: Path, answer) -> Pty:
    """A pty on which answer(request) is said to whatever is heard."""
    pty = Pty(path=path, heard=lambda data: pty.write(answer(data)))
    return pty


@contextlib.contextmanager
def running(port) -> Iterator[None]:
    """An emulator for as long as the block runs."""
    ready, loop, done = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with port:
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(60)
        loop.close()
