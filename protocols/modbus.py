"""Modbus frames: values IN, bytes OUT, and back. Pure: no port, no clock.

A PDU is a function code and its data, without the unit and the checksum (Modbus Application Protocol 1.1b3). Serial
lines carry it as RTU (Modbus over Serial Line 1.02), networks with an MBAP header (Modbus Messaging on TCP/IP 1.0b).

What is wrong with an answer is told by `protocols.errors`; a device's exception code is an ExceptionReply.
"""

import struct
from collections.abc import Sequence

from protocols.errors import BadAnswer, DeviceError, Refused, Timeout

READS = {"coil": 0x01, "discrete": 0x02, "holding": 0x03, "input": 0x04}
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 0x05, 0x06, 0x0F, 0x10
MAX_READ = {"coil": 2000, "discrete": 2000, "holding": 125, "input": 125}
MAX_WRITE_COILS, MAX_WRITE_REGISTERS = 1968, 123
MAX_PDU = 253
EXCEPTIONS = {
    1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "server device failure",
    5: "acknowledge", 6: "server device busy", 8: "memory parity error", 10: "gateway path unavailable",
    11: "gateway target failed to respond",
}  # fmt: skip

BUSY = (5, 6)  # the device is at work, and answers another time
NOBODY_THERE = (10, 11)  # a gateway's word for a device behind it that does not answer
RTU_EXTRA = 3  # bytes of a frame beyond its PDU: unit and checksum

_ERROR_BIT = 0x80
_BITS = (READS["coil"], READS["discrete"])
_WORDS = (READS["holding"], READS["input"])
_SINGLE = (WRITE_COIL, WRITE_REGISTER)  # answered with the request itself
_MBAP = struct.Struct(">HHHB")
_MBAP_LEAD = 6  # bytes before those that the header's length counts


class ExceptionReply(Refused):
    """`code` is Modbus' exception code (section 7)."""

    def __init__(self, code: int) -> None:
        super().__init__(code, f"exception {code} ({EXCEPTIONS.get(code, 'not in the standard')})")
        if not code:  # 0 is no exception code: the wire knows 1 to 255
            self.quality = "crc"


def read(table: str, address: int, count: int) -> bytes:
    """Request PDU for `count` bits or registers from `address` (0-based)."""
    if not 0 < count <= MAX_READ[table] or not 0 <= address <= 0x10000 - count:
        raise ValueError(f"a read of {table} has 1 to {MAX_READ[table]} items up to 65535, not {count} from {address}")
    return struct.pack(">BHH", READS[table], address, count)


def write(table: str, address: int, values: Sequence[int]) -> bytes:
    """Request PDU that writes coils (0 or 1) or holding registers (16 bits each): FC05, 06, 15 or 16."""
    most = {"coil": MAX_WRITE_COILS, "holding": MAX_WRITE_REGISTERS}.get(table, 0)
    if not 0 < len(values) <= most or not 0 <= address <= 0x10000 - len(values):
        raise ValueError(f"a write to {table} has 1 to {most} items up to 65535, not {len(values)} from {address}")
    if table == "coil":
        return _write_coils(address, values)
    if len(values) == 1:
        return struct.pack(">BHH", WRITE_REGISTER, address, values[0])
    head = struct.pack(">BHHB", WRITE_REGISTERS, address, len(values), 2 * len(values))
    return head + struct.pack(f">{len(values)}H", *values)


def _write_coils(address: int, values: Sequence[int]) -> bytes:
    if len(values) == 1:
        return struct.pack(">BHH", WRITE_COIL, address, 0xFF00 if values[0] else 0)
    packed = sum(bool(value) << index for index, value in enumerate(values))
    size = (len(values) + 7) // 8
    return struct.pack(">BHHB", WRITE_COILS, address, len(values), size) + packed.to_bytes(size, "little")


def answer_length(request: bytes) -> int:
    """Bytes of the PDU that answers the request, unless it is an exception (those have 2)."""
    function = request[0]
    if function in _BITS + _WORDS:
        count = int.from_bytes(request[3:5], "big")
        return 2 + ((count + 7) // 8 if function in _BITS else 2 * count)
    return 5


def check_answer(request: bytes, answer: bytes) -> None:
    """Raises ExceptionReply or BadAnswer unless the PDU `answer` answers the PDU `request`."""
    if len(answer) == 2 and answer[0] == request[0] | _ERROR_BIT:
        raise ExceptionReply(answer[1])
    if not answer or answer[0] != request[0]:
        raise BadAnswer("function", f"function {answer[0] if answer else None} answered function {request[0]}")
    if len(answer) != answer_length(request) or not _echoes(request, answer):
        raise BadAnswer("length", f"{len(answer)} bytes answered, {answer_length(request)} with this head were asked")


def _echoes(request: bytes, answer: bytes) -> bool:
    # What the answer repeats of the request: the byte count of a read, address and value or count of a write.
    if request[0] in _BITS + _WORDS:
        return answer[1] == len(answer) - 2
    return answer[1:5] == request[1:5]


def items(request: bytes, answer: bytes) -> list[int]:
    """The bits or registers of a read, in the order of their addresses. Raises ExceptionReply or BadAnswer."""
    check_answer(request, answer)
    if request[0] in _WORDS:
        return list(struct.unpack(f">{answer[1] // 2}H", answer[2:]))
    bits = int.from_bytes(answer[2:], "little")
    return [bits >> index & 1 for index in range(int.from_bytes(request[3:5], "big"))]


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC = _crc_table()


def crc16(data: bytes | bytearray) -> int:
    """CRC-16/MODBUS (Modbus over Serial Line 1.02, section 6.2.2); sent low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def rtu(unit: int, pdu: bytes) -> bytes:
    """PDU -> RTU frame."""
    body = bytes((unit,)) + pdu
    return body + crc16(body).to_bytes(2, "little")


def find_rtu(
    received: bytes | bytearray, unit: int, request: bytes, *, echoing: bool = False
) -> tuple[bytes | None, int]:
    """Bytes so far -> (answer PDU, 0), or (None, how many more are needed at least).

    Skips noise, other units' frames and an echo of the request; a write of one item is answered by its own bytes, so
    there an echo is skipped only on a line that is known to echo.
    """
    start = _after_echo(received, unit, request, echoing)
    fewest = 5
    offset = received.find(unit, start)
    while offset >= 0:
        length = _rtu_length(received[offset:], unit, request)
        missing = offset + length - len(received)
        if length and missing <= 0 and _crc_fits(received[offset : offset + length]):
            return bytes(received[offset + 1 : offset + length - 2]), 0
        if length and missing > 0:
            fewest = min(fewest, missing)
        offset = received.find(unit, offset + 1)
    return None, fewest


def has_echo(received: bytes | bytearray, unit: int, request: bytes) -> bool:
    """True when the line sent our own request back to us; never for a write of one item, where nobody can tell."""
    return request[0] not in _SINGLE and received.startswith(rtu(unit, request))


def explain_rtu(received: bytes | bytearray, unit: int, request: bytes, *, echoing: bool = False) -> DeviceError:
    """Bytes in which no answer was found -> the error that says best what is wrong with them."""
    body = received[_after_echo(received, unit, request, echoing) :]
    if not body:
        return Timeout("no answer")
    other = _foreign(body)
    if other is not None and other[0] != unit:
        return BadAnswer("address", f"unit {other[0]} spoke instead")
    if other is not None:
        return BadAnswer("function", f"an answer of {len(other)} bytes to something else: {other[:16].hex(' ')}")
    if is_corrupt(body, unit, request):
        return BadAnswer("crc", f"the checksum is wrong: {body[:16].hex(' ')}")
    if body[0] == unit and len(body) < answer_length(request) + 3:
        return BadAnswer("short", f"{len(body)} of {answer_length(request) + 3} bytes came: {body[:16].hex(' ')}")
    return BadAnswer("crc", f"{len(body)} bytes that are no frame: {body[:16].hex(' ')}")


def is_corrupt(body: bytes | bytearray, unit: int, request: bytes) -> bool:
    """True when the answer came in full length, but its checksum is wrong: waiting longer cannot help."""
    length = _rtu_length(body, unit, request)
    return 0 < length <= len(body) and not _crc_fits(body[:length])


def _after_echo(received: bytes | bytearray, unit: int, request: bytes, echoing: bool) -> int:
    if (request[0] in _SINGLE and not echoing) or not received.startswith(bytes((unit,)) + request):
        return 0
    sent = rtu(unit, request)
    return len(sent) if received.startswith(sent) else 0


def _rtu_length(body: bytes | bytearray, unit: int, request: bytes) -> int:
    """Length of the frame that may start here, or 0 when none can. Half a head may still become one."""
    if not body or body[0] != unit:
        return 0
    if len(body) > 1 and body[1] == request[0] | _ERROR_BIT:
        return 5
    if len(body) > 1 and body[1] != request[0]:
        return 0
    if len(body) == 1:
        return 5
    length = answer_length(request) + 3
    if request[0] in _BITS + _WORDS:
        return length if len(body) == 2 or body[2] == length - 5 else 0
    repeated = min(len(body) - 2, 4)
    return length if body[2 : 2 + repeated] == request[1 : 1 + repeated] else 0


def _crc_fits(frame: bytes | bytearray) -> bool:
    return crc16(frame[:-2]) == int.from_bytes(frame[-2:], "little")


def _foreign(body: bytes | bytearray) -> bytes | bytearray | None:
    # A whole frame with a right checksum, whoever sent it; the length of a read's answer is its third byte.
    for length in {5, 8, body[2] + 5 if len(body) > 2 else 5}:
        if length <= len(body) and _crc_fits(body[:length]):
            return body[:length]
    return None


def mbap(transaction: int, unit: int, pdu: bytes) -> bytes:
    """PDU -> Modbus TCP frame."""
    return _MBAP.pack(transaction, 0, len(pdu) + 1, unit) + pdu


def split_mbap(received: bytes) -> tuple[int, int, bytes, bytes] | int:
    """Bytes so far -> (transaction, unit, PDU, rest), or how many more are needed. Raises BadAnswer("header").

    After a bad header nobody knows where the next frame begins: close the connection.
    """
    if len(received) < _MBAP.size:
        return _MBAP.size - len(received)
    transaction, protocol, length, unit = _MBAP.unpack_from(received)
    if protocol != 0 or not 2 <= length <= MAX_PDU + 1:
        raise BadAnswer("header", f"no Modbus TCP header: {received[:7].hex(' ')}")
    end = _MBAP_LEAD + length
    if len(received) < end:
        return int(end - len(received))
    return transaction, unit, received[_MBAP.size : end], received[end:]
