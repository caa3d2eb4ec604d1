"""Devices of each protocol other than Modbus, behind one gateway: they answer, dial in or publish."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Protocol, Self, cast
from urllib.parse import urlsplit

from simulators.chirpstack_events import ChirpstackEvents
from simulators.device import EmulatedDevice
from simulators.dlt645_meter import Dlt645Port
from simulators.ending import ended
from simulators.hj212_station import Hj212Station
from simulators.multivision_screen import MultivisionScreen
from simulators.ocpp_charger import EmulatedCharger
from simulators.onvif_camera import OnvifCamera
from simulators.sip_intercom import SipIntercom
from simulators.snmp_agent import SnmpAgent

# One device of each protocol, and a second radio sensor: device, profile.
DEVICES = (
    ("meter-2", "dlt645-1p"),
    ("station-1", "hj212-air"),
    ("wifi-1", "openwrt-ap"),
    ("camera-1", "onvif-camera"),
    ("screen-1", "multivision-led-text"),
    ("intercom-1", "sip-intercom"),
    ("charger-2", "ocpp16"),
    ("cover-1", "em300-mcs"),
    ("level-1", "em500-swl"),
)
BUSES = {
    "dlt645": "meters", "hj212": "stations", "snmp": "wifi", "onvif": "cameras", "multivision": "screens",
    "sip": "intercoms", "ocpp": "chargers", "chirpstack": "lorawan",
}  # fmt: skip
CAMERA_USER = "multipole"
LORA_USER = "chirpstack"
PERIOD_S = 5.0  # of what speaks by itself; true devices take a minute or more
STATION_CN = "2011"  # real-time data
_NEXT = 1000  # between the numbers of two devices of one protocol behind one gateway
_IDENTITIES: dict[str, Callable[[int], str]] = {  # what a device that is known by a number of its own says it is
    "dlt645": lambda number: f"{202600000000 + number:012d}",
    "hj212": lambda number: f"510107MULTIPOLE{number:06d}",
    "ocpp": lambda number: f"CP-{number:04d}",
    "em300-mcs": lambda number: f"24e124136b{number:06x}",
    "em500-swl": lambda number: f"24e124756c{number:06x}",
    "chirpstack": lambda number: f"24e124700a{number:06x}",
}


class _Server(Protocol):
    """One device, or all of a kind, that can be without power."""

    async def restore(self) -> None: ...
    async def vanish(self) -> None: ...


class Network:
    """The devices of one gateway. Use it as `async with`; addresses are known within it."""

    def __init__(
        self,
        *,
        number: int,
        node: str,
        devices: Sequence[EmulatedDevice],
        folder: Path,
        free_port: Callable[[], int],
        broker: str,
        lora_password: str,
        camera_password: str,
        lora_broker: str = "",
    ) -> None:
        """number: tells the gateways of a city apart, from 1. broker: mqtt://host:port, where the gateway hears the
        LoRaWAN server; lora_broker: where that one speaks to, if not there."""
        self._number = number
        self._node = node
        self._broker = broker
        self._camera_password = camera_password
        self.devices = list(devices)
        self._listen = {bus: f"127.0.0.1:{free_port()}" for bus in ("stations", "chargers")}
        self._identify()
        self._meter_port = folder / f"meters-{number}"
        self._meters = Dlt645Port(path=self._meter_port, devices=self._of("dlt645"))
        at = urlsplit(lora_broker or broker)
        self._lorawan = ChirpstackEvents(
            devices=self._of("chirpstack"), period_s=PERIOD_S,
            connect={"hostname": at.hostname, "port": at.port, "username": LORA_USER, "password": lora_password},
        )  # fmt: skip
        self._servers = {
            device.name: self._server(device)
            for device in self.devices
            if device.profile.protocol not in ("dlt645", "chirpstack")
        }
        self._drivers: dict[str, asyncio.Task[None]] = {}
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        shared = [each for each, kind in ((self._meters, "dlt645"), (self._lorawan, "chirpstack")) if self._of(kind)]
        for each in (*shared, *self._servers.values()):
            await self._running.enter_async_context(cast(AbstractAsyncContextManager[object], each))
        for device in self.devices:
            server = self._servers.get(device.name)
            if server is not None and not device.address:
                device.address = f"{server.host}:{server.port}"  # type: ignore[attr-defined]
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended(*self._drivers.values())
        await self._running.aclose()

    async def turn(self, device: EmulatedDevice, on: bool) -> None:
        """Whether it answers, dials in or sends."""
        if device.profile.protocol == "dlt645":
            self._meters.meter(device.address).faults.silent = not on
        elif device.profile.protocol == "chirpstack":
            self._lorawan.sensors[device.address].faults.silent = not on
        else:
            await (self._servers[device.name].restore() if on else self._servers[device.name].vanish())

    def drive(self, device: EmulatedDevice, *, plugged: bool, charging: bool) -> None:
        """What drivers do at a charge point now; while it still does what they did before, nothing."""
        charger = self._servers[device.name]
        before = self._drivers.get(device.name)
        if isinstance(charger, EmulatedCharger) and (before is None or before.done()):
            doing = charger.follow(plugged=plugged, charging=charging)
            self._drivers[device.name] = asyncio.create_task(doing, name=f"drivers at {device.name}")

    def buses(self) -> dict[str, dict[str, Any]]:
        """As the site file has them: those that a device hangs on."""
        kinds: dict[str, dict[str, Any]] = {
            "dlt645": {"port": str(self._meter_port.absolute())},
            "hj212": {"listen": self._listen["stations"]},
            "onvif": {"user": CAMERA_USER, "password_file": "cameras.password"},
            "ocpp": {"listen": self._listen["chargers"]},
            "chirpstack": {
                "broker": self._broker, "user": self._node, "password_file": f"{self._node}.password",
            },
        }  # fmt: skip
        return {
            f"{bus}-{self._number}": {"gateway": self._node, "protocol": protocol, **kinds.get(protocol, {})}
            for protocol, bus in BUSES.items()
            if self._of(protocol)
        }

    def entries(self) -> Iterator[dict[str, Any]]:
        """The devices, as the site file has them."""
        for device in self.devices:
            pole, name = device.name.split("/")
            place = {"bus": f"{BUSES[device.profile.protocol]}-{self._number}", "address": device.address}
            yield {"pole": pole, "device": name, "profile": device.profile.profile, **place}

    def _of(self, protocol: str) -> list[EmulatedDevice]:
        return [device for device in self.devices if device.profile.protocol == protocol]

    def _identify(self) -> None:
        met = Counter[str]()
        for device in self.devices:
            kind = next(
                (each for each in (device.profile.profile, device.profile.protocol) if each in _IDENTITIES), None
            )
            if kind is not None:
                device.address = _IDENTITIES[kind](self._number + _NEXT * met[kind])
                met[kind] += 1

    def _server(self, device: EmulatedDevice) -> _Server:
        match device.profile.protocol:
            case "snmp":
                return SnmpAgent(device=device)
            case "onvif":
                return OnvifCamera(device=device, user=CAMERA_USER, password=self._camera_password)
            case "multivision":
                return MultivisionScreen(devices=[device])
            case "sip":
                return SipIntercom(device=device)
            case "hj212":
                host, port = self._listen["stations"].split(":")
                return Hj212Station(devices=[device], host=host, port=int(port), every={STATION_CN: PERIOD_S})
            case "ocpp":
                return EmulatedCharger(device=device, url=f"ws://{self._listen['chargers']}", period_s=PERIOD_S)
            case protocol:
                raise ValueError(f"{device.name}: nothing emulates a device of the protocol {protocol}")
