"""The controllers of a site file: what each is, how it reaches the broker, what is wired to it, and its lamp."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator

from device_profiles.schema import Duration, Model, Name
from device_profiles.site_keys import Broker, FilePath

HARDWARE = ("uarts", "pins", "pwms", "adcs", "i2cs")  # named things of a board, one mapping of a controller each
_PIN = re.compile(r"[!-~]{1,64}")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|(dusk|dawn)([+-]\d{1,3}m)?")
MINUTES = 24 * 60


def _pin(value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, str) and not _pin_name(value)):
        raise ValueError("a pin is the number of a GPIO, or the name of a line on linux, as in GPIO17")
    return value


def _pin_name(text: str) -> bool:
    return _PIN.fullmatch(text) is not None


def _port(value: object) -> int | str:
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, str) and value.startswith("/"))):
        raise ValueError("a port is the number of the board's unit, as in 1, or on linux a path, as in /dev/ttyS1")
    return value


def offset_minutes(text: str) -> int:
    """`+08:00` -> 480. Raises ValueError."""
    match = _OFFSET.fullmatch(text)
    minutes = int(match[2]) * 60 + int(match[3]) if match else MINUTES
    if match is None or minutes > 14 * 60 or int(match[3]) > 59:
        raise ValueError("how local time differs from UTC is written +hh:mm, as in +08:00, at most 14 hours")
    return -minutes if match[1] == "-" else minutes


def _offset(text: str) -> str:
    offset_minutes(text)
    return text


def _moment(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError('a moment is a local time, as in "22:30", or dusk or dawn, as in dusk+10m or dawn-5m')
    return text


PinName = Annotated[int | str, PlainValidator(_pin, json_schema_input_type=int | str)]
PortName = Annotated[int | str, PlainValidator(_port, json_schema_input_type=int | str)]
Level = Annotated[int, Field(ge=0, le=100, description="percent")]


class Uart(Model):
    """A serial port of the board. Speed and parity are those of the bus, or of the uplink, that uses it."""

    port: PortName = Field(description="number of the UART, or on linux its path")
    tx: PinName | None = None
    rx: PinName | None = None
    direction: PinName | None = Field(None, description="the pin that switches an RS-485 transceiver to sending")


class Pin(Model):
    """A digital input or output; which of both follows from the device that uses it."""

    pin: PinName
    pull: Literal["up", "down", "none"] = "none"
    invert: bool = Field(False, description="true: low is on, as a contact to ground with a pull-up has it")


class Pwm(Model):
    pin: PinName
    hertz: int = Field(1000, ge=10, le=40_000)


class Adc(Model):
    pin: PinName


class I2c(Model):
    port: PortName = Field(0, description="number of the I²C unit, or on linux its path")
    sda: PinName | None = None
    scl: PinName | None = None
    hertz: int = Field(100_000, ge=10_000, le=400_000)


class Wifi(Model):
    ssid: str = Field(min_length=1, max_length=32)
    password_file: FilePath
    country: str | None = Field(None, pattern=r"^[A-Z]{2}$", description="which channels there are, as CN")


class Ethernet(Model):
    """An ESP32's Ethernet PHY, and its pins (RMII; 19, 21, 22, 25, 26 and 27 are fixed)."""

    phy: Literal["LAN8720", "IP101", "RTL8201", "DP83848", "KSZ8041"] = "LAN8720"
    phy_address: int = Field(0, ge=0, le=31)
    mdc: PinName = 23
    mdio: PinName = 18
    power: PinName | None = None
    clock: Literal[0, 16, 17] = Field(0, description="the pin of the 50 MHz; 16 and 17 give it, at 0 it comes in")


class Step(Model):
    """From this moment on the lamp has this level."""

    at: Annotated[str, AfterValidator(_moment)]
    level: Level


class Lamp(Model):
    """What the controller does with its lamp by itself, whether or not there is a network."""

    device: Name = Field(description="the lamp's device, on the controller's pole")
    schedule: tuple[Step, ...] = Field(min_length=1, max_length=16)
    hold: Duration = Field(7200.0, gt=0, le=86400, description="how long a command overrides the schedule")
    fail: Level = Field(100, description="level while the time is unknown")


class Controller(Model):
    """A node in a pole: an MQTT identity with a journal of its own, and what hangs on its pins."""

    board: Literal["esp32", "rp2", "linux", "simulated"]
    pole: Name
    broker: Broker | None = Field(None, description="mqtt://host:port, or mqtts://host:port with ca (and cert and key)")
    through: Name | None = Field(None, description="in place of broker: the bus of a gateway (protocol: controllers)")
    address: int | None = Field(None, ge=1, le=247, description="on the bus of `through`")
    uart: Name | None = Field(None, description="the controller's end of the bus of `through`")
    user: Name | None = Field(None, description="MQTT user; the node's name where it is left out")
    password_file: FilePath | None = None
    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None
    wifi: Wifi | None = None
    ethernet: Ethernet | None = None
    ntp: str | None = Field(None, pattern=r"^[A-Za-z0-9._:-]+$", description="where the controller asks for the time")
    journal_kilobytes: int = Field(512, ge=64, le=1_000_000, description="hard bound of the journal's size")
    utc_offset: Annotated[str, AfterValidator(_offset)] | None = Field(None, description="local time, as in +08:00")
    uarts: dict[Name, Uart] = Field(default_factory=dict)
    pins: dict[Name, Pin] = Field(default_factory=dict)
    pwms: dict[Name, Pwm] = Field(default_factory=dict)
    adcs: dict[Name, Adc] = Field(default_factory=dict)
    i2cs: dict[Name, I2c] = Field(default_factory=dict)
    lamp: Lamp | None = None
