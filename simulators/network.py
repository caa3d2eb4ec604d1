"""One device of each protocol other than Modbus, on a gateway's own pole: they answer, dial in or publish."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from device_profiles.schema import Profile
from simulators.chirpstack_events import ChirpstackEvents
from simulators.device import EmulatedDevice
from simulators.dlt645_meter import Dlt645Port
from simulators.hj212_station import Hj212Station
from simulators.multivision_screen import MultivisionScreen
from simulators.ocpp_charger import EmulatedCharger
from simulators.onvif_camera import OnvifCamera
from simulators.sip_intercom import SipIntercom
from simulators.snmp_agent import SnmpAgent

# device, profile, bus
DEVICES = (
    ("meter-2", "dlt645-1p", "meters"),
    ("station-1", "hj212-air", "stations"),
    ("wifi-1", "openwrt-ap", "wifi"),
    ("camera-1", "onvif-camera", "cameras"),
    ("screen-1", "multivision-led-text", "screens"),
    ("intercom-1", "sip-intercom", "intercoms"),
    ("charger-2", "ocpp16", "chargers"),
    ("cover-1", "em300-mcs", "lorawan"),
    ("level-1", "em500-swl", "lorawan"),
)
CAMERA_USER = "multipole"
LORA_USER = "chirpstack"
PERIOD_S = 5.0  # of what speaks by itself; true devices take a minute or more
STATION_CN = "2011"  # real-time data


class Network:
    """The devices of one gateway. Use it as `async with`; addresses are known within it."""

    def __init__(
        self,
        *,
        number: int,
        node: str,
        pole: str,
        folder: Path,
        seed: int,
        profiles: Mapping[str, Profile],
        free_port: Callable[[], int],
        broker: str,
        lora_password: str,
        camera_password: str,
    ) -> None:
        """number: tells the gateways of a city apart, from 1. broker: mqtt://host:port of the LoRaWAN server too."""
        self._number = number
        self._node = node
        self._broker = broker
        self._listen = {bus: f"127.0.0.1:{free_port()}" for bus in ("stations", "chargers")}
        self.devices = {
            name: EmulatedDevice(
                profile=profiles[profile], pole=pole, name=name, address=self._identity(name), seed=seed
            )
            for name, profile, _ in DEVICES
        }
        of = self.devices
        self._meter_port = folder / f"meters-{number}"
        self._meters = Dlt645Port(path=self._meter_port, devices=[of["meter-2"]])
        self._agent = SnmpAgent(device=of["wifi-1"])
        self._camera = OnvifCamera(device=of["camera-1"], user=CAMERA_USER, password=camera_password)
        self._screen = MultivisionScreen(devices=[of["screen-1"]])
        self._intercom = SipIntercom(device=of["intercom-1"])
        host, port = self._listen["stations"].split(":")
        self._station = Hj212Station(devices=[of["station-1"]], host=host, port=int(port), every={STATION_CN: PERIOD_S})
        self.charger = EmulatedCharger(
            device=of["charger-2"], url=f"ws://{self._listen['chargers']}", period_s=PERIOD_S
        )
        at = urlsplit(broker)
        self._lorawan = ChirpstackEvents(
            devices=[of["cover-1"], of["level-1"]], period_s=PERIOD_S,
            connect={"hostname": at.hostname, "port": at.port, "username": LORA_USER, "password": lora_password},
        )  # fmt: skip
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for each in (
            self._meters, self._agent, self._camera, self._screen, self._intercom, self._station, self.charger,
            self._lorawan,
        ):  # fmt: skip
            await self._running.enter_async_context(each)
        for name, server in (
            ("wifi-1", self._agent), ("camera-1", self._camera), ("screen-1", self._screen),
            ("intercom-1", self._intercom),
        ):  # fmt: skip
            self.devices[name].address = f"{server.host}:{server.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    def buses(self) -> dict[str, dict[str, Any]]:
        """As the site file has them."""
        kinds: dict[str, dict[str, Any]] = {
            "meters": {"protocol": "dlt645", "port": str(self._meter_port.absolute())},
            "stations": {"protocol": "hj212", "listen": self._listen["stations"]},
            "wifi": {"protocol": "snmp"},
            "cameras": {"protocol": "onvif", "user": CAMERA_USER, "password_file": "cameras.password"},
            "screens": {"protocol": "multivision"},
            "intercoms": {"protocol": "sip"},
            "chargers": {"protocol": "ocpp", "listen": self._listen["chargers"]},
            "lorawan": {
                "protocol": "chirpstack", "broker": self._broker, "user": self._node,
                "password_file": f"{self._node}.password",
            },
        }  # fmt: skip
        return {f"{bus}-{self._number}": {"gateway": self._node, **keys} for bus, keys in kinds.items()}

    def entries(self) -> Iterator[dict[str, Any]]:
        """The devices, as the site file has them."""
        for name, profile, bus in DEVICES:
            device = self.devices[name]
            pole = device.name.split("/")[0]
            place = {"bus": f"{bus}-{self._number}", "address": device.address}
            yield {"pole": pole, "device": name, "profile": profile, **place}

    def _identity(self, name: str) -> str:
        """What a device that is known by a number or a name of its own says it is."""
        identities = {
            "meter-2": f"{202600000000 + self._number:012d}",
            "station-1": f"510107MULTIPOLE{self._number:06d}",
            "charger-2": f"CP-{self._number:04d}",
            "cover-1": f"24e124136b{self._number:06x}",
            "level-1": f"24e124756c{self._number:06x}",
        }
        return identities.get(name, "")
