"""The local central system of chargers: WebSockets that dial in at /<charge point id> (OCPP 1.6J), items OUT.

Hostile or broken chargers cost bounded memory: so many connections, each with one message of bounded size in work and
a bounded queue, a handshake within seconds, pings that find who is gone, and at most so many messages a second.
"""

import asyncio
import base64
import binascii
import contextlib
import hmac
import http
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from gateway.heard.ocpp_commands import FOLLOW_S, carry_out
from gateway.heard.ocpp_memory import Memory, Raw
from gateway.heard.ocpp_station import Durable, Heard, Station
from protocols.errors import LineDown
from wire.backoff import Backoff

log = structlog.get_logger("ocpp")

SUBPROTOCOL = "ocpp1.6"
MAX_MESSAGE = 64 * 1024  # bytes; a StopTransaction with all its values has 20,000
MAX_CONNECTIONS = 64
MAX_WAITING = 2  # messages of one charger that wait for us; a charger waits for its answer before it says more
MAX_ID = 48  # characters (OCPP 1.6 security whitepaper: an identity has 48)
OPEN_S, CLOSE_S, PING_S = 10.0, 2.0, 30.0
HEARTBEAT_S = 60.0
RETRY_S = (1.0, 30.0)
FIRST_TRANSACTION_S = 1_577_836_800  # 2020-01-01; ids count seconds since, so they go on after a restart

_quiet = logging.getLogger("multipole.websockets")
_quiet.setLevel(logging.CRITICAL + 1)  # it tells each failed handshake with a traceback


class OcppListener:
    """known: the charge points that may dial in, all where left out. port: the real one, where `listen` ends in 0."""

    def __init__(
        self,
        *,
        listen: str,
        password: str | None = None,
        known: Collection[str] | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        follow_s: float = FOLLOW_S,
        **station: Any,
    ) -> None:
        """station: settings, answer_s, introduce_s, as of Station."""
        host, _, port = listen.rpartition(":")
        self.port = int(port)
        self.refused = 0
        self._host = host.strip("[]")
        self._password = password.encode() if password else None
        self._known = {address.lower() for address in known} if known is not None else None
        self._heartbeat_s = heartbeat_s
        self._follow_s = follow_s
        self._station = station
        self._stations: dict[str, Station] = {}
        self._memories: OrderedDict[str, Memory] = OrderedDict()
        self._last_transaction = 0
        self._open: set[ServerConnection] = set()

    async def run(self, heard: Heard, durable: Durable) -> None:
        """Listens until cancelled; a port that is taken is tried again."""
        wait, said = Backoff(first=RETRY_S[0], most=RETRY_S[1]), False
        while True:
            try:
                async with self._server(heard, durable) as server:
                    self.port = next(iter(server.sockets)).getsockname()[1]
                    log.info("waiting for chargers", port=self.port)
                    try:
                        await asyncio.get_running_loop().create_future()
                    finally:
                        await self.close()
            except OSError as error:
                if not said:
                    log.error(
                        "cannot listen for chargers, trying on", host=self._host, port=self.port, error=str(error)
                    )
                said = True
            await asyncio.sleep(wait.next())

    async def tell(
        self, address: str, name: str, raw: Raw | None, *, before: Callable[[], None] = lambda: None
    ) -> None:
        """Raises LineDown where the charger is not connected, and whatever its answer means."""
        station = self._stations.get(address.lower())
        if station is None:
            raise LineDown("the charger is not connected")
        await carry_out(station, name, raw, follow_s=self._follow_s, before=before)

    async def close(self) -> None:
        """Ends all connections, in bounded time."""
        goodbyes = [asyncio.create_task(station.close("the gateway stops")) for station in self._stations.values()]
        if goodbyes:
            await asyncio.wait(goodbyes, timeout=CLOSE_S)
        for connection in list(self._open):
            connection.transport.abort()

    def _server(self, heard: Heard, durable: Durable) -> contextlib.AbstractAsyncContextManager[Server]:
        async def handler(connection: ServerConnection) -> None:
            await self._serve(connection, heard, durable)

        return serve(
            handler,
            self._host,
            self.port,
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
            process_request=self._admit,
            create_connection=self._connection(),
            compression=None,  # a few bytes could become many
            max_size=MAX_MESSAGE,
            max_queue=MAX_WAITING,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            logger=_quiet,
            server_header=None,
        )

    def _connection(self) -> type[ServerConnection]:
        held = self._open

        class Counted(ServerConnection):
            """One of a bounded number; it counts from the first byte on, so that dialling alone exhausts nothing."""

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                held.add(self)
                if len(held) > MAX_CONNECTIONS:
                    self.transport.abort()

            def connection_lost(self, exc: Exception | None) -> None:
                held.discard(self)
                super().connection_lost(exc)

        return Counted

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        address = address_of(request.path)
        if not address or (self._known is not None and address.lower() not in self._known):
            return self._refuse(connection, http.HTTPStatus.NOT_FOUND, address)
        if self._password is not None and not _has_password(request.headers, address, self._password):
            response = self._refuse(connection, http.HTTPStatus.UNAUTHORIZED, address)
            response.headers["WWW-Authenticate"] = 'Basic realm="chargers"'
            return response
        return None

    def _refuse(self, connection: ServerConnection, status: http.HTTPStatus, address: str) -> Response:
        self.refused += 1
        if self.refused <= 10 or self.refused % 1000 == 0:
            log.warning("a charger is refused", charger=address, status=int(status), refused=self.refused)
        return connection.respond(status, f"{status.phrase}\n")

    async def _serve(self, connection: ServerConnection, heard: Heard, durable: Durable) -> None:
        assert connection.request is not None
        address = address_of(connection.request.path)
        station = Station(
            address=address,
            socket=connection,
            memory=self._memory(address),
            heard=heard,
            durable=durable,
            heartbeat_s=self._heartbeat_s,
            **self._station,
        )
        before = self._stations.get(address.lower())
        self._stations[address.lower()] = station
        log.info("charger connected", charger=address, again=before is not None)
        closing = None
        if before is not None:
            before.replaced = True
            closing = asyncio.create_task(before.close("this charger dialled in again"))
        try:
            await station.run()
        except Exception as error:  # ours: one charger's message must not end the others, nor stay unseen
            log.exception("a charger's message was too much", charger=address, error=repr(error))
        finally:
            if self._stations.get(address.lower()) is station:
                del self._stations[address.lower()]
            if closing is not None:
                await closing
            log.info("charger gone", charger=address, bad=station.bad, late=station.late)

    def _memory(self, address: str) -> Memory:
        memory = self._memories.setdefault(address.lower(), Memory(next_transaction=self._next_transaction))
        self._memories.move_to_end(address.lower())
        while len(self._memories) > 2 * MAX_CONNECTIONS:
            self._memories.popitem(last=False)
        return memory

    def _next_transaction(self) -> int:
        self._last_transaction = max(self._last_transaction + 1, int(time.time()) - FIRST_TRANSACTION_S)
        return self._last_transaction


def address_of(path: str) -> str:
    """The charge point's id, which ends the path; "" where there is none. Some chargers dial //<id>."""
    try:
        address = unquote(urlsplit("/" + path.lstrip("/")).path.rstrip("/").rpartition("/")[2], errors="strict")
    except ValueError:
        return ""
    return address if 0 < len(address) <= MAX_ID and address.isascii() and address.isprintable() else ""


def _has_password(headers: Headers, address: str, password: bytes) -> bool:
    """HTTP basic authentication: the user is the charge point's id (OCPP-J 1.6, 6.2)."""
    kind, _, told = headers.get("Authorization", "").partition(" ")
    try:
        user, _, given = base64.b64decode(told.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return False
    same = hmac.compare_digest(given, password)
    return kind.lower() == "basic" and user.lower() == address.lower().encode() and same
