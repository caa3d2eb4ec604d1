"""SIP OPTIONS over UDP: an intercom's address IN, whether and how fast it answers OUT."""

import asyncio
import contextlib
import errno
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import cast
from urllib.parse import urlsplit

from protocols import sip
from protocols.errors import BadAnswer, DeviceError, LineDown, Refused, Timeout
from protocols.sip import Raw, Transaction

PORT = 5060
T1_S = 0.5  # RFC 3261, 17.1.1.1: the first repeat comes after it, each further one after twice as long
MOST_DATAGRAMS = 64  # that are read of one device for one request; provisional answers count too
_RESOLVE_S = 5.0
_OWN_NETWORK = (errno.ENETDOWN, errno.ENETUNREACH)


class SipAsker:
    """All intercoms of one bus; their addresses are host or host:port.

    An intercom that does not answer is measured as such: `alive` is False, and only what could not be measured
    (`status_code`, `round_trip_ms`) is an error. Nothing is measured while the gateway's own network is down.
    """

    one_by_one = False

    def __init__(self, *, wait: float = 4.0) -> None:
        """`wait` seconds for the final answer; the standard's 32 (64 × T1) are too long for a poll."""
        self._wait = wait
        self._sequence = 0

    async def ask(self, address: str, items: Sequence[str]) -> Mapping[str, Raw | DeviceError]:
        """alive, status_code, round_trip_ms, counted from the first sending. Raises LineDown."""
        exchange = await self._open(address)
        try:
            found = await exchange.run(self._wait)
        except LineDown:
            raise
        except DeviceError as error:
            return {"alive": False, "status_code": error, "round_trip_ms": error}
        finally:
            exchange.close()
        return sip.values(found) | {"round_trip_ms": exchange.round_trip_ms}

    async def tell(
        self, address: str, item: str, raw: Raw | None, *, before: Callable[[], None] = lambda: None
    ) -> None:
        """Raises Refused: an intercom takes no commands."""
        raise Refused(0, "an intercom takes no commands")

    async def close(self) -> None:
        """Nothing is open between two questions."""

    async def _open(self, address: str) -> "_Exchange":
        host, port = _split(address)
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        transaction = Transaction(branch=secrets.token_hex(8), call_id=secrets.token_hex(12), sequence=self._sequence)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_RESOLVE_S):
                _, exchange = await loop.create_datagram_endpoint(
                    lambda: _Exchange(transaction, host), remote_addr=(host, port)
                )
        except OSError as error:  # TimeoutError is one
            raise LineDown(f"{host}: {error.strerror or 'the name is not resolved in time'}") from None
        return exchange


def _split(address: str) -> tuple[str, int]:
    """host, host:port, [IPv6], [IPv6]:port -> (host, port)."""
    parts = urlsplit("//" + address)
    return parts.hostname or "", parts.port or PORT


class _Exchange(asyncio.DatagramProtocol):
    """One request on a socket of its own, connected, so that nobody else's datagrams come in."""

    def __init__(self, transaction: Transaction, host: str) -> None:
        self.round_trip_ms = 0.0
        self._transaction = transaction
        self._host = host
        self._transport: asyncio.DatagramTransport | None = None
        self._found: asyncio.Future[sip.Answer] = asyncio.get_running_loop().create_future()
        self._fault: DeviceError = Timeout("no answer")
        self._left = MOST_DATAGRAMS
        self._sent_at = 0.0

    async def run(self, wait: float) -> sip.Answer:
        """Send, repeat, and wait for the final answer. Raises DeviceError."""
        repeating = asyncio.create_task(self._send(), name=f"sip {self._host}")
        try:
            async with asyncio.timeout(wait):
                return await self._found
        except TimeoutError:
            raise self._fault from None
        finally:
            repeating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await repeating

    def close(self) -> None:
        """Close the socket."""
        self._found.cancel()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is open."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def error_received(self, error: Exception) -> None:
        """asyncio: the network says no; a device that just starts may answer the next repeat."""
        if isinstance(error, OSError) and error.errno in _OWN_NETWORK and not self._found.done():
            self._found.set_exception(LineDown(str(error.strerror)))
        elif isinstance(self._fault, Timeout):
            self._fault = Timeout(f"no answer: {error}")

    def datagram_received(self, datagram: bytes, address: tuple[str, int]) -> None:
        """asyncio: bytes came, from the device's own address and port."""
        if self._found.done():
            return
        self._left -= 1
        try:
            found = sip.answer(datagram)
            sip.check_answer(self._transaction, found)
        except BadAnswer as fault:
            self._fault = fault
        else:
            if found.is_final:
                self.round_trip_ms = round((asyncio.get_running_loop().time() - self._sent_at) * 1000, 1)
                self._found.set_result(found)
            else:
                self._fault = Timeout(f"no final answer; {found.code} {found.reason} came"[:80])
        if self._left == 0 and not self._found.done():
            self._found.set_exception(BadAnswer("noise", f"{MOST_DATAGRAMS} datagrams, and no final answer among them"))

    async def _send(self) -> None:
        assert self._transport is not None
        own_host, own_port = self._transport.get_extra_info("sockname")[:2]
        host, port = self._transport.get_extra_info("peername")[:2]
        request = sip.options(self._transaction, host=host, port=port, own_host=own_host, own_port=own_port)
        self._sent_at = asyncio.get_running_loop().time()
        pause = T1_S
        while True:
            self._transport.sendto(request)
            await asyncio.sleep(pause)
            pause *= 2
