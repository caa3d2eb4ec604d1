"""The model of a site file: its keys, and what each may hold."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from device_profiles.schema import Duration, Labels, Model, Name
from device_profiles.site_buses import AnyBus, Bus
from device_profiles.site_controllers import Controller
from device_profiles.site_keys import Broker, FilePath


class Gateway(Model):
    """One node: an MQTT identity with a spool of its own, and the buses it polls."""

    broker: Broker = Field(description="mqtt://host:port, or mqtts://host:port with ca (and cert and key)")
    user: Name | None = Field(None, description="MQTT user; the node's name where it is left out")
    password_file: FilePath | None = None
    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None
    spool: FilePath | None = Field(None, description="<node>.db beside the site file where it is left out")
    keep: Duration = Field(7 * 86400.0, gt=0, description="the longest outage that the spool is to bridge")
    spool_megabytes: int = Field(512, ge=1, le=1_000_000, description="hard bound of the spool's size")
    confirm: Literal["ingest", "broker"] = "ingest"
    pole: Name = Field(description="the pole that the gateway box hangs on")


class Pole(Model):
    """Where a pole stands, and what people call it."""

    position: tuple[float, float] = Field(description="latitude, longitude in degrees (WGS 84)")
    name: Labels | None = None

    @field_validator("position")
    @classmethod
    def _on_earth(cls, position: tuple[float, float]) -> tuple[float, float]:
        latitude, longitude = position
        if abs(latitude) > 90 and abs(longitude) <= 90:
            raise ValueError(f"latitude comes first; did you mean [{longitude}, {latitude}]?")
        if abs(latitude) > 90 or abs(longitude) > 180:
            raise ValueError(
                f"[{latitude}, {longitude}] is no position: it is [latitude, longitude],"
                " -90 to 90 and -180 to 180 degrees"
            )
        return position


def bus_device(bus: str) -> str:
    """The device of a gateway's pole that tells of a bus."""
    return f"bus-{bus}"


HARDWARE_KEYS = ("pin", "pwm", "adc", "i2c")  # of a wired device, and of its profile's `wired`


class Device(Model):
    """One device on a pole: what it is, and where it answers."""

    pole: Name
    device: Name
    profile: str
    bus: Name
    unit: int | None = Field(
        None, ge=0, le=255, description="Modbus unit id, 1 to 247 on a serial line; on I²C an address of the profile's"
    )
    address: str | None = Field(
        None, pattern=r"^[!-~]{1,128}$", description="all other protocols: host[:port], meter or station number, …"
    )
    channel: int = Field(0, ge=0, description="for a profile with channels: which one, from 0")
    pin: Name | None = Field(None, description="wired: the controller's pin that it uses")
    pwm: Name | None = Field(None, description="wired: the controller's pwm that it uses")
    adc: Name | None = Field(None, description="wired: the controller's adc that it uses")
    i2c: Name | None = Field(None, description="wired: the controller's i2c that it uses")

    @property
    def id(self) -> str:
        """pole/device, as in packs."""
        return f"{self.pole}/{self.device}"

    @property
    def where(self) -> str:
        """Its unit, or its address, on the bus."""
        return self.address or str(self.unit)

    @property
    def hardware(self) -> dict[str, str]:
        """What a wired device uses of its controller: the kind, and the name there."""
        return {kind: name for kind in HARDWARE_KEYS if (name := getattr(self, kind)) is not None}


class Site(Model):
    """One site file. A node is a gateway or a controller."""

    area: Name
    gateways: dict[Name, Gateway] = Field(default_factory=dict)
    controllers: dict[Name, Controller] = Field(default_factory=dict)
    poles: dict[Name, Pole] = Field(min_length=1)
    buses: dict[Name, Bus]
    devices: tuple[Device, ...]

    @model_validator(mode="after")
    def _has_a_node(self) -> Self:
        if not self.gateways and not self.controllers:
            raise ValueError("nobody reads the devices: write gateways, or controllers, or both")
        return self

    def node_of(self, bus: str) -> str:
        """The node that polls a bus."""
        return self.buses[bus].owner or next(iter(self.gateways), "")

    def buses_of(self, node: str) -> dict[str, AnyBus]:
        """The buses that a node polls, by name."""
        unsaid = next(iter(self.gateways), "")
        return {name: bus for name, bus in self.buses.items() if (bus.owner or unsaid) == node}

    def devices_on(self, bus: str) -> list[Device]:
        """The devices on a bus, in the file's order."""
        return [device for device in self.devices if device.bus == bus]

    def devices_of(self, node: str) -> list[Device]:
        """The devices that a node polls, in the file's order."""
        own = self.buses_of(node)
        return [device for device in self.devices if device.bus in own]

    def controllers_on(self, bus: str) -> dict[str, Controller]:
        """The controllers that reach the broker through a gateway's bus, by name."""
        return {name: each for name, each in self.controllers.items() if each.through == bus}

    def user_of(self, node: str) -> str:
        """The MQTT user of a node."""
        return self._node(node).user or node

    def broker_of(self, node: str) -> tuple[str, Path | None]:
        """(URL, ca) of the broker that a node's packs reach: of its gateway's, where it has no network."""
        own = self._node(node)
        if isinstance(own, Controller) and own.through is not None:
            own = self.gateways[self.node_of(own.through)]
        assert own.broker is not None
        return own.broker, own.ca

    def _node(self, name: str) -> Gateway | Controller:
        return self.gateways.get(name) or self.controllers[name]
