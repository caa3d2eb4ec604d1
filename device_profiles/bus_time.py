"""How long exchanges of Modbus and DL/T 645 occupy a bus. Pure arithmetic; times are seconds, loads are fractions of 1.

Sources: Modbus over Serial Line V1.02, 2.5.1 (characters of 11 bits or 10, silence of 3.5 characters, 1.75 ms above
19,200 baud); Modbus Application Protocol V1.1b3 (sizes of requests and answers); DL/T 645-2007, 5.2 and 5.3. What the
operating system and a serial adapter add is not modelled: a profile's `latency` is where it belongs, once measured.
"""

from dataclasses import dataclass

from device_profiles.blocks import Block, blocks
from device_profiles.schema import BIT_TABLES, Profile
from protocols import dlt645

REQUEST_CHARACTERS = 8  # unit, function, address, count, CRC
ANSWER_CHARACTERS = 5  # unit, function, byte count, CRC; the data come on top
SILENCE_CHARACTERS = 3.5
DLT645_CHARACTERS = 2 * (len(dlt645.WAKE) + dlt645.OVERHEAD + 4)  # both ways, with the identifier; a number on top
DLT645_LATENCY_S = 0.02  # the least that the standard allows (5.3); a slow meter takes up to 0.5 s
FAST_BAUD = 19200
FAST_SILENCE = 0.00175


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """The settings of a serial port."""

    baud: int
    parity: str = "none"
    stop_bits: int = 1

    @property
    def character(self) -> float:
        """Seconds that one character takes: start bit, 8 data bits, parity, stop bits."""
        return (9 + (self.parity != "none") + self.stop_bits) / self.baud

    @property
    def silence(self) -> float:
        """Seconds of quiet that end a frame."""
        return FAST_SILENCE if self.baud > FAST_BAUD else SILENCE_CHARACTERS * self.character


def data_bytes(block: Block) -> int:
    """Bytes of data in the answer to a block read."""
    return (block.count + 7) // 8 if block.table in BIT_TABLES else 2 * block.count


def read_time(line: Line | None, block: Block, latency: float) -> float:
    """Seconds that a block read occupies the bus; on Modbus TCP (line is None) the device's latency alone counts."""
    if line is None:
        return latency
    characters = REQUEST_CHARACTERS + ANSWER_CHARACTERS + data_bytes(block)
    return characters * line.character + latency + line.silence


def device_load(line: Line | None, profile: Profile, channel: int = 0) -> float:
    """The share of the bus's time that one device's polls take; 0.25 is a quarter."""
    if profile.protocol == "dlt645" and line is not None:
        return _dlt645_load(line, profile)
    if profile.modbus is None:
        return 0.0
    latency = profile.modbus.latency
    return sum(
        read_time(line, block, latency) / group.every
        for name, group in profile.polls.items()
        for block in blocks(profile, name, channel)
    )


def _dlt645_load(line: Line, profile: Profile) -> float:
    """Each item is an exchange of its own."""
    wanted = {(point.item.name, point.poll) for point in profile.points.values() if point.item is not None}
    return sum(
        ((DLT645_CHARACTERS + (dlt645.width_of(name) or 0)) * line.character + DLT645_LATENCY_S + line.silence)
        / profile.polls[poll].every
        for name, poll in wanted
    )
