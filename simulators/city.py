"""A small city for the demo: a dozen poles in Chengdu, five RS-485 buses, three DALI gateways on Modbus TCP.

On each gateway's own pole hangs one device of every other protocol: there all nine functions of a pole are at work.
One pole has a controller, which reads its own RS-485 bus and what is wired to its pins, and drives a lamp.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

from device_profiles import loader
from device_profiles.schema import Profile
from simulators.device import EmulatedDevice
from simulators.network import DEVICES, Network
from simulators.pin_files import PinFiles
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
# bus -> (node, the poles along it)
SERIAL: dict[str, tuple[str, tuple[str, ...]]] = {
    "rs485-1": ("gw-1", ("P0001", "P0002", "P0003")),
    "rs485-2": ("gw-1", ("P0004", "P0005", "P0006")),
    "rs485-3": ("gw-2", ("P0007", "P0008", "P0009")),
    "rs485-4": ("gw-3", ("P0010", "P0011")),
    "rs485-5": ("ctl-1", ("P0012",)),
}
NETWORK: dict[str, tuple[str, tuple[str, ...]]] = {
    "tcp-1": ("gw-1", ("P0001", "P0002", "P0003", "P0004", "P0005", "P0006")),
    "tcp-2": ("gw-2", ("P0007", "P0008", "P0009")),
    "tcp-3": ("gw-3", ("P0010", "P0011", "P0012")),
}
GATEWAYS = {"gw-1": "P0001", "gw-2": "P0007", "gw-3": "P0010"}  # node -> the pole that it hangs on
CONTROLLERS = {"ctl-1": "P0012"}
NODES = GATEWAYS | CONTROLLERS
BOARD = "simulated"

# device, profile; the units of a bus count up in this order
EVERY_POLE = (("meter-1", "sdm120"), ("inputs-1", "wp8028adam"))
FIRST_OF_A_BUS = (("weather-1", "weather-8in1"), ("charger-1", "phoenix-ac1m"))
OTHERS = (("air-1", "xy-md03"), ("water-1", "qdy30a"))
# On a controller's pins: device, profile, pin, point; the lamp is what the controller makes it.
WIRED = (("cover-2", "cover-contact", "cover", "cover_open"), ("sos-1", "sos-button", "button", "sos_pressed"))
LAMP = "lamp-2"
LAMP_SCHEDULE = [{"at": "dusk", "level": 100}, {"at": "23:00", "level": 60}, {"at": "dawn", "level": 0}]


def spots() -> Iterator[Spot]:
    """Every Modbus device of the city."""
    for bus, (node, poles) in SERIAL.items():
        unit = 0
        for pole in poles:
            for device, profile in EVERY_POLE + (FIRST_OF_A_BUS if node in GATEWAYS and pole == poles[0] else OTHERS):
                unit += 1
                yield Spot(pole=pole, device=device, profile=profile, bus=bus, unit=unit)
    for bus, (_, poles) in NETWORK.items():
        for channel, pole in enumerate(poles):
            yield Spot(pole=pole, device="lamp-1", profile="arlight-dali", bus=bus, unit=1, channel=channel)


class City:
    """The city's devices, answering. `folder` takes the serial ports' names; use it as `async with`.

    controllers: the folder that has each controller's own, which holds the files of its pins; `folder` where left out.
    broker: mqtt://host:port, where the LoRaWAN devices are told of too, by the user chirpstack with `lora_password`.
    secrets: what belongs into files beside the site file, by their names.
    """

    def __init__(
        self,
        *,
        folder: Path,
        free_port: Callable[[], int],
        controllers: Path | None = None,
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
                number=number, node=node, folder=folder, free_port=free_port, broker=broker,
                devices=[
                    EmulatedDevice(profile=profiles[profile], pole=pole, name=name, seed=seed)
                    for name, profile in DEVICES
                ],
                lora_password=lora_password, camera_password=self.secrets["cameras.password"],
            )
            for number, (node, pole) in enumerate(GATEWAYS.items(), 1)
        ]  # fmt: skip
        self.devices |= {device.name: device for network in self.others for device in network.devices}
        self.pins = [
            self._pins(pole, (controllers or folder) / node / "pins", profiles, seed)
            for node, pole in CONTROLLERS.items()
        ]
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for bus in (*self.network.values(), *self.serial.values(), *self.others, *self.pins):
            await self._running.enter_async_context(cast(AbstractAsyncContextManager[object], bus))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    def site(self) -> dict[str, object]:
        """The site file that describes this city. The ports must be open."""
        serial = {
            bus: {"gateway": SERIAL[bus][0], "port": self._port(bus), "baud": BAUD}
            for bus in self.serial
            if SERIAL[bus][0] in GATEWAYS
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
            "controllers": {node: self._controller(node) for node in CONTROLLERS},
            "poles": poles,
            "buses": {
                **serial, **network, **{name: bus for each in self.others for name, bus in each.buses().items()},
                **{name: bus for node in CONTROLLERS for name, bus in _buses(node).items()},
            },
            "devices": [
                *(_entry(spot) for spot in spots()), *(one for each in self.others for one in each.entries()),
                *(one for node in CONTROLLERS for one in _wired(node)),
            ],
        }  # fmt: skip

    def _controller(self, node: str) -> dict[str, object]:
        return {
            "board": BOARD, "pole": CONTROLLERS[node], "broker": self.broker, "password_file": f"{node}.password",
            "utc_offset": "+08:00",
            "uarts": {bus: {"port": self._port(bus)} for bus, (owner, _) in SERIAL.items() if owner == node},
            "pins": {"cover": {"pin": 1}, "button": {"pin": 2}, "relay": {"pin": 3}}, "pwms": {"dim": {"pin": 4}},
            "lamp": {"device": LAMP, "schedule": LAMP_SCHEDULE},
        }  # fmt: skip

    def _port(self, bus: str) -> str:
        return str(self.serial[bus].path.absolute())

    def _pins(self, pole: str, folder: Path, profiles: Mapping[str, Profile], seed: int) -> PinFiles:
        pins = {}
        for name, profile, pin, point in WIRED:
            device = EmulatedDevice(profile=profiles[profile], pole=pole, name=name, seed=seed)
            self.devices[device.name] = device
            pins[pin] = device, point
        return PinFiles(folder=folder, pins=pins)


def _buses(node: str) -> dict[str, dict[str, object]]:
    """Of a controller, as the site file has them."""
    uarts = {
        bus: {"controller": node, "uart": bus, "baud": BAUD} for bus, (owner, _) in SERIAL.items() if owner == node
    }
    return {**uarts, _pins_of(node): {"protocol": "wired", "controller": node}}


def _wired(node: str) -> Iterator[dict[str, object]]:
    """What hangs on a controller's pins, as the site file has it."""
    place = {"pole": CONTROLLERS[node], "bus": _pins_of(node)}
    for device, profile, pin, _ in WIRED:
        yield {**place, "device": device, "profile": profile, "pin": pin}
    yield {**place, "device": LAMP, "profile": "lamp-0-10v", "pwm": "dim", "pin": "relay"}


def _pins_of(node: str) -> str:
    return f"{node}-pins"


def _entry(spot: Spot) -> dict[str, object]:
    entry: dict[str, object] = {"pole": spot.pole, "device": spot.device, "profile": spot.profile}
    entry |= {"bus": spot.bus, "unit": spot.unit}
    return entry if spot.channel is None else entry | {"channel": spot.channel}
