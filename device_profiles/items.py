"""What a device says that is not a Modbus device: raw values IN, values in the point's unit OUT, and back."""

import math
import struct

from device_profiles.registers import NoValue, judged, shortened
from device_profiles.schema import Item, Point
from protocols import chirpstack, dlt645, hj212, multivision, ocpp
from wire.numbers import EXACT_INTEGER

Raw = int | float | bool | str | bytes
Value = int | float | bool | str

MAX_TEXT = 200  # characters of a text value
# protocol -> what the name of an item looks like, as a pattern and in words
NAMES = {
    "dlt645": (dlt645.NAMES, "the 8 hexadecimal digits of a data identifier, in capitals, as in 0201FF00"),
    "hj212": (hj212.NAMES, "command, factor and field, as in 2011:a34004-Rtd, or as 1062:RtdInterval of a command"),
    "snmp": (
        r"[0-2](\.\d{1,10})+(\.\*|\.\[[^\[\]\s]{1,64}\])?(=1)?",
        "an object identifier in digits, as in 1.3.6.1.2.1.1.3.0, or with an interface's name last, as in .[eth0]",
    ),
    "chirpstack": (
        chirpstack.NAMES,
        "channel and type in 4 hexadecimal digits (0367), data, object.<name>, rssi, snr, batteryLevel or margin",
    ),
    "multivision": (multivision.NAMES, "the verb in capital letters, as in BRIGH"),
    "ocpp": (
        ocpp.NAMES,
        "status, error_code, transaction or meter.<measurand>[.<phase>], with 2: before it for connector 2",
    ),
    "onvif": (  # as protocols.onvif has them; its library is not loaded for a pattern
        "reachable|answer_ms|clock_skew_s|maker|model|firmware|serial|stream_alive|stream_ms|goto_preset|reboot",
        "reachable, answer_ms, clock_skew_s, maker, model, firmware, serial, stream_alive or stream_ms, "
        "or of a command goto_preset or reboot",
    ),
    "sip": ("alive|status_code|round_trip_ms", "alive, status_code or round_trip_ms"),
}
_NUMBERS = {
    "uint8": "<B", "int8": "<b", "uint16": "<H", "int16": "<h", "uint32": "<I", "int32": "<i", "float32": "<f",
}  # fmt: skip


def value(point: Point, raw: Raw) -> Value:
    """Raw, as an item of the point's name came -> value in the point's unit. Raises NoValue."""
    item = point.item
    assert item is not None
    if item.type == "text":
        if isinstance(raw, bytes):
            raise NoValue("range")
        return str(raw)[:MAX_TEXT]
    number = _number(item, raw)
    if item.type == "bool":
        return bool(number)
    return judged(point, number, shortened(number * item.scale + item.offset) if _is_scaled(item) else number)


def raw(item: Item, wanted: Value) -> int | float | bool | str:
    """Value -> the raw number, bit or text that a device would say. Raises ValueError where there is none."""
    if item.type == "text":
        return str(wanted)
    if item.type == "bool":
        return bool(wanted)
    if isinstance(wanted, str):
        raise ValueError(f"{wanted!r} is not a number")
    number = (wanted - item.offset) / item.scale
    if not math.isfinite(number):
        raise ValueError(f"{wanted} is not a finite number")
    rounded = round(number) if item.decimals == 0 else round(number, item.decimals)
    if item.number is not None:
        try:
            struct.pack(_NUMBERS[item.number], rounded)
        except struct.error:
            raise ValueError(f"{wanted} does not fit a {item.number} (scale {item.scale})") from None
    return rounded


def packed(item: Item, wanted: Value) -> bytes:
    """Value -> the bytes of an item that has a `number`. Raises ValueError."""
    assert item.number is not None
    return struct.pack(_NUMBERS[item.number], raw(item, wanted))


def resolution(item: Item) -> float:
    """The smallest step of the value."""
    return abs(item.scale) * 10**-item.decimals if item.type == "number" else 0.0


def _is_scaled(item: Item) -> bool:
    return item.scale != 1 or item.offset != 0


def _number(item: Item, raw: Raw) -> int | float:
    """Raises NoValue where it is none. A bool is 0 or 1; an integer that no pack carries is the nearest float."""
    try:
        number = _unpacked(item, raw) if isinstance(raw, bytes) else _written(raw) if isinstance(raw, str) else raw
        if not math.isfinite(number):
            raise NoValue("range")
    except (struct.error, ValueError, OverflowError):
        raise NoValue("range") from None
    if isinstance(number, int):
        return int(number) if abs(number) <= EXACT_INTEGER else float(number)
    return number


def _unpacked(item: Item, raw: bytes) -> int | float:
    if item.number is None:
        raise NoValue("range")
    number = struct.unpack_from(_NUMBERS[item.number], raw, item.byte or 0)[0]
    return number if isinstance(number, int) else float(number)


def _written(text: str) -> float:
    if not text.isascii() or "_" in text:  # float() also takes other scripts' digits, and 1_000
        raise ValueError("no number")
    return float(text)
