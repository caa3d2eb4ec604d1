"""What a controller reads at its own pins: raw numbers or bytes IN, values in the point's unit OUT, and back.

Raw is true or false of a contact and of a lamp that is lit, microvolts of an ADC, percent of a lamp's level, and all
bytes that a chip on I²C answers.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence

from device_profiles.items import Raw
from device_profiles.registers import NoValue, judged, shortened
from device_profiles.schema import I2cLocation, Point, Profile
from device_profiles.wording import Fault
from protocols.errors import BadAnswer, DeviceError

PLACES = ("input", "adc", "i2c", "lamp")  # keys of a point
READ_FROM = {"input": "pin", "adc": "adc", "i2c": "i2c"}  # key of a point -> key of `wired`, and of a site's device
MICROVOLTS = 1_000_000
FORMATS = {"uint8": ">B", "int8": ">b", "uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i"}
Value = int | float | bool


def key(point: Point) -> str:
    """Under what a recorded exchange tells this point: input, adc, lamp, or what is written to the chip."""
    if point.i2c is not None:
        return point.i2c.write
    return "input" if point.input is not None else "adc" if point.adc is not None else "lamp"


def spots(point: Point) -> tuple[str, Sequence[int]]:
    """Where a point stands, as something that two points cannot share; nothing for what is not wired."""
    if point.i2c is not None:
        size = struct.calcsize(FORMATS[point.i2c.number]) + (point.i2c.polynomial != 0)
        return point.i2c.write, range(point.i2c.byte, point.i2c.byte + size)
    if point.lamp is not None:
        return f"lamp {point.lamp}", (0,)
    return key(point), (0,) if point.input is not None or point.adc is not None else ()


def value(point: Point, raw: Raw) -> Value:
    """Raises NoValue."""
    if point.i2c is not None and isinstance(raw, bytes):
        number = _number(point.i2c, raw)
        return judged(point, number, _scaled(point.i2c.scale, point.i2c.offset, number))
    if isinstance(raw, bytes | str):
        raise NoValue("range")
    if point.kind == "bool":
        return bool(raw)
    if point.adc is not None:
        return judged(point, raw, _scaled(point.adc.scale / MICROVOLTS, point.adc.offset, raw))
    return judged(point, raw, raw)


def raw(point: Point, wanted: Value) -> int | bool | bytes:
    """What stands at the pin where the point has this value. Raises ValueError where nothing can."""
    if point.kind == "bool":
        return bool(wanted)
    if point.adc is not None:
        return round((wanted - point.adc.offset) / point.adc.scale * MICROVOLTS)
    if point.i2c is None:
        return round(wanted)
    number = round((wanted - point.i2c.offset) / point.i2c.scale)
    try:
        held = struct.pack(FORMATS[point.i2c.number], number)
    except struct.error:
        raise ValueError(f"{wanted} does not fit a {point.i2c.number} (scale {point.i2c.scale})") from None
    tail = bytes([crc8(held, point.i2c.polynomial, point.i2c.start)]) if point.i2c.polynomial else b""
    answer = bytearray(point.i2c.read)
    answer[point.i2c.byte : point.i2c.byte + len(held + tail)] = held + tail
    return bytes(answer)


def resolution(point: Point) -> float:
    """The smallest step of the value; of an ADC a millivolt, which is what a board's ADC tells apart."""
    if point.i2c is not None:
        return abs(point.i2c.scale)
    if point.adc is not None:
        return abs(point.adc.scale) / 1000
    return 0.0 if point.kind == "bool" else 1.0


def crc8(data: bytes, polynomial: int, start: int) -> int:
    """Highest bit first, nothing reflected, as Sensirion's data sheets have it."""
    crc = start
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc & 0x80 else 0)) & 0xFF
    return crc


def told(sent: bytes, came: bytes) -> Mapping[str, Raw | DeviceError]:
    """One side and the other of a recorded exchange -> what it shows. Raises BadAnswer.

    A chip's bytes, or as a text what stands at a pin: `adc 1200000` (microvolts) or `input 1`.
    """
    place, _, number = came.partition(b" ")
    if place not in (b"adc", b"input"):
        return {sent.hex(" "): came}
    if not number.isdigit():
        raise BadAnswer("noise", "what stands at a pin is `adc` with microvolts, or `input` with 0 or 1")
    return {place.decode(): int(number) if place == b"adc" else number == b"1"}


def faults(profile: Profile) -> Iterator[Fault]:
    """(key path, text) where the section `wired` and what the points are read from contradict each other."""
    if profile.protocol != "wired":
        if profile.wired is not None:
            yield ("wired",), f"the protocol is {profile.protocol}, which has no wired section. Delete it."
    elif profile.wired is None:
        yield (
            (),
            "wired is missing. It says what of a controller the device uses: add it, as in `wired: {pin: needed}`.",
        )
    else:
        if all(sum(getattr(point, place) is not None for place in PLACES) == 1 for point in profile.points.values()):
            yield from _needs(profile)
        for name, point in profile.points.items():
            yield from _place(("points", name), point)


def _needs(profile: Profile) -> Iterator[Fault]:
    needs = profile.wired
    assert needs is not None
    read = {place: name for name, point in profile.points.items() for place in PLACES if getattr(point, place)}
    missing = [place for place, own in READ_FROM.items() if place in read and getattr(needs, own) != "needed"]
    for place in missing:
        own = READ_FROM[place]
        keys = ("wired", own) if getattr(needs, own) else ("wired",)
        yield keys, f"{own} is not needed, but {read[place]} is read from it. Write `{own}: needed`."
    if missing:
        return  # what seems useless then is as likely meant
    useless = [own for own in ("adc", "i2c") if getattr(needs, own) and own not in read]
    if "lamp" not in read:
        useless += [own for own in ("pwm", "pin") if getattr(needs, own) and (own == "pwm" or "input" not in read)]
    elif "needed" not in (needs.pin, needs.pwm):
        yield ("wired",), "a lamp hangs on a pin (a relay) or a pwm (0-10 V): write `pin: needed` or `pwm: needed`."
    for own in useless:
        yield ("wired", own), f"no point uses {own}. Delete it, or write the point."
    if "i2c" in read and not needs.addresses:
        yield ("wired",), "addresses are missing. Write those that the chip can have, as in addresses: [0x44, 0x45]."
    elif "i2c" not in read and needs.addresses:
        yield ("wired", "addresses"), "only a chip on I²C has addresses. Delete it."


def _place(keys: tuple[str, str], point: Point) -> Iterator[Fault]:
    for place in ("adc", "i2c"):
        held = getattr(point, place)
        if held is not None and held.scale == 0:
            yield (*keys, place, "scale"), "0 makes every value the same. Leave it out, or write the sensor's factor."
    if point.i2c is not None:
        size = struct.calcsize(FORMATS[point.i2c.number]) + (point.i2c.polynomial != 0)
        if point.i2c.byte + size > point.i2c.read:
            text = f"{point.i2c.read} bytes are read, but the number needs those up to {point.i2c.byte + size}."
            yield (*keys, "i2c", "read"), f"{text} Check byte, number and read."
        if point.i2c.start and not point.i2c.polynomial:
            yield (*keys, "i2c", "start"), "there is no CRC, which could begin with it. Write polynomial, or delete it."


def _number(at: I2cLocation, answer: bytes) -> int:
    size = struct.calcsize(FORMATS[at.number])
    held, behind = answer[at.byte : at.byte + size], answer[at.byte + size : at.byte + size + 1]
    if len(held) < size:
        raise NoValue("timeout")
    if at.polynomial and behind != bytes([crc8(held, at.polynomial, at.start)]):
        raise NoValue("crc")
    number: int = struct.unpack(FORMATS[at.number], held)[0]
    return number


def _scaled(scale: float, offset: float, number: float) -> int | float:
    return number if scale == 1 and offset == 0 else shortened(number * scale + offset)
