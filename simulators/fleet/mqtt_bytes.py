"""MQTT 3.1.1 as bytes: what a node says and hears. References are to the OASIS standard of 2014.

A codec of our own, because ten thousand sessions in one process pay for each object: `mqtt5` speaks MQTT 5 alone.
"""

from collections.abc import Iterator
from struct import Struct

DISCONNECT = b"\xe0\x00"
CONNACK, PUBLISH, PUBACK, SUBACK = 0x20, 0x30, 0x40, 0x90  # the high half of the first byte
MOST_BYTES = 1 << 20  # nobody sends a node more; a length beyond it is damage

_SHORT = Struct("!H")
_ACK = Struct("!BBH")
_PROTOCOL = b"\x00\x04MQTT\x04"
_CLEAN, _WILL, _WILL_QOS1, _WILL_RETAIN, _PASSWORD, _USER = 0x02, 0x04, 0x08, 0x20, 0x40, 0x80


class Malformed(ValueError):
    """What came is no MQTT."""


def connect(
    client_id: str, *, user: str, password: str, keep_alive_s: int, will: tuple[bytes, bytes] | None = None
) -> bytes:
    """CONNECT with a clean session: a node keeps its packs itself. will: (topic, payload), retained, QoS 1."""
    flags = _CLEAN | _USER | _PASSWORD | (_WILL | _WILL_QOS1 | _WILL_RETAIN if will else 0)
    body = _PROTOCOL + bytes([flags]) + _SHORT.pack(keep_alive_s) + _text(client_id.encode())
    for part in (*(will or ()), user.encode(), password.encode()):
        body += _text(part)
    return b"\x10" + length(len(body)) + body


def subscribe(packet_id: int, filters: list[bytes]) -> bytes:
    """SUBSCRIBE, each at QoS 1."""
    body = _SHORT.pack(packet_id) + b"".join(_text(each) + b"\x01" for each in filters)
    return b"\x82" + length(len(body)) + body


def publish(topic: bytes, payload: bytes, packet_id: int, *, retain: bool = False) -> bytes:
    """PUBLISH at QoS 1; packet_id 1 to 65535."""
    size = length(4 + len(topic) + len(payload))
    head = b"\x33" if retain else b"\x32"
    return b"".join((head, size, _SHORT.pack(len(topic)), topic, _SHORT.pack(packet_id), payload))


def puback(packet_id: int) -> bytes:
    """The receipt for a publish at QoS 1."""
    return _ACK.pack(PUBACK, 2, packet_id)


def packets(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """((first byte, body) of each whole packet, bytes that they took). Raises Malformed."""
    found = []
    at, end = 0, len(data)
    while at + 2 <= end:
        size, body = data[at + 1], at + 2
        if size & 0x80:
            size, body = _long_length(data, at + 1)
            if body < 0:
                break
        if body + size > end:
            break
        found.append((data[at], data[body : body + size]))
        at = body + size
    return found, at


def published(first: int, body: bytes) -> tuple[bytes, bytes, int]:
    """PUBLISH -> (topic, payload, packet id; 0 at QoS 0). Raises Malformed."""
    size = _number(body, 0)
    at = 2 + size
    if not first & 0x06:
        packet_id = 0
    else:
        packet_id = _number(body, at)
        at += 2
    if at > len(body):
        raise Malformed("a topic is longer than its packet")
    return body[2 : 2 + size], body[at:], packet_id


def acknowledged(body: bytes) -> int:
    """PUBACK, SUBACK -> packet id. Raises Malformed."""
    return _number(body, 0)


def refusal(body: bytes) -> str | None:
    """CONNACK -> why the broker refuses (table 3.1); None: it does not. Raises Malformed."""
    if len(body) != 2:
        raise Malformed("CONNACK has two bytes")
    reasons = {
        1: "protocol version",
        2: "client id",
        3: "server unavailable",
        4: "user or password",
        5: "not authorised",
    }
    return reasons.get(body[1], f"code {body[1]}") if body[1] else None


def length(size: int) -> bytes:
    """The remaining length: seven bits a byte, lowest first (section 2.2.3)."""
    if size < 128:
        return bytes((size,))
    if size < 128 * 128:  # a pack
        return bytes((size & 0x7F | 0x80, size >> 7))
    return bytes(_digits(size))


def _digits(size: int) -> Iterator[int]:
    while size >= 128:
        yield size & 0x7F | 0x80
        size >>= 7
    yield size


def _long_length(data: bytes, at: int) -> tuple[int, int]:
    """(length, where the body begins; -1: not all of the length is there yet)."""
    size = 0
    for place in range(4):
        if at + place >= len(data):
            return 0, -1
        byte = data[at + place]
        size |= (byte & 0x7F) << 7 * place
        if byte < 128:
            if size > MOST_BYTES:
                break
            return size, at + place + 1
    raise Malformed("a packet is longer than anything that a node is sent")


def _number(body: bytes, at: int) -> int:
    if at + 2 > len(body):
        raise Malformed("a packet is shorter than its kind")
    return body[at] << 8 | body[at + 1]


def _text(text: bytes) -> bytes:
    return _SHORT.pack(len(text)) + text
