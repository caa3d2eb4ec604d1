"""A pole with a simulated board: its site, its emulated devices on a pty and at pins, its folder, and its process."""

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from device_profiles import loader
from pole.edge import bundle
from pole.flash import order
from simulators.device import EmulatedDevice
from simulators.pin_files import PinFiles
from simulators.rtu_port import RtuPort

AREA, NODE, POLE = "wuhou", "ctl-1", "P0001"
BUS = [("meter-1", "sdm120", 1), ("weather-1", "weather-8in1", 2), ("water-1", "qdy30a", 3)]
PINS: dict[
    str, tuple[str, dict[str, str], str, str]
] = {  # device -> profile, its place in the site, its file, its point
    "cover-1": ("cover-contact", {"pin": "cover"}, "cover", "cover_open"),
    "sos-1": ("sos-button", {"pin": "button"}, "button", "sos_pressed"),
    "water-2": ("level-4-20ma", {"adc": "probe"}, "probe", "level"),
    "air-1": ("sht31", {"i2c": "chips"}, "chips-44", "temperature"),
}


def site(*, port: Path, broker: str, password: str = "ctl-1.password", **controller: Any) -> dict[str, Any]:
    """The site file. controller: more keys of the controller, or others."""
    return {
        "area": AREA,
        "controllers": {
            NODE: {
                "board": "simulated", "pole": POLE, "broker": broker, "password_file": password,
                "utc_offset": "+08:00",
                "uarts": {"rs485": {"port": str(port)}},
                "pins": {"cover": {"pin": 1}, "button": {"pin": 2}, "relay": {"pin": 3}},
                "pwms": {"dim": {"pin": 4}}, "adcs": {"probe": {"pin": 5}}, "i2cs": {"chips": {"port": 0}},
                "lamp": {"device": "lamp-1", "schedule": [{"at": "dusk", "level": 100}, {"at": "dawn", "level": 0}]},
                **controller,
            }
        },
        "poles": {POLE: {"position": [30.64, 104.04]}},
        "buses": {
            "rs485-1": {"controller": NODE, "uart": "rs485", "baud": 9600},
            "pins-1": {"protocol": "wired", "controller": NODE},
        },
        "devices": [
            *({"pole": POLE, "device": name, "profile": profile, "bus": "rs485-1", "unit": unit}
              for name, profile, unit in BUS),
            *({"pole": POLE, "device": name, "profile": profile, "bus": "pins-1"} | where
              for name, (profile, where, _, _) in PINS.items()),
            {"pole": POLE, "device": "lamp-1", "profile": "lamp-0-10v", "bus": "pins-1", "pwm": "dim", "pin": "relay"},
        ],
    }  # fmt: skip


class EdgePole:
    """folder: where site file, devices' ends and the controller's root go. Use it as `async with`."""

    def __init__(self, folder: Path, *, broker: str, password: str, **controller: Any) -> None:
        self.folder, self.root = folder, folder / NODE
        profiles = loader.profiles()
        self.devices = {
            name: EmulatedDevice(profile=profiles[profile], pole=POLE, name=name, unit=unit)
            for name, profile, unit in BUS
        } | {
            name: EmulatedDevice(profile=profiles[profile], pole=POLE, name=name)
            for name, (profile, *_) in PINS.items()
        }
        self.port = RtuPort(path=folder / "rs485-1", devices=[self.devices[name] for name, *_ in BUS], baud=9600)
        self.pins = PinFiles(
            folder=self.root / "pins",
            pins={file: (self.devices[name], point) for name, (_, _, file, point) in PINS.items()},
        )
        self.site = folder / "site.yaml"
        (folder / f"{NODE}.password").write_text(password)
        self.site.write_text(yaml.safe_dump(site(port=folder / "rs485-1", broker=broker, **controller)))
        self.processes: list[subprocess.Popen[bytes]] = []
        self._running = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._running.enter_async_context(self.port)
        await self._running.enter_async_context(self.pins)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        await self._running.aclose()

    def flash(self, *, compiled: bool, release_key: Path | None = None, rom: bool = False) -> None:
        """Writes what the controller needs into its root. rom: its firmware runs the slot in place."""
        made = order.prepare(
            self.site, pole=POLE, node=NODE, board="simulated", release_key=release_key, compiled=compiled
        ).contents
        stub = {"machine.py": (bundle.ROOT / "simulators" / "unix_machine.py").read_bytes()} if compiled else {}
        for name, data in {**made.files, **made.last, **stub}.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if rom:
            code = {name.partition("/")[2]: data for name, data in made.code.items()}
            (self.root / "rom.img").write_bytes(bundle.rom_image(code))

    def start(self, command: Sequence[str], words: Sequence[str] = ()) -> "subprocess.Popen[bytes]":
        """The controller is switched on; what it prints goes to ctl-1.log.

        command: an interpreter, and a script where it is not main.py; words: for that script.
        """
        script = list(words) or [str(self.root / "main.py")]
        with (self.folder / f"{NODE}.log").open("ab") as log:
            process = subprocess.Popen([*command, *script], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def log(self) -> str:
        return (self.folder / f"{NODE}.log").read_text()
