"""The model of a site file: its keys, and what each may hold."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from device_profiles.bus_time import Line
from device_profiles.schema import Duration, Labels, Model, Name

BAUD_RATES = (1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200, 230400)


def _beside(path: str, info: ValidationInfo) -> Path:
    # A relative path counts from the site file's folder, wherever the command is started.
    folder = (info.context or {}).get("folder", Path())
    return Path(folder, path)


def _standard(baud: int) -> int:
    if baud not in BAUD_RATES:
        near = min(BAUD_RATES, key=lambda known: abs(known - baud))
        raise ValueError(
            f"not a standard baud rate; allowed are {', '.join(map(str, BAUD_RATES))}. Did you mean {near}?"
        )
    return baud


FilePath = Annotated[Path, BeforeValidator(_beside, json_schema_input_type=str)]
Baud = Annotated[int, AfterValidator(_standard)]


class Gateway(Model):
    """One node: an MQTT identity with a spool of its own, and the buses it polls."""

    broker: str = Field(description="mqtt://host:port, or mqtts://host:port with ca (and cert and key)")
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

    @field_validator("broker")
    @classmethod
    def _is_address(cls, text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/") or parts.username:
            raise ValueError("a broker is mqtt://host:port or mqtts://host:port, without user or path")
        _ = parts.port  # raises ValueError where it is no port
        return text


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


class SerialBus(Model):
    """Modbus RTU on an RS-485 line."""

    gateway: Name | None = Field(None, description="may be left out where there is one gateway")
    port: str = Field(pattern=r"^/\S+$", description="the device's file, best /dev/serial/by-id/…")
    baud: Baud = 9600
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1

    @model_validator(mode="before")
    @classmethod
    def _is_something(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "port" not in data and data.keys() <= cls.model_fields.keys():
            raise ValueError("a bus has a port (/dev/…, serial) or a host (Modbus TCP)")
        return data

    @property
    def line(self) -> Line:
        return Line(baud=self.baud, parity=self.parity, stop_bits=self.stop_bits)

    def describe(self) -> str:
        """`/dev/… 9600 8N1`."""
        return f"{self.port} {self.baud} 8{self.parity[0].upper()}{self.stop_bits}"


class TcpBus(Model):
    """Modbus TCP to one address; its units share one connection."""

    gateway: Name | None = Field(None, description="may be left out where there is one gateway")
    host: str = Field(pattern=r"^[A-Za-z0-9._:-]+$")
    port: int = Field(502, ge=1, le=65535)

    @property
    def line(self) -> None:
        return None

    def describe(self) -> str:
        """`host:502 Modbus TCP`."""
        return f"{self.host}:{self.port} Modbus TCP"


def _kind_of_bus(data: Any) -> str:
    if not isinstance(data, Mapping):
        return SerialBus.__name__
    numbered = isinstance(data.get("port"), int) and not data.keys() & {"baud", "parity", "stop_bits"}
    return TcpBus.__name__ if "host" in data or numbered else SerialBus.__name__


Bus = Annotated[
    Annotated[SerialBus, Tag("SerialBus")] | Annotated[TcpBus, Tag("TcpBus")],
    Discriminator(_kind_of_bus),
]


class Device(Model):
    """One device on a pole: what it is, and where it answers."""

    pole: Name
    device: Name
    profile: str
    bus: Name
    unit: int = Field(ge=0, le=255, description="Modbus unit id; 1 to 247 on a serial line")
    channel: int = Field(0, ge=0, description="for a profile with channels: which one, from 0")

    @property
    def id(self) -> str:
        """pole/device, as in packs."""
        return f"{self.pole}/{self.device}"


class Site(Model):
    """One site file."""

    area: Name
    gateways: dict[Name, Gateway] = Field(min_length=1)
    poles: dict[Name, Pole] = Field(min_length=1)
    buses: dict[Name, Bus]
    devices: tuple[Device, ...]

    def gateway_of(self, bus: str) -> str:
        """The node that polls a bus."""
        return self.buses[bus].gateway or next(iter(self.gateways))

    def buses_of(self, node: str) -> dict[str, SerialBus | TcpBus]:
        """The buses that a node polls, by name."""
        return {name: bus for name, bus in self.buses.items() if self.gateway_of(name) == node}

    def devices_on(self, bus: str) -> list[Device]:
        """The devices on a bus, in the file's order."""
        return [device for device in self.devices if device.bus == bus]

    def devices_of(self, node: str) -> list[Device]:
        """The devices that a node polls, in the file's order."""
        return [device for device in self.devices if self.gateway_of(device.bus) == node]

    def user_of(self, node: str) -> str:
        """The MQTT user of a node."""
        return self.gateways[node].user or node
