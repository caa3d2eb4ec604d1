"""Frames on a serial line between a gateway and its controllers; docs/serial-uplink.md draws one.

On the line: 00, content and CRC-32 in COBS (Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999), 00.
"""

from binascii import crc32

# A frame with numbers for names of channels: their places in these. What comes new is added at the end.
UP = ("connect", "status", "birth", "event", "telemetry", "backfill", "reply", "fetch")
DOWN = ("stored", "command", "config", "release", "chunk")

RIGHT = 0x2144DF1C  # the CRC-32 of whatever is followed by its own CRC-32, low byte first


def seal(buffer: bytearray, end: int) -> int:
    """Content in buffer[2:end], at most 249 bytes -> frame in buffer[:n]. Gives n, at most 256."""
    last = end + 4
    buffer[end:last] = crc32(memoryview(buffer)[2:end]).to_bytes(4, "little")
    buffer[0] = buffer[last] = 0
    code = 1
    while code < last:
        zero = buffer.find(b"\0", code + 1)
        buffer[code] = zero - code
        code = zero
    return last + 1


def unseal(buffer: bytearray, start: int, end: int) -> int:
    """What lies between two delimiters, buffer[start:end] -> content in buffer[start + 1:n]. Gives n, 0 if damaged."""
    code = start
    while code < end and buffer[code]:
        step = buffer[code]
        buffer[code] = 0
        code += step
    if code != end or end - start < 11 or crc32(memoryview(buffer)[start + 1 : end]) != RIGHT:
        return 0  # 11: COBS's first code, six bytes of head, four of the checksum
    return end - 4
