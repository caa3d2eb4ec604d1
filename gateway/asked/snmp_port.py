"""The UDP socket of SNMP: only the answers that are waited for come IN, each once."""

from collections.abc import Callable
from typing import Any

from pysnmp.carrier.asyncio.dgram import udp  # type: ignore[import-untyped]

from protocols import snmp
from protocols.errors import BadAnswer

# The library reads BER in Python, about 10 ms for so many bytes: what floods us must not get that far.
MAX_DATAGRAM = 8192
MAX_WAITED = 64  # requests of one device that still may be answered; each repeat and each discovery counts

Address = tuple[str, int]


class SnmpPort(udp.UdpAsyncioTransport):  # type: ignore[misc]
    """Passes a datagram on if it comes from where a request went and carries that request's number."""

    def __init__(self) -> None:
        super().__init__()
        self._waited: dict[Address, dict[int, None]] = {}
        self._faults: dict[Address, BadAnswer] = {}
        self._heard: set[Address] = set()
        self.dropped = 0

    def fault(self, address: Address) -> BadAnswer | None:
        """What was wrong with the last datagram that did not count, since `forget`."""
        return self._faults.get(address)

    def heard(self, address: Address) -> bool:
        """Whether a message came that was waited for, since `forget`; the library may have thrown it away."""
        return address in self._heard

    def forget(self, address: Address) -> None:
        """Nothing is waited for from there: what still comes is late."""
        self._waited.pop(address, None)
        self._faults.pop(address, None)
        self._heard.discard(address)

    def send_message(self, message: bytes, address: Address) -> None:
        """Notes the request's number, and sends."""
        waited = self._waited.setdefault((address[0], address[1]), {})
        waited[snmp.message_id(bytes(message))] = None
        while len(waited) > MAX_WAITED:
            del waited[next(iter(waited))]
        super().send_message(message, address)

    def datagram_received(self, datagram: bytes, address: Address) -> None:
        """asyncio: bytes came."""
        waited = self._waited.get(address[:2])
        if not waited:
            self.dropped += 1
            return
        try:
            self._check(datagram, waited)
        except BadAnswer as fault:
            self.dropped += 1
            self._faults[address[:2]] = fault
            return
        self._heard.add(address[:2])
        super().datagram_received(datagram, address)

    def error_received(self, error: OSError) -> None:
        """asyncio: the network says no (nobody listens there); the request runs into its time-out."""

    def register_callback(self, callback: Callable[..., None]) -> None:
        """The library's own reader; what it raises over bad bytes must not end in the event loop's log."""

        def guarded(transport: Any, address: Address, datagram: bytes) -> None:
            try:
                callback(transport, address, datagram)
            except Exception as error:
                self._faults[address[:2]] = BadAnswer("noise", f"not understood: {error!s:.100}")

        super().register_callback(guarded)

    def _check(self, datagram: bytes, waited: dict[int, None]) -> None:
        if len(datagram) > MAX_DATAGRAM:
            raise BadAnswer("length", f"{len(datagram)} bytes; at most {MAX_DATAGRAM} are read")
        number = snmp.message_id(datagram)
        if number not in waited:
            raise BadAnswer("late", "an answer to another request")
        del waited[number]
