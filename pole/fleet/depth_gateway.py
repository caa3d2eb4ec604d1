"""The wires of a gateway: what hangs on its poles, answering on ptys and loopback ports; its part of a site file."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any, Self

from pole.fleet.depth_devices import WireDevice, unit_faults
from pole.fleet.depth_plan import POLES_A_BUS, Hung, Node, hung
from pole.fleet.depth_world import WireStep
from simulators.network import Network
from simulators.rtu_port import RtuPort
from simulators.tcp_port import TcpPort
from simulators.world.city_map import CityMap

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
        self._make = make
        self._on_bus: dict[str, list[WireDevice]] = {}
        others: list[WireDevice] = []
        units = count(1)
        for each in hung(node, city):
            self._hang(each, units, others)
        self._serial = {bus: RtuPort(path=folder / bus, devices=[*on], baud=BAUD)
                        for bus, on in self._on_bus.items() if bus != self._lamps}  # fmt: skip
        self._tcp = TcpPort(devices=[*self._on_bus.get(self._lamps, [])])
        self._network = Network(
            number=number, node=node.name, devices=others, folder=folder, free_port=free_port, broker=broker,
            lora_broker=lora[0], lora_password=lora[1], camera_password=camera_password,
        )  # fmt: skip
        ports: list[RtuPort | TcpPort] = [*self._serial.values(), self._tcp]
        self._units = {unit.devices[0].name: unit for port in ports for unit in port.units.values()}
        self._off: set[str] = set()
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

    async def feel(self, step: WireStep) -> None:
        """Without mains nothing answers but what has a battery."""
        for device in self.devices:
            unanswered = step.mute.get(device.name, frozenset())
            on = device.name.split("/")[0] not in step.dark
            if device.profile.protocol == "modbus":
                self._units[device.name].faults = unit_faults(device, on, unanswered)
            else:
                await self._turn(device, not unanswered and (on or device.profile.protocol == "chirpstack"))
            if device.name in step.cars:
                plugged, charging = step.cars[device.name]
                self._network.drive(device, plugged=plugged, charging=charging)

    async def _turn(self, device: WireDevice, on: bool) -> None:
        if on == (device.name in self._off):
            self._off ^= {device.name}
            await self._network.turn(device, on)

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

    def _hang(self, each: Hung, units: Iterator[int], others: list[WireDevice]) -> None:
        place = {"profile": each.profile, "pole": each.pole, "name": each.name}
        if each.without:
            self.left_out[each.device] = each.without
        elif each.profile.protocol == "modbus":
            bus = f"{self.node.name}-rs485-{each.place // POLES_A_BUS + 1}"
            bus = self._lamps if each.profile.function == "lighting" else bus
            self._on_bus.setdefault(bus, []).append(self._make(unit=next(units), **place))
        else:
            others.append(self._make(**place))
