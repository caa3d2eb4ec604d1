"""DL/T 645-2007, what Chinese electricity meters speak on RS-485: frames and numbers, IN and OUT.

    FE FE FE FE 68 A0 A1 A2 A3 A4 A5 68 C L data CS 16

FE wakes the meter up and is no part of the frame. The address is 12 BCD digits, low byte first; AA in it stands for
any two digits. C is 11 for a read, 91 for its answer, B1 where more frames follow, D1 for a refusal. Every data byte is
sent 33 higher; CS is the sum of all bytes before it, modulo 256 (all hexadecimal; DL/T 645-2007, chapters 5 to 7).

An item is the data identifier DI3 DI2 DI1 DI0 as eight hexadecimal digits, and its raw value the BCD number as an
integer: 2314 for 231.4 V. A block (DI1 is FF) gives its members, each under its own identifier.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from protocols.errors import BadAnswer, DeviceError, Refused, Timeout

NAMES = r"[0-9A-F]{8}"
WAKE = b"\xfe" * 4
READ, READ_ADDRESS = 0x11, 0x13
ANYBODY = "AA" * 6  # whoever is on the line: for one meter on a bench
MOST_DATA = 200  # DL/T 645-2007, 5.2.4: a read's answer
OVERHEAD = 12  # bytes of a frame around its data
MOST_FRAME = MOST_DATA + OVERHEAD

_START, _END, _SHIFT = 0x68, 0x16, 0x33
_ANSWER, _ERROR, _MORE = 0x80, 0x40, 0x20  # bits of C
_WIDEST = 8  # bytes of a BCD number; longer data are no number

# Annex A: the highest bit of currents, powers, power factors, demands and combined energies is their sign.
_SIGNED = ("0000", "0003", "0004", "0202", "0203", "0204", "0205", "0206", "0280")
_WIDTHS = {
    "0201": 2, "0202": 3, "0203": 3, "0204": 3, "0205": 3, "0206": 2, "0207": 2, "0208": 2, "0209": 2,
    "02800001": 3, "02800002": 2, "02800003": 3, "02800004": 3, "02800005": 3, "02800006": 3, "02800007": 2,
}  # fmt: skip
_ENERGY_WIDTH = 4
_FROM_TOTAL = ("0203", "0204", "0205", "0206")  # a block begins with the total; others begin with phase A
_REASONS = (
    "another error", "no such data", "wrong password or not authorised", "the speed cannot be changed",
    "too many year zones", "too many daily periods", "too many tariffs",
)  # fmt: skip

Item = int | DeviceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """data: with the 33 taken off again. address: 12 digits, the highest first."""

    address: str
    control: int
    data: bytes

    @property
    def is_answer(self) -> bool:
        return bool(self.control & _ANSWER)


def encode(address: str, control: int, data: bytes = b"") -> bytes:
    """A frame without the wake-up bytes. Raises ValueError: no 12 digits (or A), more data than a frame holds."""
    if len(address) != 12 or not set(address) <= set("0123456789A") or len(data) > MOST_DATA:
        raise ValueError(f"no frame for the address {address!r} and {len(data)} bytes")
    body = bytes([_START, *reversed(bytes.fromhex(address)), _START, control, len(data)])
    body += bytes((byte + _SHIFT) & 0xFF for byte in data)
    return body + bytes([sum(body) & 0xFF, _END])


def read(address: str, item: str) -> bytes:
    """The request for one item, without the wake-up bytes. Raises ValueError."""
    return encode(address, READ, _identifier(item))


def frames(received: bytes | bytearray) -> Iterator[Frame]:
    """Whole and right frames among the bytes of a line, requests as well as answers; anything else is passed over."""
    at = received.find(_START)
    while at >= 0:
        end = at + _length(received, at)
        if at < end <= len(received) and _is_whole(received[at:end]):
            yield _frame(bytes(received[at:end]))
            at = end - 1
        at = received.find(_START, at + 1)


def find(received: bytes | bytearray, address: str, item: str) -> Frame | None:
    """The answer to read(address, item), if it is there already."""
    return next((frame for frame in frames(received) if _is_from(frame, address) and _is_about(frame, item)), None)


def address_in(received: bytes | bytearray) -> str | None:
    """Who answered encode(ANYBODY, READ_ADDRESS), if somebody did."""
    for frame in frames(received):
        if frame.control == READ_ADDRESS | _ANSWER and len(frame.data) == 6:
            return frame.data[::-1].hex().upper()
    return None


def explain(received: bytes | bytearray, address: str, item: str) -> DeviceError:
    """Why find() found nothing by the end of the time."""
    answers = [frame for frame in frames(received) if frame.is_answer]
    if any(_is_from(frame, address) for frame in answers):
        return BadAnswer("late", f"the meter answered another request than the one for {item}")
    if answers:
        return BadAnswer("address", f"meter {answers[0].address} answered instead")
    begun = [at for at, byte in enumerate(received) if byte == _START and _length(received, at)]
    begun = [at for at in begun if at + 8 >= len(received) or received[at + 8] & _ANSWER]
    if any(at + _length(received, at) <= len(received) for at in begun):
        return BadAnswer("crc", f"wrong check sum or end in {_shown(received)}")
    if begun:
        return BadAnswer("short", f"half a frame: {_shown(received)}")
    if _is_noise(received, address):
        return BadAnswer("noise", f"no frame in {_shown(received)}")
    return Timeout("no answer")


def decode(frame: Frame, item: str) -> dict[str, Item]:
    """What an answer that find() found says about its item, or about each member of a block. Raises BadAnswer."""
    if frame.control & _ERROR:
        return {item: _refusal(frame.data)}
    if frame.control & _MORE:
        return {item: Refused(0, "the answer goes on in follow-up frames, which are not read")}
    data = frame.data[4:]
    if item[4:6] == "FF":
        return _members(item, data)
    if not 1 <= len(data) <= _WIDEST:
        raise BadAnswer("length", f"{len(data)} bytes for the number {item}")
    return {item: number(data, item)}


def items(request: bytes, response: bytes) -> dict[str, Item]:
    """One exchange, with or without wake-up bytes -> its items. Raises BadAnswer."""
    asked = next((frame for frame in frames(request) if frame.control == READ and len(frame.data) == 4), None)
    if asked is None:
        raise BadAnswer("header", f"no read request: {_shown(request)}")
    item = asked.data[::-1].hex().upper()
    frame = find(response, asked.address, item)
    if frame is None:
        raise _as_bad(explain(response, asked.address, item))
    return decode(frame, item)


def number(data: bytes, item: str) -> Item:
    """BCD, low byte first -> integer, or the error of a number that is none, as meters say FF for a missing phase."""
    digits = data[::-1].hex()
    negative = is_signed(item) and digits[0] in "89abcdef"
    if negative:
        digits = f"{int(digits[0], 16) - 8:x}{digits[1:]}"
    if not digits.isdecimal():
        return _no_number(f"{item} is no BCD number: {data[::-1].hex()}")
    return -int(digits) if negative else int(digits)


def bcd(raw: int, item: str) -> bytes:
    """number() the other way round. Raises ValueError where it does not fit, or where the item's width is not known."""
    width, signed = width_of(item), is_signed(item)
    if width is None or (raw < 0 and not signed) or abs(raw) >= (8 if signed else 10) * 10 ** (2 * width - 1):
        raise ValueError(f"{raw} does not fit into {item}")
    data = bytearray.fromhex(f"{abs(raw):0{2 * width}d}")
    if raw < 0:
        data[0] |= 0x80
    return bytes(reversed(data))


def width_of(item: str) -> int | None:
    """Bytes that the standard gives to an item, or to each member of a block; None where we do not know."""
    return _ENERGY_WIDTH if item[:2] == "00" else _WIDTHS.get(item) or _WIDTHS.get(item[:4])


def is_signed(item: str) -> bool:
    return item.startswith(_SIGNED)


def members_of(block: str, count: int) -> list[str]:
    """The identifiers of a block's members, in the order of its data: 0201FF00 -> 02010100, 02010200, 02010300."""
    first = 0 if block[:2] == "00" or block[:4] in _FROM_TOTAL else 1
    return [f"{block[:4]}{index:02X}{block[6:]}" for index in range(first, first + count)]


def _members(block: str, data: bytes) -> dict[str, Item]:
    width = width_of(block)
    if width is None or not data or len(data) % width:
        raise BadAnswer("length", f"{len(data)} bytes for the block {block}")
    parts = [data[at : at + width] for at in range(0, len(data), width)]
    names = members_of(block, len(parts))
    return {name: number(part, name) for name, part in zip(names, parts, strict=True)}


def _refusal(data: bytes) -> Refused:
    code = data[0] if data else 0
    why = ", ".join(reason for bit, reason in enumerate(_REASONS) if code >> bit & 1)
    return Refused(code, f"the meter refuses: {why or f'error {code:02X}'}")


def _no_number(detail: str) -> DeviceError:
    error = DeviceError(detail)
    error.quality = "range"
    return error


def _as_bad(error: DeviceError) -> BadAnswer:
    return error if isinstance(error, BadAnswer) else BadAnswer("short", str(error))


def _identifier(item: str) -> bytes:
    if len(item) != 8:
        raise ValueError(f"{item!r} is no data identifier of eight hexadecimal digits")
    return bytes.fromhex(item)[::-1]


def _length(received: bytes | bytearray, at: int) -> int:
    """Length of the frame that may begin here; 0 where none does."""
    head = received[at : at + 10]
    if len(head) > 7 and head[7] != _START:
        return 0
    if len(head) < 10:
        return OVERHEAD  # not known yet, and not here yet
    return head[9] + OVERHEAD if head[9] <= MOST_DATA else 0


def _is_whole(frame: bytes | bytearray) -> bool:
    return frame[-1] == _END and frame[-2] == sum(frame[:-2]) & 0xFF


def _frame(raw: bytes) -> Frame:
    data = bytes((byte - _SHIFT) & 0xFF for byte in raw[10:-2])
    return Frame(address=raw[1:7][::-1].hex().upper(), control=raw[8], data=data)


def _is_from(frame: Frame, address: str) -> bool:
    pairs = zip(frame.address, address, strict=True)
    return frame.is_answer and all(wanted in (digit, "A") for digit, wanted in pairs)


def _is_about(frame: Frame, item: str) -> bool:
    if frame.control == READ | _ANSWER | _ERROR:  # a refusal does not say of what
        return True
    return frame.control & ~_MORE == READ | _ANSWER and frame.data[:4] == _identifier(item)


def _is_noise(received: bytes | bytearray, address: str) -> bool:
    # an adapter that echoes gives back the request, which is not noise
    echo = any(not frame.is_answer and frame.address == address for frame in frames(received))
    return bool(received.strip(b"\xfe")) and not echo


def _shown(data: bytes | bytearray) -> str:
    return bytes(data[-32:]).hex(" ")
