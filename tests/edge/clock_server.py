"""NTP servers on loopback, good and bad ones, each on a port of its own."""

import socket
import struct
import threading
import time

TO_1970_S = 2_208_988_800
ERA = 1 << 32


def stamp(utc_s):
    """64 bits, as RFC 5905 has them."""
    whole = int(utc_s)
    return struct.pack(">II", (whole + TO_1970_S) % ERA, int((utc_s - whole) * ERA))


def answer(asked, *, first=0x24, stratum=2, reference=b"\x7f\x7f\x01\x01", utc_s=None, origin=None):
    now = stamp(time.time() if utc_s is None else utc_s)
    return bytes((first, stratum, 6, 0xE9)) + bytes(8) + reference + now + (origin or asked[40:48]) + now + now


KINDS = {
    "good": lambda asked: [answer(asked)],
    "version 3": lambda asked: [answer(asked, first=0x1C)],
    "of 2040": lambda asked: [answer(asked, utc_s=2_208_988_800)],
    "of 1999": lambda asked: [answer(asked, utc_s=922_000_000)],
    "rate": lambda asked: [answer(asked, first=0xE4, stratum=0, reference=b"RATE")],
    "deny": lambda asked: [answer(asked, first=0xE4, stratum=0, reference=b"DENY")],
    "just started": lambda asked: [answer(asked, first=0xE4, stratum=0, reference=b"INIT")],
    "unsynchronised": lambda asked: [answer(asked, first=0xE4)],
    "stratum 16": lambda asked: [answer(asked, stratum=16)],
    "client": lambda asked: [answer(asked, first=0x23)],
    "somebody else's": lambda asked: [answer(asked, origin=b"whatever")],
    "short": lambda asked: [answer(asked)[:47], b""],
    "silent": lambda asked: [],
    "guessing": lambda asked: [answer(asked, origin=bytes(8), utc_s=1_800_000_000), b"x" * 500, answer(asked)],
}


class Servers:
    """ports: kind -> port. As a context manager."""

    def __enter__(self):
        self._open = True
        self._sockets = {}
        for kind in KINDS:
            self._sockets[kind] = each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            each.bind(("127.0.0.1", 0))
            each.settimeout(0.1)
            threading.Thread(target=self._serve, args=(each, KINDS[kind]), daemon=True).start()
        self.ports = {kind: each.getsockname()[1] for kind, each in self._sockets.items()}
        return self

    def _serve(self, each, answers):
        while self._open:
            try:
                asked, whom = each.recvfrom(500)
            except TimeoutError:
                continue
            except OSError:
                return
            for packet in answers(asked):
                each.sendto(packet, whom)

    def __exit__(self, *_):
        self._open = False
        for each in self._sockets.values():
            each.close()
