"""A broker that lies: on each connection it takes the client and its subscription, and then sends its next script.

What it is asked after that it answers as it should, so that a client which is still there can show it.
"""

import contextlib
import socket
import socketserver
import threading

CONNACK = b"\x20\2\0\0"


def string(data):
    return len(data).to_bytes(2, "big") + data


def publish(topic, payload, *, number=None, flags=0):
    """A PUBLISH as it should be; QoS 1 with a number."""
    body = string(topic) + (number.to_bytes(2, "big") if number is not None else b"") + payload
    return bytes([0x30 | flags | (2 if number is not None else 0)]) + length(len(body)) + body


def length(size):
    out = bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([*out, size])


class HostileBroker(socketserver.ThreadingTCPServer):
    """scripts: (bytes, whether it hangs up after them). `with HostileBroker(…) as broker:`; broker.port, broker.seen.

    seen: for each connection the kinds and numbers of what it got after the subscription.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, scripts):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = self.server_address[1]
        self.scripts = iter(scripts)
        self.seen = []
        threading.Thread(target=self.serve_forever, daemon=True, args=[0.05]).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _Handler(socketserver.StreamRequestHandler):
    timeout = 20
    disable_nagle_algorithm = True

    def handle(self):
        script, hangs_up = next(self.server.scripts, (b"", False))
        seen = []
        self.server.seen.append(seen)
        with contextlib.suppress(OSError, EOFError):
            self._packet()
            self.wfile.write(CONNACK)
            _, body = self._packet()
            self.wfile.write(b"\x90\3" + body[:2] + b"\1" + script)
            if hangs_up:
                self.connection.shutdown(socket.SHUT_WR)  # and takes what comes: a reset could overtake the script
                while self.rfile.read1():
                    pass
            while not hangs_up:
                kind, body = self._packet()
                if kind >> 4 == 3:
                    number = body[2 + int.from_bytes(body[:2], "big") :][:2]
                    self.wfile.write(b"\x40\2" + number)
                    seen.append((3, int.from_bytes(number, "big")))
                elif kind == 0x40:
                    seen.append((4, int.from_bytes(body, "big")))
                elif kind == 0xC0:
                    self.wfile.write(b"\xd0\0")
                elif kind == 0xE0:
                    return

    def _packet(self):
        kind, size, shift = self._bytes(1)[0], 0, 0
        while True:
            byte = self._bytes(1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return kind, self._bytes(size)

    def _bytes(self, count):
        data = self.rfile.read(count)
        if len(data) < count:
            raise EOFError
        return data
