"""`/healthz`, `/readyz` and `/metrics`, for whoever watches. Read only; one request a connection."""

import asyncio
import errno
import json
from collections.abc import Callable

import structlog

from ingest.errors import IngestError

TIMEOUT_S = 5.0
MAX_HEADER_BYTES = 16 * 1024

log = structlog.get_logger("ingest")

Page = Callable[[], tuple[int, str, bytes]]  # -> status, content type, body


class Http:
    def __init__(self, *, host: str, port: int, pages: dict[str, Page]) -> None:
        self.port = port
        self._host = host
        self._pages = pages
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens; port 0 becomes a free one, which `port` then tells. Raises IngestError."""
        try:
            self._server = await asyncio.start_server(
                self._serve, self._host.strip("[]"), self.port, limit=MAX_HEADER_BYTES
            )
        except OSError as error:
            raise IngestError(f"http: {taken(f'{self._host}:{self.port}', error)}") from error
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("http", url=f"http://{self._host}:{self.port}", pages=sorted(self._pages))

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that does not ask properly gets no answer
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        path = words[1].partition("?")[0] if len(words) == 3 else ""
        if words[0] not in ("GET", "HEAD"):
            status, kind, body = 405, "text/plain", b"only GET\n"
        elif path in self._pages:
            status, kind, body = self._pages[path]()
        else:
            status, kind, body = 404, "text/plain", f"try {', '.join(sorted(self._pages))}\n".encode()
        header = f"HTTP/1.1 {status} {_PHRASES[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        return (header + "Connection: close\r\n\r\n").encode() + (b"" if words[0] == "HEAD" else body)


_PHRASES = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


def taken(address: str, error: OSError) -> str:
    """Why nobody can listen there, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return f"{address} is taken. Name another port in `http`, or end what listens there."
    if error.errno == errno.EACCES:
        return f"{address}: ports below 1024 are the system's. Name another port in `http`."
    return f"{address} is no address of this machine. Name one in `http`, as 127.0.0.1 or 0.0.0.0 for all."


def alive() -> tuple[int, str, bytes]:
    """What `/healthz` answers: that it does is the answer. Who waits for the store is not mended by a restart."""
    return 200, "application/json", b'{"status": "ok"}\n'


def ready(waiting_for: list[str]) -> tuple[int, str, bytes]:
    """What `/readyz` answers: 200 when nothing is waited for, else 503 and what it is."""
    body = {"status": "waiting" if waiting_for else "ok", "waiting_for": waiting_for}
    return (503 if waiting_for else 200), "application/json", json.dumps(body).encode() + b"\n"
