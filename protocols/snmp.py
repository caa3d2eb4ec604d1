"""SNMP: what net-snmp prints (text IN, values OUT), and the little of a message that tells whose answer it is.

An item is an OID in digits, "1.3.6.1.2.1.1.3.0". Interfaces get other numbers when a device starts anew: the last arc
may name the interface instead. "1.3.6.1.2.1.31.1.1.1.6.[eth0]" is ifHCInOctets of whatever is called eth0 (ifName,
RFC 2863). A * as the last arc is the sum of a column, as the clients of all radios. With =1 behind it, an item is true
where the number is 1, as in up(1) of ifOperStatus and true(1) of a TruthValue, and false for any other.

Values are raw: TimeTicks in hundredths of a second, counters as they count, octets as text where they are text.
Sources: RFC 3416 (PDUs), RFC 3412 (version 3 messages), net-snmp's snmpcmd(1) for the text.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from protocols.errors import BadAnswer

Raw = int | float | bool | str | bytes

IF_NAME = "1.3.6.1.2.1.31.1.1.1.1"  # ifName, RFC 2863
MAX_TEXT = 1 << 20

_ITEM = re.compile(r"[012](?:\.\d{1,10}){1,126}(?:\.\*|\.\[[^\[\]\s]{1,64}\])?(?:=1)?", re.ASCII)
_ASKED = re.compile(r"(?<![\w.])\.?([012](?:\.\d{1,10}){4,126})(?![\w.])", re.ASCII)
_LINE = re.compile(r"(?:\.?([012](?:\.\d{1,10}){1,126})|iso((?:\.\d{1,10}){1,126})) = (.*)", re.ASCII | re.DOTALL)
_INTEGER = re.compile(r"(?:[^()\s]*\()?(-?\d{1,20})\)?(?:\s\S.*)?", re.ASCII | re.DOTALL)
_TICKS = re.compile(r"\((\d{1,10})\) .*", re.ASCII | re.DOTALL)
_ABSENT = ("No Such Object", "No Such Instance", "No more variables", "NULL")
_NUMBERS = ("INTEGER", "Integer32", "UInt32", "Unsigned32", "Counter", "Counter32", "Counter64", "Gauge", "Gauge32")
_TEXTS = ("OID", "IpAddress", "Network Address")
_VERSION_3 = 3
_OPAQUE_FLOAT, _OPAQUE_DOUBLE = b"\x9f\x78\x04", b"\x9f\x79\x08"  # net-snmp's floats inside an Opaque


@dataclass(frozen=True, kw_only=True)
class Item:
    """What an item's name says. interface: its name, where the OID lacks the last arc. is_sum: *. is_one: =1."""

    oid: str
    interface: str | None
    is_sum: bool
    is_one: bool

    def at(self, numbers: Mapping[str, str]) -> str | None:
        """The OID in full, by the numbers of the interfaces; None where there is no such interface."""
        if self.interface is None:
            return self.oid
        return f"{self.oid}.{numbers[self.interface]}" if self.interface in numbers else None

    def told(self, raw: Raw) -> Raw:
        """What the item says where the OID has this value."""
        return raw == 1 if self.is_one else raw


def item(name: str) -> Item:
    """An item's name -> what it says. Raises ValueError."""
    if _ITEM.fullmatch(name) is None:
        raise ValueError(f"{name} is no item of SNMP")
    plain = name.removesuffix("=1")
    oid, _, interface = plain.removesuffix("]").partition(".[")
    column = oid.removesuffix(".*")
    return Item(oid=column, interface=interface or None, is_sum=column != oid, is_one=plain != name)


def octets(value: bytes) -> str | bytes:
    """Octets as the text that they are, or as they are. A zero at the end, which some agents send, is no text."""
    try:
        text = value.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return value
    return text if all(one.isprintable() or one in "\r\n\t" for one in text) else value


def opaque(value: bytes) -> float | bytes:
    """The float or double that net-snmp packs into an Opaque, or the octets."""
    if value[:3] == _OPAQUE_FLOAT and len(value) == 7:
        return _short(struct.unpack(">f", value[3:])[0])
    if value[:3] == _OPAQUE_DOUBLE and len(value) == 11:
        return float(struct.unpack(">d", value[3:])[0])
    return value


def _short(number: float) -> float:
    return float(f"{number:.7g}")


def items(request: bytes, response: bytes) -> dict[str, Raw]:
    """What `snmpget -On` or `snmpwalk -On` printed -> value of each item. What the device does not have is left out.

    `request` holds the OIDs that were asked (the command line will do) and may be empty. Where the text tells names of
    interfaces (ifName), the items of those interfaces are there by name too. Raises BadAnswer.
    """
    if len(response) > MAX_TEXT:
        raise BadAnswer("length", f"{len(response)} bytes of text; at most {MAX_TEXT} are read")
    asked = [found[1] for found in _ASKED.finditer(request.decode("utf-8", "replace"))]
    values: dict[str, Raw] = {}
    for line in _lines(response.decode("utf-8", "replace")):
        oid, text = _split(line)
        if asked and not any(oid == one or oid.startswith(one + ".") for one in asked):
            raise BadAnswer("late", f"{oid} was not asked for")
        if not text.startswith(_ABSENT):
            values[oid] = _value(oid, text)
    if not values and not response.strip():
        raise BadAnswer("short", "nothing was printed")
    values |= _by_name(values) | _sums(values)
    return values | {f"{oid}=1": value == 1 for oid, value in values.items() if isinstance(value, int)}


def _lines(text: str) -> Iterator[str]:
    # a text value may hold line breaks, and long octets are broken: what starts with no OID goes on with the last line
    current = ""
    for line in text.splitlines():
        if _LINE.fullmatch(line) or "::" in line.split(" ", 1)[0]:
            if current:
                yield current
            current = line
        elif current:
            current += "\n" + line
        elif line.strip():
            raise BadAnswer("noise", f"no OID: {line[:60]!r}")
    if current:
        yield current


def _split(line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadAnswer("noise", f"no OID in digits, print them with -On: {line[:60]!r}")
    return match[1] or "1" + match[2], match[3].strip()


def _value(oid: str, text: str) -> Raw:
    if text.startswith("Wrong Type"):
        text = text.partition("): ")[2]
    kind, _, rest = text.partition(": ")
    value = _typed(kind.rstrip(":"), rest)
    if value is None:
        raise BadAnswer("noise", f"{oid}: not understood: {text[:60]!r}")
    return value


def _typed(kind: str, rest: str) -> Raw | None:
    if kind == '""':
        return ""
    if kind in _NUMBERS or kind == "Timeticks":
        match = (_TICKS if kind == "Timeticks" else _INTEGER).fullmatch(rest)
        return int(match[1]) if match else None
    if kind == "STRING":
        return _unquoted(rest)
    if kind in ("Hex-STRING", "BITS"):
        return _hex(rest)
    if kind == "Opaque":
        return _float(rest)
    return rest.removeprefix(".").removeprefix("iso.") if kind in _TEXTS and rest else None


def _unquoted(text: str) -> str:
    if len(text) < 2 or not (text[0] == text[-1] == '"'):
        return text  # printed with a display hint, as a MAC address
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _hex(text: str) -> bytes | None:
    digits = re.match(r"(?:[0-9A-Fa-f]{2}(?:\s+|$))*", text, re.ASCII)  # BITS go on with the names of the bits
    return bytes.fromhex(digits[0]) if digits and digits[0] else None


def _float(text: str) -> float | None:
    match = re.fullmatch(r"(?:Float|Double): (-?\d{1,40}(?:\.\d{1,20})?)", text, re.ASCII)
    return float(match[1]) if match else None


def _by_name(values: Mapping[str, Raw]) -> dict[str, Raw]:
    prefix = IF_NAME + "."
    names = {
        oid.removeprefix(prefix): str(name) for oid, name in values.items() if oid.startswith(prefix) and name != ""
    }
    found = ((*oid.rpartition("."), value) for oid, value in values.items())
    return {f"{head}.[{names[last]}]": value for head, _, last, value in found if last in names}


def _sums(values: Mapping[str, Raw]) -> dict[str, Raw]:
    sums: dict[str, Raw] = {}
    for oid, value in values.items():
        if isinstance(value, int):
            column = oid.rpartition(".")[0] + ".*"
            sums[column] = int(sums.get(column, 0)) + value
    return sums


def message_id(datagram: bytes) -> int:
    """The number by which a message and its answer know each other: msgID of version 3, else the PDU's request-id.

    Reads the head alone, so that what nobody waits for costs nothing. Raises BadAnswer.
    """
    tag, start, end = _header(datagram, 0, len(datagram))
    if tag != 0x30 or end != len(datagram):
        raise BadAnswer("length", f"no SNMP message: {datagram[:8].hex(' ')}")
    version, start = _integer(datagram, start, end)
    tag, inner, after = _header(datagram, start, end)
    if version != _VERSION_3:  # community, then the PDU
        tag, inner, after = _header(datagram, after, end)
        if tag & 0xE0 != 0xA0:
            raise BadAnswer("header", f"no PDU where one belongs: tag {tag:#x}")
    elif tag != 0x30:
        raise BadAnswer("header", f"no header of version 3: tag {tag:#x}")
    return _integer(datagram, inner, after)[0]


def _integer(data: bytes, start: int, end: int) -> tuple[int, int]:
    tag, inner, after = _header(data, start, end)
    if tag != 0x02 or not 1 <= after - inner <= 5:
        raise BadAnswer("header", f"no number at byte {start}")
    return int.from_bytes(data[inner:after], "big", signed=True), after


def _header(data: bytes, start: int, end: int) -> tuple[int, int, int]:
    """(tag, first byte of the content, byte after it) of the BER element at `start`, which ends within `end`."""
    if start + 2 > end:
        raise BadAnswer("short", f"{len(data)} bytes end before the message does")
    tag, length, inner = data[start], data[start + 1], start + 2
    if length & 0x80:
        inner += length & 0x7F
        if length == 0x80 or length > 0x84 or inner > end:
            raise BadAnswer("length", f"no length at byte {start + 1}")
        length = int.from_bytes(data[start + 2 : inner], "big")
    if inner + length > end:
        raise BadAnswer("short", f"{len(data)} bytes end before the message does")
    return tag, inner, inner + length
