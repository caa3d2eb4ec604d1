"""The buses of a site file: each is one way to devices that speak one protocol."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from device_profiles.bus_time import Line
from device_profiles.schema import Model, Name
from device_profiles.site_keys import Baud, Broker, FilePath, Listen, Parity, Port
from protocols import hj212


def _text(value: object) -> object:
    # A version 3 that is written without quotes is a number in YAML.
    return str(value) if value == 3 else value


def _spoken(edition: object) -> object:
    if isinstance(edition, int):
        hj212.check_edition(edition)
    return edition


Edition = Annotated[Literal[2005, 2017], BeforeValidator(_spoken, json_schema_input_type=Literal[2005, 2017])]
DeadShare = Annotated[
    float, Field(gt=0, le=0.5, description="most of the bus's time that goes to devices which do not answer")
]


class AnyBus(Model):
    @property
    def owner(self) -> str | None:
        """The gateway or controller whose bus it is; None where the file leaves it out."""
        raise NotImplementedError

    @property
    def line(self) -> Line | None:
        """The settings of its serial port, where it has one."""
        return None

    @property
    def end(self) -> str | None:
        """What one bus alone can have of a node: a port, a UART, or an address to listen at."""
        return None

    def describe(self) -> str:
        """`/dev/… 9600 8N1`, for people."""
        raise NotImplementedError


class GatewayBus(AnyBus):
    gateway: Name | None = Field(None, description="may be left out where there is one gateway")

    @property
    def owner(self) -> str | None:
        return self.gateway


class LocalBus(AnyBus):
    """What hangs on a pole controller."""

    controller: Name

    @property
    def owner(self) -> str:
        return self.controller


class _Serial(GatewayBus):
    port: Port
    baud: Baud = 9600
    parity: Parity = "none"
    stop_bits: Literal[1, 2] = 1

    @property
    def line(self) -> Line:
        return Line(baud=self.baud, parity=self.parity, stop_bits=self.stop_bits)

    @property
    def end(self) -> str:
        return self.port

    def describe(self) -> str:
        return f"{self.port} {_settings(self)}"


class SerialBus(_Serial):
    """Modbus RTU on an RS-485 line."""

    protocol: Literal["modbus"] = "modbus"
    dead_share: DeadShare = 0.05

    @model_validator(mode="before")
    @classmethod
    def _is_something(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "port" not in data and data.keys() <= cls.model_fields.keys():
            raise ValueError("a bus has a port (/dev/…, serial) or a host (Modbus TCP), or another protocol")
        return data


class TcpBus(GatewayBus):
    """Modbus to one address of a network; its units share one connection."""

    protocol: Literal["modbus"] = "modbus"
    host: str = Field(pattern=r"^[A-Za-z0-9._:-]+$")
    port: int = Field(502, ge=1, le=65535)
    framing: Literal["tcp", "rtu"] = Field(
        "tcp", description="rtu: a converter that sends the serial line's own frames"
    )
    dead_share: DeadShare = 0.05

    @property
    def end(self) -> str:
        return f"{self.host}:{self.port}"

    def describe(self) -> str:
        return f"{self.end} Modbus {'TCP' if self.framing == 'tcp' else 'RTU over TCP'}"


class Dlt645Bus(_Serial):
    """Meters of DL/T 645-2007 on an RS-485 line."""

    protocol: Literal["dlt645"]
    baud: Baud = 2400
    parity: Parity = "even"

    def describe(self) -> str:
        return f"{super().describe()} DL/T 645"


class Hj212Bus(GatewayBus):
    """Monitoring stations of HJ 212 that dial in, or one on a serial line."""

    protocol: Literal["hj212"]
    listen: Listen | None = Field(None, description="host:port where stations dial in")
    port: Port | None = None
    baud: Baud = 9600
    edition: Edition = 2017
    password_file: FilePath | None = Field(None, description="the stations' PW, which is not asked for where left out")

    @model_validator(mode="after")
    def _has_one_end(self) -> "Hj212Bus":
        if (self.listen is None) == (self.port is None):
            raise ValueError("an hj212 bus has either listen (stations dial in) or port (one on a serial line)")
        return self

    @property
    def line(self) -> Line | None:
        return Line(baud=self.baud) if self.port else None

    @property
    def end(self) -> str | None:
        return self.port or self.listen

    def describe(self) -> str:
        return f"{self.end} HJ 212-{self.edition}"


class SnmpBus(GatewayBus):
    """Devices with an SNMP agent on the gateway's network."""

    protocol: Literal["snmp"]
    version: Annotated[Literal["2c", "3"], BeforeValidator(_text)] = "2c"
    community_file: FilePath | None = Field(None, description="version 2c: one line; public where left out")
    user: str | None = Field(None, description="version 3")
    password_file: FilePath | None = Field(None, description="version 3: authentication, one line")
    privacy_file: FilePath | None = Field(None, description="version 3: encryption, one line")
    auth: Literal["sha1", "sha224", "sha256", "sha384", "sha512"] = "sha256"
    cipher: Literal["aes128"] = "aes128"

    @model_validator(mode="after")
    def _fits_its_version(self) -> "SnmpBus":
        if self.version == "2c" and (self.user or self.password_file or self.privacy_file):
            raise ValueError("version 2c has a community alone; write version: 3, or delete user and passwords")
        if self.version == "3" and (self.user is None or self.community_file is not None):
            raise ValueError("version 3 has a user (with password_file and privacy_file) and no community")
        if self.privacy_file is not None and self.password_file is None:
            raise ValueError("privacy_file is given without password_file: encryption needs authentication")
        return self

    def describe(self) -> str:
        return f"network SNMP v{self.version}"


class OnvifBus(GatewayBus):
    """Cameras on the gateway's network."""

    protocol: Literal["onvif"]
    user: str | None = None
    password_file: FilePath | None = None
    rtsp_basic: bool = Field(
        False, description="RTSP may send the password readable, where a camera takes nothing else"
    )

    def describe(self) -> str:
        return "network ONVIF"


class MultivisionBus(GatewayBus):
    """LED screens on the gateway's network."""

    protocol: Literal["multivision"]

    def describe(self) -> str:
        return "network Multivision"


class SipBus(GatewayBus):
    """Intercoms on the gateway's network."""

    protocol: Literal["sip"]

    def describe(self) -> str:
        return "network SIP"


class OcppBus(GatewayBus):
    """Charge points that dial in: the gateway is their local central system (OCPP 1.6J)."""

    protocol: Literal["ocpp"]
    listen: Listen = Field(description="host:port where charge points dial in, at /<address>")
    password_file: FilePath | None = Field(None, description="of all charge points (HTTP basic authentication)")

    @property
    def end(self) -> str:
        return self.listen

    def describe(self) -> str:
        return f"{self.listen} OCPP 1.6J"


class ChirpstackBus(GatewayBus):
    """LoRaWAN devices, as ChirpStack tells them over MQTT."""

    protocol: Literal["chirpstack"]
    broker: Broker
    user: str | None = None
    password_file: FilePath | None = None
    ca: FilePath | None = None
    application: str = Field("+", pattern=r"^[^#/]+$", description="ChirpStack's application id; + for all")

    def describe(self) -> str:
        return f"{self.broker} ChirpStack"


class UplinkBus(_Serial):
    """Pole controllers without a network: they reach the broker through this line of the gateway."""

    protocol: Literal["controllers"]
    baud: Baud = 115200

    def describe(self) -> str:
        return f"{super().describe()} controllers"


class UartBus(LocalBus):
    """Modbus RTU on a UART of a controller."""

    protocol: Literal["modbus"] = "modbus"
    uart: Name = Field(description="one of the controller's uarts")
    baud: Baud = 9600
    parity: Parity = "none"
    stop_bits: Literal[1, 2] = 1

    @property
    def line(self) -> Line:
        return Line(baud=self.baud, parity=self.parity, stop_bits=self.stop_bits)

    @property
    def end(self) -> str:
        return self.uart

    def describe(self) -> str:
        return f"uart {self.uart} {_settings(self)}"


class WiredBus(LocalBus):
    """The controller's own pins: contacts, analogue inputs, sensors on I²C, the lamp."""

    protocol: Literal["wired"]

    def describe(self) -> str:
        return f"pins of {self.controller}"


def _settings(bus: "_Serial | UartBus") -> str:
    return f"{bus.baud} 8{bus.parity[0].upper()}{bus.stop_bits}"


_BY_PROTOCOL = {
    "dlt645": Dlt645Bus, "hj212": Hj212Bus, "snmp": SnmpBus, "onvif": OnvifBus, "multivision": MultivisionBus,
    "sip": SipBus, "ocpp": OcppBus, "chirpstack": ChirpstackBus, "controllers": UplinkBus, "wired": WiredBus,
}  # fmt: skip


def _kind_of_bus(data: Any) -> str:
    if isinstance(data, AnyBus):
        return type(data).__name__
    if not isinstance(data, Mapping):
        return SerialBus.__name__
    protocol = data.get("protocol", "modbus")
    if protocol != "modbus":
        return _BY_PROTOCOL[protocol].__name__ if protocol in list(_BY_PROTOCOL) else str(protocol)
    if data.keys() & {"controller", "uart"}:
        return UartBus.__name__
    numbered = isinstance(data.get("port"), int) and not data.keys() & {"baud", "parity", "stop_bits"}
    return TcpBus.__name__ if "host" in data or numbered else SerialBus.__name__


Bus = Annotated[
    Annotated[SerialBus, Tag("SerialBus")]
    | Annotated[TcpBus, Tag("TcpBus")]
    | Annotated[Dlt645Bus, Tag("Dlt645Bus")]
    | Annotated[Hj212Bus, Tag("Hj212Bus")]
    | Annotated[SnmpBus, Tag("SnmpBus")]
    | Annotated[OnvifBus, Tag("OnvifBus")]
    | Annotated[MultivisionBus, Tag("MultivisionBus")]
    | Annotated[SipBus, Tag("SipBus")]
    | Annotated[OcppBus, Tag("OcppBus")]
    | Annotated[ChirpstackBus, Tag("ChirpstackBus")]
    | Annotated[UplinkBus, Tag("UplinkBus")]
    | Annotated[UartBus, Tag("UartBus")]
    | Annotated[WiredBus, Tag("WiredBus")],
    Discriminator(_kind_of_bus),
]
