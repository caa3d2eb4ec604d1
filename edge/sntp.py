"""A guest: asks an NTP server for the time, once (RFC 4330; the packet: RFC 5905, section 7.3)."""

import asyncio
import os
import socket
import struct

_PORT = 123
_PACKET = 48
_TO_1970_S = 2_208_988_800  # between NTP's epoch and that of Unix (RFC 5905, figure 4)
_FROM_MS = 1_735_689_600_000  # 2025-01-01: what seems earlier is of the era that begins in 2036
_BEFORE_MS = 4_102_444_800_000  # 2100-01-01
_TRIES = 2
_WAIT_MS = 2000  # for an answer, which is wrong by half of that at most
_LOOK_S = 0.01


async def ask(server: str, ms) -> int:
    """server: name or address, with :port where it is not 123. ms: counts milliseconds. Returns UTC now, ms since 1970.

    Raises OSError: no network, or no answer that can be believed; "kiss" where the server wants to be left alone.
    """
    host, _, port = server.partition(":")
    address = socket.getaddrinfo(host, int(port or _PORT), socket.AF_INET, socket.SOCK_DGRAM)[0][-1]
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        peer.setblocking(False)
        peer.connect(address)  # what others send is not heard
        for _ in range(_TRIES):
            nonce = os.urandom(8)  # as our transmit time, which comes back: nobody else can know it
            peer.send(b"\x23" + bytes(39) + nonce)  # version 4, client
            sent = ms()
            while ms() - sent < _WAIT_MS:
                await asyncio.sleep(_LOOK_S)
                try:
                    answer = peer.recv(_PACKET)
                except OSError:  # nothing yet
                    continue
                if len(answer) == _PACKET and answer[24:32] == nonce and answer[0] & 7 == 4:
                    return read(answer, ms() - sent)
    finally:
        peer.close()
    raise OSError("silent")


def read(answer: bytes, took_ms: int) -> int:
    """A server's answer, and how long it took -> UTC when it came. Raises OSError."""
    if answer[1] == 0 and answer[12:16] in (b"DENY", b"RSTR", b"RATE"):  # RFC 5905, section 7.4
        raise OSError("kiss")
    if answer[0] >> 6 == 3 or not 0 < answer[1] <= 15:
        raise OSError("unsynchronised")
    received, sent = _ms(answer, 32), _ms(answer, 40)
    utc_ms = sent + max(0, took_ms - max(0, sent - received)) // 2
    if utc_ms >= _BEFORE_MS:
        raise OSError("year")
    return utc_ms


def _ms(answer: bytes, at: int) -> int:
    seconds, fraction = struct.unpack_from(">II", answer, at)
    ms = (seconds - _TO_1970_S) * 1000 + (fraction * 1000 >> 32)
    return int(ms if ms >= _FROM_MS else ms + (1000 << 32))
