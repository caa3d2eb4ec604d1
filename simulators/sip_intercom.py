"""A SIP intercom on a loopback port: OPTIONS IN, the status code that an emulated device holds OUT."""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sipmessage import Message, Request, Response, Via

from simulators.device import EmulatedDevice

PHRASES = {
    100: "Trying",
    200: "OK",
    404: "Not Found",
    405: "Method Not Allowed",
    486: "Busy Here",
    503: "Service Unavailable",
}

_GARBAGE = bytes.fromhex("deadbeef00a55a1337")


@dataclass(kw_only=True)
class Faults:
    """What is wrong with the intercom, switchable while it runs. All false: it works."""

    silent: bool = False  # no answer at all
    slow: float = 0.0  # seconds until the answer
    garbage: bool = False  # bytes that are no SIP
    late: bool = False  # the answer to the request before
    trying: bool = False  # a provisional answer, and nothing after it


class SipIntercom:
    """Answers at `host`:`port`; port 0 is a free one, and stays the same over vanish and restore.

    It is silent while its item `alive` is false.
    """

    def __init__(self, *, device: EmulatedDevice, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host, self.port = host, port
        self.device = device
        self.faults = Faults()
        self.requests = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._last = b""

    @property
    def address(self) -> str:
        """As a site file names it."""
        return f"{self.host}:{self.port}"

    async def restore(self) -> None:
        """The device is reachable."""
        if self._transport is not None:
            return
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Listener(self), local_addr=(self.host, self.port)
        )
        self.port = self._transport.get_extra_info("sockname")[1]

    async def vanish(self) -> None:
        """The device is off the network."""
        if self._transport is not None:
            self._transport.abort()
            await asyncio.sleep(0)  # the loop closes the socket in its next turn
        self._transport = None

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.vanish()

    def received(self, datagram: bytes, address: tuple[str, int]) -> None:
        """A datagram came; what is no request gets no answer."""
        raws = self.device.raws()
        if not raws.get("alive", True):
            return
        self.requests += 1
        code = 100 if self.faults.trying else int(raws.get("status_code", 200))
        try:
            answer = _answer(Message.parse(datagram), code, address)
        except (ValueError, LookupError):
            return
        sent = _GARBAGE if self.faults.garbage else self._last if self.faults.late else answer
        self._last = answer
        if sent and not self.faults.silent:
            asyncio.get_running_loop().call_later(self.faults.slow, self._send, sent, address)

    def _send(self, answer: bytes, address: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(answer, address)


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, intercom: SipIntercom) -> None:
        self._intercom = intercom

    def datagram_received(self, datagram: bytes, address: tuple[str, int]) -> None:
        self._intercom.received(datagram, address)


def _answer(request: Request | Response, code: int, address: tuple[str, int]) -> bytes:
    """RFC 3261, 8.2.6; the topmost Via says from where the request came (RFC 3581). Raises ValueError, LookupError."""
    if not isinstance(request, Request):
        raise ValueError("not a request")
    if request.method != "OPTIONS":
        code = 405
    answer = Response(code=code, phrase=PHRASES.get(code, "Answer"))
    first, *others = request.via
    parameters = first.parameters.replace(received=address[0], rport=str(address[1]))
    answer.via = [Via(transport=first.transport, host=first.host, port=first.port, parameters=parameters), *others]
    answer.from_address, answer.to_address = request.from_address, request.to_address
    if code > 100:
        answer.headers.set("To", request.headers["To"] + ";tag=intercom")
    answer.call_id, answer.cseq = request.call_id, request.cseq
    answer.headers.set("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS")
    answer.headers.set("Content-Length", "0")
    return bytes(answer)
