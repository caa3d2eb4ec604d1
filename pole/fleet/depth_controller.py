"""The wires of a pole controller: a bus on a pty, files that play its pins, and its part of a site file."""

from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from device_profiles.schema import Profile
from pole.fleet.depth_devices import WireDevice
from pole.fleet.depth_gateway import BAUD, Make
from pole.fleet.depth_plan import Node
from simulators.city import BOARD
from simulators.pin_files import PinFiles
from simulators.rtu_port import RtuPort
from simulators.world.city_map import CityMap
from simulators.world.kits import KITS


class ControllerWires:
    """Use it as `async with`. left_out: "pole/device" -> why it cannot hang on a controller."""

    def __init__(
        self, *, node: Node, city: CityMap, profiles: Mapping[str, Profile], make: Make, folder: Path, root: Path,
        broker: str,
    ) -> None:  # fmt: skip
        """broker: where the controller finds it. folder: for the pty. root: the controller's own folder."""
        (index,) = node.poles
        self.node = node
        self.left_out: dict[str, str] = {}
        self.pole = city.names[index]
        self._broker = broker
        self._on_bus: list[WireDevice] = []
        self._at_pins: list[WireDevice] = []
        for name, profile in KITS[city.kit[index]].devices:
            self._hang(name, profiles[profile], make)
        self._port = RtuPort(path=folder / self._bus, devices=[*self._on_bus], baud=BAUD)
        pins = {_short(device): (device, next(iter(device.points))) for device in self._at_pins}
        self._pins = PinFiles(folder=root / "pins", pins=pins)
        self._running = AsyncExitStack()
        self.devices = [*self._on_bus, *self._at_pins]

    async def __aenter__(self) -> Self:
        await self._running.enter_async_context(self._port)
        await self._running.enter_async_context(self._pins)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    async def power(self, pole: str, on: bool) -> None:
        """The mains of the pole: all on it is on the same ones, and nobody is there to ask its devices."""

    def controller(self) -> dict[str, Any]:
        """As the site file has it."""
        return {
            "board": BOARD, "pole": self.pole, "broker": self._broker, "password_file": f"{self.node.name}.password",
            "utc_offset": "+08:00", "uarts": {"rs485": {"port": str(self._port.path.absolute())}},
            "pins": {_short(device): {"pin": number} for number, device in enumerate(self._at_pins, 1)},
        }  # fmt: skip

    def buses(self) -> dict[str, dict[str, Any]]:
        """As the site file has them."""
        wired = {self._wired: {"protocol": "wired", "controller": self.node.name}} if self._at_pins else {}
        return {self._bus: {"controller": self.node.name, "uart": "rs485", "baud": BAUD}, **wired}

    def entries(self) -> Iterator[dict[str, Any]]:
        """The devices, as the site file has them."""
        for device in self._on_bus:
            yield device.entry(bus=self._bus, unit=device.unit)
        for device in self._at_pins:
            yield device.entry(bus=self._wired, pin=_short(device))

    @property
    def _bus(self) -> str:
        return f"{self.node.name}-rs485"

    @property
    def _wired(self) -> str:
        return f"{self.node.name}-pins"

    def _hang(self, name: str, profile: Profile, make: Make) -> None:
        if profile.protocol == "modbus":
            unit = len(self._on_bus) + 1
            self._on_bus.append(make(profile=profile, pole=self.pole, name=name, unit=unit))
        elif all(point.input is not None for point in profile.points.values()):
            self._at_pins.append(make(profile=profile, pole=self.pole, name=name))
        else:
            self.left_out[f"{self.pole}/{name}"] = f"a controller does not speak {profile.protocol}"


def _short(device: WireDevice) -> str:
    """Its name on the pole."""
    return device.name.rpartition("/")[2]
