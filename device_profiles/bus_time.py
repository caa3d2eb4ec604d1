"""How long exchanges of Modbus and DL/T 645 occupy a bus. Pure arithmetic; times are seconds, loads are fractions of 1.

Sources: Modbus over Serial Line V1.02, 2.5.1 (characters of 11 bits or 10, silence of 3.5 characters between frames,
1.75 ms above 19,200 baud); Modbus Application Protocol V1.1b3 (sizes of requests and answers); DL/T 645-2007, 5.2 and
5.3. What the operating system and a serial adapter add is not modelled: a profile's `latency` is where it belongs,
once measured.
"""

from dataclasses import dataclass

from device_profiles.schema import BIT_TABLES, Table

REQUEST_CHARACTERS = 8  # unit, function, address, count, CRC
ANSWER_CHARACTERS = 5  # unit, function, byte count, CRC; the data come on top
SILENCE_CHARACTERS = 3.5
FAST_BAUD = 19200
FAST_SILENCE = 0.00175
# On a network a request costs its way there and back: whatever fits is put into one.
NETWORK_OVERHEAD = 1e9
# Who waits for an answer gives so much beyond the time on the wire. Slower devices say so by their latency, which is a
# usual value, not the worst.
ANSWER_S = 0.3
ANSWER_LATENCIES = 10


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


def data_bytes(table: Table, count: int) -> int:
    """Bytes of data in the answer to a read of so many registers or bits."""
    return (count + 7) // 8 if table in BIT_TABLES else 2 * count


def exchange_time(line: Line, request: int, answer: int, latency: float) -> float:
    """Seconds that a request and its answer, in characters, occupy the bus, with the silence that both must keep.

    A device begins after `latency`, but not before the silence that ends the request.
    """
    return (request + answer) * line.character + max(latency, line.silence) + line.silence


def read_time(line: Line | None, table: Table, count: int, latency: float) -> float:
    """Seconds that a block read occupies the bus; on Modbus TCP (line is None) the device's latency alone counts."""
    if line is None:
        return latency
    return exchange_time(line, REQUEST_CHARACTERS, ANSWER_CHARACTERS + data_bytes(table, count), latency)


def answer_wait(latency: float) -> float:
    """Seconds beyond the time on the wire that a device of this latency is given to answer."""
    return max(ANSWER_S, ANSWER_LATENCIES * latency)


def request_overhead(line: Line | None, latency: float) -> float:
    """What a read costs beyond its data, in characters of the line."""
    return NETWORK_OVERHEAD if line is None else read_time(line, "holding", 0, latency) / line.character
