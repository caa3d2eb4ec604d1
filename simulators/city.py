"""A small city for the demo: a dozen poles in Chengdu, four RS-485 buses, three DALI gateways on Modbus TCP.

On each gateway's own pole hangs one device of every other protocol: there all nine functions of a pole are at work.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

from device_profiles import loader
from simulators.device import EmulatedDevice
from simulators.network import Network
from simulators.rtu_port import RtuPort
from simulators.tcp_port import TcpPort

AREA = "wuhou"
BAUD = 9600


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a pole stands: degrees north and east (WGS 84), and what people call it."""

    north: float
    east: float
    en: str
    zh: str


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where a device of the city hangs and answers."""

    pole: str
    device: str
    profile: str
    bus: str
    unit: int
    channel: int | None = None


# Along three streets, some 40 m between the poles, as street lamps stand.
PLACES = {
    f"P{index + 1:04}": Place(
        north=round(north + step * 0.00036, 5), east=east, en=f"{en} {step + 1}", zh=f"{zh}{step + 1}号杆"
    )
    for index, (north, east, en, zh, step) in enumerate(
        (*street, step)
        for street in (
            (30.63812, 104.04326, "Renmin South Road", "人民南路"),
            (30.64105, 104.05214, "Kehua North Road", "科华北路"),
            (30.63391, 104.03187, "Wuhou Temple Street", "武侯祠大街"),
        )
        for step in range(4)
    )
}
# bus -> (gateway, the poles along it)
SERIAL: dict[str, tuple[str, tuple[str, ...]]] = {
    "rs485-1": ("gw-1", ("P0001", "P0002", "P0003")),
    "rs485-2": ("gw-1", ("P0004", "P0005", "P0006")),
    "rs485-3": ("gw-2", ("P0007", "P0008", "P0009")),
    "rs485-4": ("gw-3", ("P0010", "P0011", "P0012")),
}
NETWORK: dict[str, tuple[str, tuple[str, ...]]] = {
    "tcp-1": ("gw-1", ("P0001", "P0002", "P0003", "P0004", "P0005", "P0006")),
    "tcp-2": ("gw-2", ("P0007", "P0008", "P0009")),
    "tcp-3": ("gw-3", ("P0010", "P0011", "P0012")),
}
GATEWAYS = {"gw-1": "P0001", "gw-2": "P0007", "gw-3": "P0010"}  # node -> the pole that it hangs on

# device, profile; the units of a bus count up in this order
EVERY_POLE = (("meter-1", "sdm120"), ("inputs-1", "wp8028adam"))
FIRST_OF_A_BUS = (("weather-1", "weather-8in1"), ("charger-1", "phoenix-ac1m"))
OTHERS = (("air-1", "xy-md03"), ("water-1", "qdy30a"))


def spots() -> Iterator[Spot]:
    """Every Modbus device of the city."""
    for bus, (_, poles) in SERIAL.items():
        unit = 0
        for pole in poles:
            for device, profile in EVERY_POLE + (FIRST_OF_A_BUS if pole == poles[0] else OTHERS):
                unit += 1
                yield Spot(pole=pole, device=device, profile=profile, bus=bus, unit=unit)
    for bus, (_, poles) in NETWORK.items():
        for channel, pole in enumerate(poles):
            yield Spot(pole=pole, device="lamp-1", profile="arlight-dali", bus=bus, unit=1, channel=channel)


class City:
    """The city's devices, answering. `folder` takes the serial ports' names; use it as `async with`.

    broker: mqtt://host:port, where the LoRaWAN devices are told of too, by the user chirpstack with `lora_password`.
    secrets: what belongs into files beside the site file, by their names.
    """

    def __init__(
        self,
        *,
        folder: Path,
        free_port: Callable[[], int],
        broker: str = "mqtt://127.0.0.1:1883",
        lora_password: str = "",
        seed: int = 0,
    ) -> None:
        profiles = loader.profiles()
        self.broker = broker
        self.secrets = {"cameras.password": secrets.token_urlsafe(12)}
        self.devices: dict[str, EmulatedDevice] = {}  # "pole/device" -> device
        by_bus: dict[str, list[EmulatedDevice]] = {}
        for spot in spots():
            device = EmulatedDevice(
                profile=profiles[spot.profile], pole=spot.pole, name=spot.device, unit=spot.unit,
                channel=spot.channel or 0, seed=seed,
            )  # fmt: skip
            self.devices[device.name] = device
            by_bus.setdefault(spot.bus, []).append(device)
        self.serial = {bus: RtuPort(path=folder / bus, devices=by_bus[bus], baud=BAUD) for bus in SERIAL}
        self.network = {bus: TcpPort(devices=by_bus[bus]) for bus in NETWORK}
        self.others = [
            Network(
                number=number, node=node, pole=pole, folder=folder, seed=seed, profiles=profiles, free_port=free_port,
                broker=broker, lora_password=lora_password, camera_password=self.secrets["cameras.password"],
            )
            for number, (node, pole) in enumerate(GATEWAYS.items(), 1)
        ]  # fmt: skip
        self.devices |= {device.name: device for network in self.others for device in network.devices.values()}
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for bus in (*self.network.values(), *self.serial.values(), *self.others):
            await self._running.enter_async_context(cast(AbstractAsyncContextManager[object], bus))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    def site(self) -> dict[str, object]:
        """The site file that describes this city. The ports must be open."""
        serial = {
            bus: {"gateway": SERIAL[bus][0], "port": str(port.path.absolute()), "baud": BAUD}
            for bus, port in self.serial.items()
        }
        network = {
            bus: {"gateway": NETWORK[bus][0], "host": port.host, "port": port.port}
            for bus, port in self.network.items()
        }
        poles = {
            pole: {"position": [place.north, place.east], "name": {"en": place.en, "zh": place.zh}}
            for pole, place in PLACES.items()
        }
        return {
            "area": AREA,
            "gateways": {
                node: {"broker": self.broker, "password_file": f"{node}.password", "pole": pole}
                for node, pole in GATEWAYS.items()
            },
            "poles": poles,
            "buses": serial | network | {name: bus for each in self.others for name, bus in each.buses().items()},
            "devices": [_entry(spot) for spot in spots()] + [one for each in self.others for one in each.entries()],
        }


def _entry(spot: Spot) -> dict[str, object]:
    entry: dict[str, object] = {"pole": spot.pole, "device": spot.device, "profile": spot.profile}
    entry |= {"bus": spot.bus, "unit": spot.unit}
    return entry if spot.channel is None else entry | {"channel": spot.channel}
