"""The payloads of Milesight's LoRaWAN sensors: channel, type and a value of fixed length, again and again.

Bytes IN, the value's bytes by "<channel><type>" in hexadecimal OUT: {"0175": b"\\x5c", "0382": b"\\x44\\x08"}. Numbers
in them are little-endian. Source of channels and lengths: the tables and decoders of Milesight-IoT/SensorDecoders
(EM300, EM400 and EM500 series).
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Bytes of a value. Channel 20 (history) is missing: its length differs from model to model.
LENGTHS = {
    "0175": 1,  # battery, %
    "0367": 2,  # temperature, 0.1 °C (EM300)
    "0377": 2,  # depth, cm; ffff: measuring failed, fffd: out of range (EM500-SWL)
    "0382": 2,  # distance, mm (EM310-UDL)
    "03cf": 7,  # angles x, y, z, 0.01°, and the alarms' bits (EM310-TILT)
    "0400": 1,  # 1: tilted (EM310-UDL)
    "0468": 1,  # humidity, 0.5 % (EM300)
    "0500": 1,  # digital input, 1: high (EM300-DI)
    "05c8": 4,  # pulses (EM300-DI)
    "0600": 1,  # magnet, 1: open (EM300-MCS)
    "06e1": 8,  # water: two factors and a float (EM300-DI)
    "8367": 3,  # temperature with its alarm
    "8500": 2,  # digital input with its alarm (EM300-DI)
    "86e1": 9,  # water with its alarm (EM300-DI)
    "ff01": 1,  # protocol version
    "ff08": 6,  # serial number of older models
    "ff09": 2,  # hardware version
    "ff0a": 2,  # firmware version
    "ff0b": 1,  # power on
    "ff0f": 1,  # LoRaWAN class
    "ff16": 8,  # serial number
    "fffe": 1,  # reset
    "ffff": 2,  # version of the data model
}


@dataclass(frozen=True)
class Decoded:
    """rest: what was not read, from the first channel that is unknown or cut off; empty where all was read."""

    values: dict[str, bytes]
    rest: bytes


def decode(payload: bytes) -> Decoded:
    """What stands before the first unknown channel is kept; a channel that comes twice has its last value.

    Channels 8x are x again with an alarm after the value, sent the moment it changes: they tell x too.
    """
    values: dict[str, bytes] = {}
    at = 0
    while at < len(payload):
        name = payload[at : at + 2].hex()
        end = at + 2 + LENGTHS.get(name, len(payload))
        if end > len(payload):
            break
        values[name] = payload[at + 2 : end]
        plain = f"0{name[1:]}"
        if name[0] == "8" and LENGTHS.get(plain) == LENGTHS[name] - 1:
            values[plain] = values[name][:-1]
        at = end
    return Decoded(values, payload[at:])


def encode(values: Mapping[str, bytes]) -> bytes:
    """The payload that decodes to these values. Raises ValueError for an unknown channel or a wrong length."""
    for name, value in values.items():
        if LENGTHS.get(name) != len(value):
            raise ValueError(f"{name} has {LENGTHS.get(name, 'no')} bytes, not {len(value)}")
    return b"".join(bytes.fromhex(name) + value for name, value in values.items())
