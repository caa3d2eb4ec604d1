"""One Modbus unit: the devices (channels) behind one unit id, their common registers, and what is wrong with it."""

from collections import ChainMap
from collections.abc import Iterator
from dataclasses import dataclass

from device_profiles import registers
from device_profiles.blocks import BITS_PER_REGISTER, MAX_BITS, MAX_REGISTERS
from device_profiles.schema import BIT_TABLES, WORDS, Location
from simulators.device import EmulatedDevice

READS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
ILLEGAL_ADDRESS = 2  # Modbus Application Protocol V1.1b3, section 7
ILLEGAL_VALUE = 3
BUSY = 6


class Refused(Exception):
    """The unit answers with an exception. `code` is Modbus' own."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


@dataclass(kw_only=True)
class Faults:
    """What is wrong with a unit, switchable while it runs. As it stands: nothing.

    refused, mute: (table, address); a read that touches one of them gets exception 2, or no answer.
    """

    silent: bool = False  # no answer at all
    answers_every: int = 1  # 3: two requests without an answer, then one with
    slow: float = 0.0  # seconds on top of the usual latency
    corrupt: bool = False  # RTU: a wrong CRC; TCP: a wrong transaction id
    corrupt_every: int = 0  # 10: so is every tenth answer
    garbage: bool = False  # bytes that are no frame
    exception: int | None = None  # this Modbus exception to every request
    busy: int = 0  # so many requests more get exception 6
    refused: frozenset[tuple[str, int]] = frozenset()
    mute: frozenset[tuple[str, int]] = frozenset()


class EmulatedUnit:
    """Answers reads and writes like the device that it stands for, within that device's own limits."""

    def __init__(self, *, devices: list[EmulatedDevice]) -> None:
        self.number = devices[0].unit
        self.devices = devices
        self.modbus = devices[0].modbus
        self.faults = Faults()
        self.requests = 0  # answered ones
        self._heard = 0
        self._runs = {table: list(self._runs_of(table)) for table in ("coil", "discrete", "input", "holding")}

    @property
    def latency(self) -> float:
        """Seconds from the request's end to the answer's start."""
        return self.modbus.latency + self.faults.slow

    def hears(self, request: bytes) -> bool:
        """Whether this request (a PDU) gets an answer at all."""
        self._heard += 1
        if self.faults.silent or self._heard % self.faults.answers_every:
            return False
        table = READS.get(request[0])
        if not self.faults.mute or table is None:
            return True
        first, count = int.from_bytes(request[1:3], "big"), int.from_bytes(request[3:5], "big")
        return self.faults.mute.isdisjoint((table, place) for place in range(first, first + count))

    def garbles(self) -> bool:
        """Whether the answer that leaves now is damaged on its way."""
        every = self.faults.corrupt_every
        return self.faults.corrupt or bool(every and self.requests % every == 0)

    def trouble(self) -> int | None:
        """The exception that the request at hand gets, whatever it asks."""
        if self.faults.busy:
            self.faults.busy -= 1
            return BUSY
        return self.faults.exception

    def read(self, table: str, address: int, count: int) -> list[int]:
        """Words (or bits) of one block. Raises Refused: outside of the device's registers, or more than it can send."""
        if not 1 <= count <= (MAX_BITS if table in BIT_TABLES else min(self.modbus.block, MAX_REGISTERS)):
            raise Refused(ILLEGAL_VALUE)
        if not any(first <= address and address + count <= end for first, end in self._runs[table]):
            raise Refused(ILLEGAL_ADDRESS)
        places = [(table, place) for place in range(address, address + count)]
        if not self.faults.refused.isdisjoint(places):
            raise Refused(ILLEGAL_ADDRESS)
        held = ChainMap(*(device.image() for device in self.devices))
        return [held.get(place, 0) for place in places]

    def write(self, table: str, address: int, words: list[int]) -> None:
        """Carries out the commands whose registers these are, all or none. Raises Refused."""
        places = set(range(address, address + len(words)))
        wanted: list[tuple[EmulatedDevice, str, float | bool]] = []
        for device, command, at, first in self._commands():
            own = set(range(first, first + WORDS[at.type]))
            if at.table == table and own <= set(range(address, address + len(words))):
                places -= own
                offset = first - address
                wanted.append((device, command, _argument(at, words[offset : offset + len(own)])))
        if places or not wanted:
            raise Refused(ILLEGAL_ADDRESS)
        if not all(_accepts(device, command, argument) for device, command, argument in wanted):
            raise Refused(ILLEGAL_VALUE)
        for device, command, argument in wanted:
            device.command(command, argument)

    def heal(self) -> None:
        """Everything works again. Commanded values stay."""
        self.faults = Faults()
        for device in self.devices:
            device.thaw()

    def _commands(self) -> Iterator[tuple[EmulatedDevice, str, Location, int]]:
        for device in self.devices:
            for command, at, first in device.commands_at():
                yield device, command, at, first

    def _runs_of(self, table: str) -> Iterator[tuple[int, int]]:
        # a device answers the holes that its profile says a block may bridge
        gap = MAX_REGISTERS if self.modbus.gap is None else self.modbus.gap
        gap *= BITS_PER_REGISTER if table in BIT_TABLES else 1
        places = sorted({place for device in self.devices for kind, place in device.image() if kind == table})
        first = end = -1
        for place in places:
            if first >= 0 and place - end > gap:
                yield first, end
                first = place
            first, end = (place if first < 0 else first), place + 1
        if first >= 0:
            yield first, end


def _argument(at: Location, words: list[int]) -> float | bool:
    number = registers.raw(at, words)
    return number if isinstance(number, bool) else registers.scale(at, number)


def _accepts(device: EmulatedDevice, command: str, argument: float | bool) -> bool:
    bounds = next(iter(device.profile.commands[command].args.values())).range
    return bounds is not None and bounds[0] <= float(argument) <= bounds[1]


def units(devices: list[EmulatedDevice]) -> dict[int, EmulatedUnit]:
    """Devices of one bus -> its units by number. Raises ValueError where two devices of one unit share a register."""
    by_number: dict[int, list[EmulatedDevice]] = {}
    for device in devices:
        for other in by_number.setdefault(device.unit, []):
            shared = other.image().keys() & device.image().keys()
            if shared:
                raise ValueError(f"{other.name} and {device.name} share unit {device.unit}, register {min(shared)}")
        by_number[device.unit].append(device)
    return {number: EmulatedUnit(devices=members) for number, members in by_number.items()}
