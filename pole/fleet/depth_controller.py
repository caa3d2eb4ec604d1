"""The wires of a pole controller: a bus on a pty, files that play its pins, and its part of a site file."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from pole.fleet.depth_devices import WireDevice, unit_faults
from pole.fleet.depth_gateway import BAUD, Make
from pole.fleet.depth_plan import Hung, Node, hung
from pole.fleet.depth_world import WireStep
from simulators.city import BOARD
from simulators.pin_files import PinFiles
from simulators.rtu_port import RtuPort
from simulators.world.city_map import CityMap


class ControllerWires:
    """Use it as `async with`. left_out: "pole/device" -> why it cannot hang on a controller."""

    def __init__(
        self, *, node: Node, city: CityMap, make: Make, folder: Path, root: Path,
        broker: str,
    ) -> None:  # fmt: skip
        """broker: where the controller finds it. folder: for the pty. root: the controller's own folder."""
        self.node = node
        self.left_out: dict[str, str] = {}
        self.pole = city.names[node.poles[0]]
        self._broker = broker
        self._on_bus: list[WireDevice] = []
        self._at_pins: list[WireDevice] = []
        for each in hung(node, city):
            self._hang(each, make)
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

    async def feel(self, step: WireStep) -> None:
        """Without mains nobody is there to ask, but whoever asks gets no answer."""
        for device in self._on_bus:
            mute = step.mute.get(device.name, frozenset())
            self._port.unit(device.unit).faults = unit_faults(device, self.pole not in step.dark, mute)

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

    def _hang(self, each: Hung, make: Make) -> None:
        place = {"profile": each.profile, "pole": each.pole, "name": each.name}
        if each.without:
            self.left_out[each.device] = each.without
        elif each.profile.protocol == "modbus":
            self._on_bus.append(make(unit=len(self._on_bus) + 1, **place))
        else:
            self._at_pins.append(make(**place))


def _short(device: WireDevice) -> str:
    """Its name on the pole."""
    return device.name.rpartition("/")[2]
