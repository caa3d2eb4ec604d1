"""A pole's bus for tests: its devices, emulated on a pty with the timing of the wire, and a controller on it."""

import asyncio
import json
import subprocess

from device_profiles import compact, loader
from device_profiles.bus_time import Line
from device_profiles.site_model import Device
from simulators.device import EmulatedDevice
from simulators.rtu_port import RtuPort

BUS = "rs485-1"
POLE = ("sdm120", "weather-8in1", "wp8028adam", "rgu-100a", "qdy30a", "arlight-dali", "phoenix-ac1m", "wtvb01-485")


class PoleBus:
    """profiles: one device each, unit 1 and on, or {unit: profile}. told(): (ms, device, point, value, event)."""

    def __init__(self, folder, profiles=POLE, *, baud=9600, own=None, clock=None, **port):
        units = profiles if isinstance(profiles, dict) else dict(enumerate(profiles, 1))
        self.folder = folder
        self.path = folder / "bus"
        self.line = Line(baud=baud)
        self.profiles = loader.profiles() | (own or {})
        self.devices = [
            Device(pole="P0001", device=f"{name}-{unit}", profile=name, bus=BUS, unit=unit)
            for unit, name in units.items()
        ]
        self.emulated = [
            EmulatedDevice(
                profile=self.profiles[each.profile], pole=each.pole, name=each.device, unit=each.unit,
                **({"clock": clock} if clock else {}),
            )
            for each in self.devices
        ]  # fmt: skip
        self.port = RtuPort(path=self.path, devices=self.emulated, baud=baud, **port)
        self.plan = compact.plan({BUS: self.line}, self.devices, self.profiles)
        (folder / "plan.bin").write_bytes(self.plan)

    @property
    def points(self):
        return {(f"{each.name}", point) for each in self.emulated for point in each.points}

    def start(self, interpreter, asks=()):
        return interpreter.start(
            "poller_live", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            folder=str(self.folder), bus=BUS, uart={"port": str(self.path)}, asks=asks,
        )  # fmt: skip

    def told(self):
        path = self.folder / "told"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [_told(line) for line in lines if line.endswith("\n")]

    def last(self):
        """(device, point) -> what was told last."""
        return {(device, point): value for _, device, point, value, _ in self.told()}

    async def run(self, interpreter, scene, asks=()):
        """scene(bus) is played while it polls; what its process printed."""
        async with self.port:
            self.process = process = self.start(interpreter, asks)
            try:
                await scene(self)
            finally:
                (self.folder / "stop").touch()
                output = await asyncio.to_thread(_end, process)
                print(output)
        assert process.returncode == 0, output
        return output

    async def until(self, condition, seconds=90.0):
        """Waits until condition() holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                assert self.process.poll() is None, "it has ended"
                await asyncio.sleep(0.05)


def _end(process):
    """What it printed; it ends by itself."""
    try:
        return process.communicate(timeout=60)[0]
    finally:
        process.kill()
        process.wait()


def _told(line):
    time_ms, device, point, field, event = line.split()
    ((kind, value),) = json.loads("{" + field + "}").items()
    return int(time_ms), device, point, ("no value", value) if kind == "q" else value, event == "1"
