"""What stands in a frame on the line of controllers, by name; docs/serial-uplink.md draws it.

The codec that controllers share is wire.frames. They know these numbers without names, to save memory.
"""

from dataclasses import dataclass

from wire import frames

NO_SESSION = b"\0\0"
HEAD = 6
CRC = 4
AROUND = 1 + 1 + HEAD + CRC + 1  # bytes of a frame without a fragment and time
TIME = 6
FRAGMENT = 232  # most bytes of a message in one frame
LONGEST = AROUND + TIME + FRAGMENT

# flags
ANSWER = 0x80  # from a controller; without it the gateway asks
FIRST = 0x40  # a message begins
HOLD = 0x20  # the message is here, and the broker has not taken it yet
TIMED = 0x10  # the time stands before the fragment

# A message on the line: its channel's place in frames.UP or frames.DOWN (1), its size (2), itself, CRC-32 of all (4).
MESSAGE_AROUND = 3 + CRC
DOWN_MOST = 1536  # bytes of a message that a controller has room for


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """number: of the fragment; came: of the last one that came from the other side. time_ms: since 1970 UTC."""

    address: int
    flags: int = 0
    session: bytes = NO_SESSION
    number: int = 0
    came: int = 0
    time_ms: int | None = None
    part: bytes = b""


def encode(frame: Frame) -> bytes:
    """As it stands on the line, with its delimiters."""
    flags = frame.flags | (TIMED if frame.time_ms is not None else 0)
    content = bytes((frame.address, flags)) + frame.session + bytes((frame.number, frame.came))
    if frame.time_ms is not None:
        content += frame.time_ms.to_bytes(TIME, "big")
    content += frame.part
    buffer = bytearray(2) + content + bytes(CRC + 1)
    return bytes(buffer[: frames.seal(buffer, 2 + len(content))])


def decode(data: bytes | bytearray) -> Frame | None:
    """What stood between two delimiters; None where it is damaged."""
    buffer = bytearray(data)
    content = bytes(buffer[1 : frames.unseal(buffer, 0, len(buffer))])
    if not content:
        return None
    flags, rest, time_ms = content[1], content[HEAD:], None
    if flags & TIMED:
        time_ms, rest = int.from_bytes(rest[:TIME], "big"), rest[TIME:]
    return Frame(
        address=content[0], flags=flags, session=content[2:4], number=content[4], came=content[5], time_ms=time_ms,
        part=rest,
    )  # fmt: skip
