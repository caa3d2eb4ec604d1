"""One MQTT session over one socket: connects, greets, sends, hears. What is said is the owner's business.

closed -> connecting -> (shaking, with TLS) -> greeting -> open -> closed
"""

import errno
import socket
import ssl
from typing import Protocol

from simulators.fleet import mqtt_bytes
from simulators.fleet.loop import READ, WRITE, Loop

READ_BYTES = 16 * 1024
MOST_WAITING = 1 << 20  # bytes that a broker leaves standing before the session is given up

CLOSED, CONNECTING, SHAKING, GREETING, OPEN = range(5)
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK)
_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Owner(Protocol):
    """Who hears what a session hears."""

    def opened(self) -> None: ...
    def acknowledged(self, packet_id: int) -> None: ...
    def received(self, topic: bytes, payload: bytes) -> None: ...
    def lost(self, reason: str) -> None: ...


class Session:
    """Nothing here waits. After `lost` it is closed, and `start` begins anew."""

    __slots__ = ("_greeting", "_in", "_loop", "_out", "_owner", "_socket", "state")

    def __init__(self, *, loop: Loop, owner: Owner) -> None:
        self.state = CLOSED
        self._loop = loop
        self._owner = owner
        self._socket: socket.socket | None = None
        self._in = b""
        self._out = b""
        self._greeting = b""

    def start(
        self, address: tuple[str, int], greeting: bytes, *, source: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        """Connects from `source` (an address of this machine; empty: any) and sends the greeting, a CONNECT.

        Raises OSError where there are no sockets left.
        """
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source:
                # the port is chosen when it is known where to: so each source has all ports for each destination
                connection.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
                connection.bind((source, 0))
            code = connection.connect_ex(address)
            if tls is not None and code in (0, *_UNDER_WAY):
                connection = tls.wrap_socket(connection, server_hostname=address[0], do_handshake_on_connect=False)
        except BaseException:
            connection.close()
            raise
        self._socket, self._greeting, self._in, self._out = connection, greeting, b"", b""
        self.state = CONNECTING
        self._loop.add(connection, self, READ | WRITE)
        if code not in (0, *_UNDER_WAY):
            self._lose(f"cannot connect: {errno.errorcode.get(code, code)}")

    def send(self, data: bytes) -> None:
        """At once, or as soon as the broker takes it. What was sent into a lost session is gone."""
        assert self._socket is not None
        if self._out:
            self._out += data
            if len(self._out) > MOST_WAITING:
                self._lose("the broker takes nothing any more")
            return
        try:
            sent = self._socket.send(data)
        except _LATER:
            sent = 0
        except OSError as error:
            self._lose(f"the connection broke: {error}")
            return
        if sent < len(data):
            self._out = data[sent:]
            self._loop.change(self._socket, READ | WRITE)

    def close(self, *, politely: bool = False) -> None:
        """politely: with DISCONNECT, so that the broker does not publish the will."""
        if self._socket is None:
            return
        if politely and self.state == OPEN and not self._out:
            self.send(mqtt_bytes.DISCONNECT)
        self._end()

    def ready(self, events: int) -> None:
        """The loop's call."""
        if self.state == OPEN:
            if events & ~WRITE:
                self._read()
            if events & WRITE and self._out:
                self._write()
        else:
            self._advance(events)

    def _advance(self, events: int) -> None:
        assert self._socket is not None
        if self.state == CONNECTING:
            if not events & WRITE:
                return
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._lose(f"cannot connect: {errno.errorcode.get(code, code)}")
                return
            self.state = SHAKING
        if self.state == SHAKING and self._shaken():
            self.state = GREETING
            self._loop.change(self._socket, READ)
            greeting, self._greeting = self._greeting, b""
            self.send(greeting)
        elif self.state == GREETING:
            if events & ~WRITE:
                self._read()
            if events & WRITE and self._out:
                self._write()

    def _shaken(self) -> bool:
        connection = self._socket
        if not isinstance(connection, ssl.SSLSocket):
            return True
        try:
            connection.do_handshake()
        except ssl.SSLWantReadError:
            self._loop.change(connection, READ)
            return False
        except ssl.SSLWantWriteError:
            self._loop.change(connection, READ | WRITE)
            return False
        except OSError as error:
            self._lose(f"TLS: {error}")
            return False
        return True

    def _write(self) -> None:
        assert self._socket is not None
        data, self._out = self._out, b""
        self._loop.change(self._socket, READ)
        self.send(data)

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(READ_BYTES)
        except _LATER:
            return
        except OSError as error:
            self._lose(f"the connection broke: {error}")
            return
        if not data:
            self._lose("the broker closed the connection")
            return
        if isinstance(self._socket, ssl.SSLSocket):
            while self._socket is not None and self._socket.pending():
                data += self._socket.recv(self._socket.pending())
        self._hear(self._in + data if self._in else data)

    def _hear(self, data: bytes) -> None:
        if len(data) == 4 and data[0] == mqtt_bytes.PUBACK and data[1] == 2:  # nearly all that comes
            self._in = b""
            self._owner.acknowledged(data[2] << 8 | data[3])
            return
        try:
            found, taken = mqtt_bytes.packets(data)
            self._in = data[taken:]
            for first, body in found:
                self._take(first, body)
                if self.state == CLOSED:  # what came has ended it
                    return
        except mqtt_bytes.Malformed as error:
            self._lose(f"the broker sent what is no MQTT: {error}")

    def _take(self, first: int, body: bytes) -> None:
        kind = first & 0xF0
        if kind == mqtt_bytes.PUBACK:
            self._owner.acknowledged(mqtt_bytes.acknowledged(body))
        elif kind == mqtt_bytes.PUBLISH:
            topic, payload, packet_id = mqtt_bytes.published(first, body)
            if packet_id:
                self.send(mqtt_bytes.puback(packet_id))
            self._owner.received(topic, payload)
        elif kind == mqtt_bytes.CONNACK:
            refused = mqtt_bytes.refusal(body)
            if refused:
                self._lose(f"the broker refuses us: {refused}")
                return
            self.state = OPEN
            self._owner.opened()

    def _lose(self, reason: str) -> None:
        self._end()
        self._owner.lost(reason)

    def _end(self) -> None:
        if self._socket is not None:
            self._loop.remove(self._socket)
            self._socket.close()
            self._socket = None
        self.state = CLOSED
