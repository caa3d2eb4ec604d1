"""The wires of a gateway: what hangs on its poles, answering on ptys and loopback ports; its part of a site file."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any, Self

from device_profiles.schema import Profile
from pole.fleet.depth_devices import WireDevice
from pole.fleet.depth_plan import POLES_A_BUS, Node
from simulators.network import DEVICES, Network
from simulators.rtu_port import RtuPort
from simulators.tcp_port import TcpPort
from simulators.unit import Faults
from simulators.world.city_map import CityMap
from simulators.world.kits import KITS

BAUD = 19200
Make = Callable[..., WireDevice]  # profile, pole, name, unit


class GatewayWires:
    """Use it as `async with`. left_out: "pole/device" -> why it cannot hang on a gateway."""

    def __init__(
        self,
        *,
        node: Node,
        number: int,
        city: CityMap,
        profiles: Mapping[str, Profile],
        make: Make,
        folder: Path,
        free_port: Callable[[], int],
        broker: str,
        lora: tuple[str, str],
        camera_password: str,
    ) -> None:
        """broker: where the gateway finds it. lora: where ChirpStack does, and its password. folder: for the ptys."""
        self.node = node
        self.pole = city.names[node.poles[0]]
        self.left_out: dict[str, str] = {}
        self._broker = broker
        self._city, self._profiles, self._make = city, profiles, make
        self._on_bus: dict[str, list[WireDevice]] = {}
        others: list[WireDevice] = []
        units = count(1)
        for place, index in enumerate(node.poles):
            for name, profile in self._devices_of(index):
                self._hang(place, city.names[index], name, profiles[profile], units, others)
        self._serial = {bus: RtuPort(path=folder / bus, devices=[*on], baud=BAUD)
                        for bus, on in self._on_bus.items() if bus != self._lamps}  # fmt: skip
        self._tcp = TcpPort(devices=[*self._on_bus.get(self._lamps, [])])
        self._network = Network(
            number=number, node=node.name, devices=others, folder=folder, free_port=free_port, broker=broker,
            lora_broker=lora[0], lora_password=lora[1], camera_password=camera_password,
        )  # fmt: skip
        self._running = AsyncExitStack()
        self.devices = [*(device for on in self._on_bus.values() for device in on), *others]

    async def __aenter__(self) -> Self:
        await self._running.enter_async_context(self._tcp)
        await self._running.enter_async_context(self._network)
        for port in self._serial.values():
            await self._running.enter_async_context(port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    async def power(self, pole: str, on: bool) -> None:
        """The mains of one of its poles: without them nothing answers but what has a battery."""
        ports: list[RtuPort | TcpPort] = [*self._serial.values(), self._tcp]
        for port in ports:
            for unit in port.units.values():
                if unit.devices[0].name.startswith(f"{pole}/"):
                    unit.faults = Faults(silent=not on)
        await self._network.power(pole, on)

    def gateway(self) -> dict[str, Any]:
        """As the site file has it."""
        return {"broker": self._broker, "password_file": f"{self.node.name}.password", "pole": self.pole}

    def buses(self) -> dict[str, dict[str, Any]]:
        """As the site file has them. Its ports must be open."""
        serial = {
            bus: {"gateway": self.node.name, "port": str(port.path.absolute()), "baud": BAUD}
            for bus, port in self._serial.items()
        }
        lamps = {"gateway": self.node.name, "host": self._tcp.host, "port": self._tcp.port}
        return {**serial, self._lamps: lamps, **self._network.buses()}

    def entries(self) -> Iterator[dict[str, Any]]:
        """The devices, as the site file has them."""
        for bus, devices in self._on_bus.items():
            for device in devices:
                yield device.entry(bus=bus, unit=device.unit)
        yield from self._network.entries()

    @property
    def _lamps(self) -> str:
        return f"{self.node.name}-lamps"

    def _devices_of(self, index: int) -> Iterator[tuple[str, str]]:
        """A pole's kit; on the gateway's own pole also one of each other protocol."""
        kit = KITS[self._city.kit[index]].devices
        yield from kit
        if index == self.node.poles[0]:
            protocols = {self._profiles[profile].protocol for _, profile in kit}
            names = {name for name, _ in kit}
            for name, profile in DEVICES:
                if self._profiles[profile].protocol not in protocols:
                    protocols.add(self._profiles[profile].protocol)
                    yield _free(name, names), profile

    def _hang(
        self, place: int, pole: str, name: str, profile: Profile, units: Iterator[int], others: list[WireDevice]
    ) -> None:
        """place: of the pole along the gateway's buses."""
        if profile.protocol == "wired":
            self.left_out[f"{pole}/{name}"] = "a gateway has no pins"
        elif profile.protocol == "modbus":
            bus = (
                self._lamps if profile.function == "lighting" else f"{self.node.name}-rs485-{place // POLES_A_BUS + 1}"
            )
            device = self._make(profile=profile, pole=pole, name=name, unit=next(units))
            self._on_bus.setdefault(bus, []).append(device)
        else:
            others.append(self._make(profile=profile, pole=pole, name=name))


def _free(name: str, taken: set[str]) -> str:
    kind = name.rpartition("-")[0]
    return next(each for each in (f"{kind}-{number}" for number in count(1)) if each not in taken)
