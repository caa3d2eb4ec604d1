"""A device profile: one YAML file, pure data, from which everything about that device follows."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

FUNCTIONS = (
    "lighting", "wifi", "camera", "screen", "air", "emergency", "water", "charging", "manhole",  # the nine of a pole
    "energy", "leakage", "tilt", "gateway",  # and what they hang on
)  # fmt: skip

# Registers of 16 bits that a value takes (Modbus Application Protocol 1.1b3 knows single bits and 16-bit words only).
WORDS = {
    "bool": 1, "uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "float32": 2, "uint64": 4, "int64": 4, "float64": 4,
}  # fmt: skip
BIT_TABLES = ("coil", "discrete")

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: object) -> float:
    """A duration as people write it ("200ms", "5s", "15m", "1h", "7d") -> seconds. Raises ValueError."""
    match = _DURATION.match(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a duration is a number with ms, s, m, h or d, as in 500ms, 5s or 15m")
    return float(match[1]) * _SECONDS[match[2]]


def duration_text(duration_s: float) -> str:
    """Seconds as people write them: 5400 -> "90m"."""
    whole = (unit for unit in ("d", "h", "m") if duration_s and duration_s % _SECONDS[unit] == 0)
    unit = next(whole, "s")
    return f"{duration_s / _SECONDS[unit]:.12g}{unit}"


def _fraction(text: object) -> object:
    # A scale such as 100/254 (DALI's levels) has no exact decimal form.
    if isinstance(text, str) and re.fullmatch(r"\d+(\.\d+)?/\d+(\.\d+)?", text):
        above, below = text.split("/")
        if float(below) == 0:
            raise ValueError("a fraction needs a number other than 0 below the line")
        return float(above) / float(below)
    return text


Duration = Annotated[float, BeforeValidator(seconds, json_schema_input_type=str)]
Scale = Annotated[float, BeforeValidator(_fraction, json_schema_input_type=float | str)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]  # wire.names
HexBytes = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2}( [0-9a-f]{2}){0,7})?$")]
PointName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Function = Literal[FUNCTIONS]  # type: ignore[valid-type]
Table = Literal["coil", "discrete", "input", "holding"]
Protocol = Literal[
    "modbus", "dlt645", "hj212", "snmp", "onvif", "ocpp", "multivision", "sip", "chirpstack", "wired", "gateway"
]
Need = Literal["needed", "optional"] | None
NumberType = Literal["bool", "uint16", "int16", "uint32", "int32", "float32", "uint64", "int64", "float64"]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Labels(Model):
    """What operators read, in English and Chinese (简体中文)."""

    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)


class Location(Model):
    """Where a value stands in a Modbus device, and how its raw number becomes a value: raw * scale + offset."""

    table: Table
    address: int = Field(ge=0, le=0xFFFF, description="0-based PDU address")
    type: NumberType = "bool"
    word_order: Literal["high_first", "low_first"] = "high_first"
    bit: int | None = Field(None, ge=0, le=15, description="one bit of a register; type must be bool")
    scale: Scale = 1.0
    offset: float = 0.0
    step: int = Field(0, ge=0, description="added to the address per channel, where a device has channels")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.table in BIT_TABLES and (self.type != "bool" or self.bit is not None):
            raise ValueError(f"a {self.table} is one bit: type is bool and bit is left out")
        if self.table not in BIT_TABLES and (self.type == "bool") != (self.bit is not None):
            raise ValueError("a bool in a register needs its bit (0 to 15), and only a bool has one")
        if self.type == "bool" and (self.scale != 1 or self.offset != 0):
            raise ValueError("a bool has neither scale nor offset")
        if self.address + WORDS[self.type] > 0x10000:
            raise ValueError("the value reaches beyond address 65535")
        return self


class Item(Model):
    """One value in what a device says that is not a Modbus device: raw * scale + offset."""

    name: str = Field(min_length=1, max_length=200, description="what the protocol calls it (docs/profiles.md)")
    type: Literal["number", "bool", "text"] = "number"
    scale: Scale = 1.0
    offset: float = 0.0
    decimals: int = Field(0, ge=0, le=9, description="digits after the point in the raw number")
    measured: bool = Field(False, description="the gateway measures it: an emulated device cannot hold it exactly")
    byte: int | None = Field(None, ge=0, le=255, description="chirpstack: where in the item's bytes the number begins")
    number: Literal["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"] | None = Field(
        None, description="chirpstack: how the item's bytes hold the number, lowest byte first"
    )


class Analogue(Model):
    """A voltage at an ADC of a controller: volts * scale + offset."""

    scale: Scale = 1.0
    offset: float = 0.0


class I2cLocation(Model):
    """A number in what a chip on I²C answers, highest byte first: raw * scale + offset."""

    write: HexBytes = Field(description="what is sent first, as in 24 00; empty where nothing is")
    wait: Duration = Field(0.0, ge=0, le=2, description="from there to the read, while the chip measures")
    read: int = Field(ge=1, le=32, description="bytes of the answer")
    byte: int = Field(0, ge=0, le=31, description="where in the answer the number begins")
    number: Literal["uint8", "int8", "uint16", "int16", "uint32", "int32"] = "uint16"
    polynomial: int = Field(0, ge=0, le=255, description="of the CRC-8 that stands behind the number; 0: there is none")
    start: int = Field(0, ge=0, le=255, description="what that CRC-8 begins with")
    scale: Scale = 1.0
    offset: float = 0.0


class Emulate(Model):
    """How the emulated device moves this value: around ± swing over period, with noise; a bool is on for `around`."""

    around: float = 0.0
    texts: tuple[str, ...] = Field(default=(), description="a text: what it says in turn, all of them once a period")
    swing: float = Field(0.0, ge=0)
    period: Duration = Field(default=600.0, gt=0)
    noise: float = Field(0.0, ge=0)
    grow: float = Field(default=0.0, ge=0, description="what a counter gains in an hour, counted from 2026-01-01 UTC")


class Point(Model):
    """One quantity that a device tells."""

    labels: Labels
    unit: str = Field("", description="SenML unit (RFC 8428 and RFC 8798), empty where there is none")
    function: Function | None = Field(None, description="where it differs from the profile's")
    at: Location | None = Field(None, description="Modbus devices")
    item: Item | None = Field(None, description="devices of all other protocols")
    input: Literal["contact"] | None = Field(None, description="wired: a contact at the device's pin, true while on")
    adc: Analogue | None = Field(None, description="wired: a voltage at the device's adc")
    i2c: I2cLocation | None = Field(None, description="wired: a number of a chip on the device's i2c")
    lamp: Literal["on", "level"] | None = Field(None, description="wired: what the controller's lamp does now")
    counter: str | None = Field(None, description="a gateway's or a controller's own counters")
    own: bool = Field(False, description="the maker's own point: it is not in the vocabulary")
    range: tuple[float, float] | None = Field(None, description="a value outside has the quality range")
    invalid: tuple[int, ...] = Field((), description="raw numbers that the maker uses for no value")
    values: dict[int, str] = Field(default_factory=dict, description="meaning of each code")
    deadband: float = Field(0.0, ge=0, description="a smaller change is not reported before the group's silence ends")
    poll: Name = Field(description="the poll group that reads it")
    event: bool = Field(False, description="a change of it must not wait")
    emulate: Emulate | None = None

    @property
    def kind(self) -> Literal["number", "bool", "text"]:
        """What its values are."""
        if self.at is not None:
            return "bool" if self.at.type == "bool" else "number"
        if self.input is not None or self.lamp == "on":
            return "bool"
        return self.item.type if self.item is not None else "number"


class PollGroup(Model):
    """Points that are read together."""

    every: Duration = Field(gt=0)
    silence: Duration = Field(300.0, gt=0, description="an unchanged value is reported again after this time")


class Argument(Model):
    """A number of a range, or a text of so many characters."""

    labels: Labels
    unit: str = ""
    range: tuple[float, float] | None = None
    length: tuple[int, int] | None = Field(None, description="a text: fewest and most characters")

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if (self.range is None) == (self.length is None):
            raise ValueError("an argument has either a range (a number) or a length (a text)")
        return self


class Command(Model):
    """One thing that a device does: at most one argument, written to one place, read back from one point."""

    labels: Labels
    args: dict[PointName, Argument] = Field(max_length=1)
    write: Location | None = Field(None, description="Modbus devices")
    item: Item | None = Field(None, description="devices of all other protocols")
    lamp: Literal["level", "on", "off", "auto"] | None = Field(
        None, description="wired: what the controller's lamp is to do; auto: as its schedule says"
    )
    read_back: PointName | None = Field(
        None,
        description="the point that shows what became of it; Modbus always has one, others may confirm by themselves",
    )
    tolerance: float = Field(0.0, ge=0, description="allowed between what was written and what is read back")
    settle: Duration = Field(0.2, description="time from the write to the first read-back")
    expect: float | bool | str | None = Field(
        None, description="what the read-back shows when it is done, where that is not the argument"
    )


class Golden(Model):
    """One recorded exchange: the words that a device answered, and the values that they mean."""

    source: str = Field(min_length=10, description="who recorded it, or from what it was computed")
    recorded: bool = Field(description="true: bytes that a device or its manual gave; false: computed from the map")
    framing: Literal["rtu", "tcp", "hex", "text"] = Field(
        "rtu", description="rtu: Modbus with CRC; tcp: with the MBAP header; hex and text: as the protocol sends it"
    )
    exchanges: tuple[tuple[str, str], ...] = Field(
        min_length=1, description="what was sent to the device (may be empty) and what it sent"
    )
    values: dict[PointName, float | bool | str | None] = Field(
        min_length=1, description="null where the words hold no value"
    )
    uncovered: tuple[PointName, ...] = Field((), description="points that the exchanges do not show")


class ModbusDefaults(Model):
    """The factory settings and the limits of a Modbus device."""

    unit: int = Field(1, ge=1, le=255, description="1 to 247 on a serial line")
    baud: int = 9600
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    block: int = Field(60, ge=1, le=125, description="most registers in one read")
    gap: int | None = Field(
        None,
        ge=0,
        le=124,
        description="most unused registers that the device gives in a read; where nobody knows, leave it out: a gateway"
        " bridges what pays, and learns where the device refuses",
    )
    channels: int = Field(1, ge=1, le=256)
    latency: Duration = Field(0.02, description="from the request's end to the answer's start, usually")


class Wired(Model):
    """What a device that hangs on a controller uses of it; the site file says which by name."""

    pin: Need = None
    pwm: Need = None
    adc: Need = None
    i2c: Need = None
    addresses: tuple[Annotated[int, Field(ge=8, le=0x77)], ...] = Field(
        (), description="I²C addresses that the chip can have, 7 bits; the usual one first"
    )


class Profile(Model):
    profile: Name
    version: int = Field(ge=1)
    function: Function
    maker: str
    model: str
    labels: Labels
    source: str = Field(min_length=10, description="where the facts come from")
    verified: Literal["excerpt", "third-party", "manual", "bench", "field"] = Field(
        description="how far: seen as an excerpt, in others' working code, in the maker's manual, on a bench, on a pole"
    )
    caveats: tuple[str, ...] = ()
    variant_of: Name | None = Field(
        None, description="another profile of the same device, where sources disagree or editions differ"
    )
    protocol: Protocol
    modbus: ModbusDefaults | None = None
    wired: Wired | None = None
    polls: dict[Name, PollGroup] = Field(min_length=1)
    points: dict[PointName, Point] = Field(min_length=1)
    commands: dict[PointName, Command] = Field(default_factory=dict)

    @property
    def is_exchanged(self) -> bool:
        """Whether something goes between the device and its reader that can be recorded."""
        return self.protocol != "gateway" and any(point.lamp is None for point in self.points.values())

    def function_of(self, point: str) -> str:
        """The measurement that a point belongs to."""
        own: str | None = self.points[point].function
        return own or str(self.function)
