"""POST requests to one server, several at once, in the event loop: with a thread for each, Python's lock went back and
forth at each of its system calls.

References are to RFC 9112. The codec is `h11`; this is the input and output around it.
"""

import asyncio
import contextlib
import ssl
import time
from urllib.parse import urlsplit

import h11

from ingest.dialects import Answer
from ingest.errors import IngestError, Unavailable

CONNECT_S, ANSWER_S = 3.0, 15.0
MAX_ANSWER_BYTES = 200_000  # of which the first are read: an error message
READ_BYTES = 64 * 1024
IDLE, IDLE_S = 4, 30.0  # connections that are kept while nothing is sent; a firewall forgets older ones without a word


class _Gone(Exception):
    """The connection is of no use: the server ended it before it answered, or said what nobody had asked."""


class Posts:
    """To one URL. Raises Unavailable where no whole answer comes, and at once IngestError for what no request can hold;
    `name` stands before the reason."""

    def __init__(self, *, name: str, url: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        self._name = name
        self._host = parts.hostname or ""
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._target = parts.path + (f"?{parts.query}" if parts.query else "")
        self._headers = [("Host", parts.netloc.rpartition("@")[2]), *headers.items()]
        self._idle: list[tuple[_Connection, float]] = []  # and since when
        try:
            h11.Request(method="POST", target=self._target, headers=self._headers)
        except (h11.ProtocolError, UnicodeError):
            raise IngestError(f"{name}: its address or its token has a character that HTTP does not allow") from None

    async def send(self, body: bytes, *, encoding: str | None = None) -> Answer:
        headers = [*self._headers, ("Content-Length", str(len(body)))]
        if encoding is not None:
            headers.append(("Content-Encoding", encoding))
        request = h11.Request(method="POST", target=self._target, headers=headers)
        try:
            return await self._sent(request, body)
        except TimeoutError as error:
            raise Unavailable(f"{self._name}: no answer within {ANSWER_S:g} s") from error
        except (OSError, h11.ProtocolError, _Gone) as error:
            raise Unavailable(f"{self._name}: {error}") from error

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()

    async def _sent(self, request: h11.Request, body: bytes) -> Answer:
        while self._idle:
            connection, since = self._idle.pop()
            if time.monotonic() - since > IDLE_S:
                connection.close()
                continue
            with contextlib.suppress(_Gone, ConnectionError):  # a server ends what was idle for long
                return await self._through(connection, request, body)
        return await self._through(await self._connected(), request, body)

    async def _connected(self) -> "_Connection":
        try:
            async with asyncio.timeout(CONNECT_S):
                return _Connection(*await asyncio.open_connection(self._host, self._port, ssl=self._tls))
        except TimeoutError as error:
            raise OSError(f"no connection within {CONNECT_S:g} s") from error

    async def _through(self, connection: "_Connection", request: h11.Request, body: bytes) -> Answer:
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await connection.send(request, body)
        except BaseException:
            connection.close()
            raise
        if connection.may_be_used_again() and len(self._idle) < IDLE:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()
        return answer


class _Connection:
    """One request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=READ_BYTES)

    async def send(self, request: h11.Request, body: bytes) -> Answer:
        """Reads while it still writes: who takes no more of it may say so at once (section 9.5)."""
        if self._reader.at_eof():
            raise _Gone("it closed the connection")
        if self._reader._buffer:  # type: ignore[attr-defined]  # it is no answer to what is not asked yet (6.3)
            raise _Gone("it spoke before it was asked")
        told = [self._http.send(request), self._http.send(h11.Data(data=body)), self._http.send(h11.EndOfMessage())]
        self._writer.write(b"".join(part for part in told if part))
        status, headers, text = 0, {}, b""
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status, headers = event.status_code, dict(event.headers)
            elif isinstance(event, h11.Data):
                text += event.data
                if len(text) > MAX_ANSWER_BYTES:
                    break
        told_text = text[:MAX_ANSWER_BYTES].decode(errors="replace").strip()
        return Answer(status, told_text, headers.get(b"retry-after", b"").decode("latin-1"))

    def may_be_used_again(self) -> bool:
        """True where both have said all; then it is ready for the next request."""
        unsent = self._writer.transport.get_write_buffer_size()
        more = self._http.trailing_data[0] or self._reader.at_eof()
        if self._http.our_state is self._http.their_state is h11.DONE and not unsent and not more:
            self._http.start_next_cycle()
            return True
        return False

    def close(self) -> None:
        """At once: who reads no more would keep what is unsent, and the connection with it, for as long."""
        self._writer.transport.abort()

    async def _event(self) -> h11.Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            data = await self._reader.read(READ_BYTES)
            if not data and self._http.their_state is h11.SEND_RESPONSE and not self._http.trailing_data[0]:
                raise _Gone("it closed the connection")
            self._http.receive_data(data)
        assert not isinstance(event, type)  # paused it is never: we ask for one answer
        return event
