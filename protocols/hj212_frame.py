"""The envelope of HJ 212: ## + length + body + check sum + CR LF, split from a stream and put around a body.

    ##0101QN=…&&1C80<CR><LF>

The length is four decimal digits and counts the body's bytes; the check sum is four hexadecimal digits over the body
(HJ 212-2017, 6.3 and annex A). 2005 and 2017 have the same envelope.
"""

import re

from protocols.errors import BadAnswer

MOST_BODY = 4096  # the standard says 1,024; stations in the field send more
MOST_WAITING = MOST_BODY + 10  # bytes that may wait for the rest of their frame

_HEAD, _TAIL = b"##", b"\r\n"
_AROUND = 10  # ##, length, check sum
_LENGTH = re.compile(rb"##(\d{4})")
_PASSWORD = re.compile(rb"(PW\s*=)[^;]*", re.IGNORECASE)
_NEXT = re.compile(rb"\r\n|##(?=\d|\Z)|#\Z")  # where a broken frame may end


def _shifted(register: int) -> int:
    for _ in range(8):
        register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return register


_SHIFTED = [_shifted(low) for low in range(256)]


def crc(body: bytes) -> int:
    """Annex A. It is not Modbus': the register is shifted down by a byte before the next byte is mixed in."""
    register = 0xFFFF
    for byte in body:
        register = register >> 8 ^ byte
        register = register >> 8 ^ _SHIFTED[register & 0xFF]
    return register


def wrap(body: bytes) -> bytes:
    """A whole frame. Raises ValueError where the body is too long for its four digits."""
    if len(body) > 9999:
        raise ValueError(f"{len(body)} bytes do not fit into a frame")
    return b"##%04d%s%04X\r\n" % (len(body), body, crc(body))


class Splitter:
    """Bytes as they arrive IN, bodies OUT. A body never holds CR LF, so a broken frame ends where its line does."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes that wait for more; at most MOST_WAITING."""
        return len(self._waiting)

    def feed(self, data: bytes) -> list[bytes | BadAnswer]:
        """Bodies with a right check sum, and what is wrong with the others, in the order of the stream."""
        self._waiting += data
        found: list[bytes | BadAnswer] = []
        while (one := self._next()) is not None:
            found.append(one)
        return found

    def _next(self) -> bytes | BadAnswer | None:
        begin = self._waiting.find(_HEAD)
        if begin != 0:
            noise = self._take(begin if begin > 0 else len(self._waiting) - self._waiting.endswith(b"#"))
            if noise.strip():  # the line ends of the frame before are none
                return BadAnswer("noise", f"no frame: {shown(noise)}")
        if len(self._waiting) < 6:
            return None
        match = _LENGTH.match(self._waiting)
        length = int(match[1]) if match else MOST_BODY + 1
        if length > MOST_BODY:
            return BadAnswer("length", f"no length of a frame: {shown(self._drop())}")
        return self._whole(length)

    def _whole(self, length: int) -> bytes | BadAnswer | None:
        end = length + _AROUND
        line = self._waiting.find(_TAIL, 0, end)
        if line >= 0:
            return BadAnswer("length", f"the frame ends before its length: {shown(self._drop())}")
        if len(self._waiting) < end:
            return None
        body, said = bytes(self._waiting[6 : end - 4]), bytes(self._waiting[end - 4 : end])
        if said.upper() != b"%04X" % crc(body):
            return BadAnswer("crc", f"wrong check sum: {shown(self._drop())}")
        self._take(end)
        return body

    def _drop(self) -> bytes:
        """A broken frame: up to its line's end, or to what may be the next one's head."""
        end = _NEXT.search(self._waiting, 1)
        return self._take(end.start() if end else len(self._waiting))

    def _take(self, count: int) -> bytes:
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        return taken


def shown(data: bytes, most: int = 48) -> str:
    """A beginning for a log line, without the station's password."""
    told = _PASSWORD.sub(rb"\1***", data[: 2 * most])
    return repr(told[:most])[2:-1] + ("…" if len(told) > most else "")
