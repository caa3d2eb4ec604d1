"""An SNMP agent on a loopback port: an emulated device's items by GET, GETNEXT and GETBULK, version 2c or 3."""

import asyncio
import bisect
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from pysnmp.carrier.asyncio.dgram import udp  # type: ignore[import-untyped]
from pysnmp.entity import config, engine  # type: ignore[import-untyped]
from pysnmp.entity.rfc3413 import cmdrsp, context  # type: ignore[import-untyped]
from pysnmp.proto import rfc1902, rfc1905  # type: ignore[import-untyped]
from pysnmp.proto.api import v2c  # type: ignore[import-untyped]
from pysnmp.smi import error, instrum  # type: ignore[import-untyped]

from protocols import snmp
from protocols.snmp import Raw
from simulators.device import EmulatedDevice

AUTH = {"sha1": config.USM_AUTH_HMAC96_SHA, "sha256": config.USM_AUTH_HMAC192_SHA256}
CIPHER = config.USM_PRIV_CFB128_AES

_GARBAGE = bytes.fromhex("deadbeef00a55a1337")
_ALL = (1, 3, 6, 1)
# What a value is, by the OID of its column (RFC 3418, RFC 2863); any other number takes the smallest type that fits.
_TICKS = ("1.3.6.1.2.1.1.3.", "1.3.6.1.2.1.25.1.1.")
_COUNTERS = tuple(f"1.3.6.1.2.1.2.2.1.{column}." for column in range(10, 21))
_PRINTED = ("1.3.6.1.4.1.8072.1.3.2.3.",)  # NET-SNMP-EXTEND-MIB: what a script prints is text, numbers too
_LONG_COUNTERS = tuple(f"1.3.6.1.2.1.31.1.1.1.{column}." for column in range(6, 14))

Oid = tuple[int, ...]


@dataclass(kw_only=True)
class Faults:
    """What is wrong with the agent, switchable while it runs. All false: it works."""

    silent: bool = False  # no answer at all
    slow: float = 0.0  # seconds until the answer
    garbage: bool = False  # bytes that are no message
    late: bool = False  # the answer to the request before
    error: bool = False  # genErr to every request


class SnmpAgent:
    """Answers at `host`:`port`; port 0 is a free one, and stays the same over vanish and restore.

    With a `user` it speaks version 3, authenticated and encrypted, else version 2c.
    """

    def __init__(
        self,
        *,
        device: EmulatedDevice,
        community: str = "public",
        user: str = "",
        password: str = "",
        privacy_password: str = "",
        auth: str = "sha256",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.host, self.port = host, port
        self.device = device
        self.faults = Faults()
        self.first_interface = 1  # interfaces are numbered from here; another number is what a restart does
        self._community = community
        self._user = (user, password, privacy_password, auth)
        self._engine: Any = None

    @property
    def address(self) -> str:
        """As a site file names it."""
        return f"{self.host}:{self.port}"

    async def restore(self) -> None:
        """The device is reachable; for version 3 it has started anew."""
        if self._engine is not None:
            return
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.bind((self.host, self.port))
        self.port = end.getsockname()[1]
        self._engine = _engine(self.device.name)
        transport = _Transport(self.faults_now).open_server_mode(sock=end)
        config.add_transport(self._engine, udp.DOMAIN_NAME, transport)
        self._admit()
        served = context.SnmpContext(self._engine)
        served.unregister_context_name(b"")
        served.register_context_name(b"", _Objects(self.rows, self.faults_now))
        for responder in (cmdrsp.GetCommandResponder, cmdrsp.NextCommandResponder, cmdrsp.BulkCommandResponder):
            responder(self._engine, served)

    async def vanish(self) -> None:
        """The device is off the network."""
        if self._engine is not None:
            self._engine.close_dispatcher()
            await asyncio.sleep(0)  # the loop closes the socket in its next turn
        self._engine = None

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.vanish()

    def faults_now(self) -> Faults:
        """What is wrong at this moment."""
        return self.faults

    def rows(self) -> dict[Oid, Any]:
        """All objects that the device has now, with the names of the interfaces that its items are of."""
        numbers: dict[str, str] = {}
        found: dict[Oid, Any] = {}
        for name, raw in self.device.raws().items():
            item = snmp.item(name)
            if item.interface is not None:
                numbers.setdefault(item.interface, str(self.first_interface + len(numbers)))
            oid = f"{item.oid}.1" if item.is_sum else item.at(numbers)
            assert oid is not None
            found[_oid(oid)] = _typed(oid, (1 if raw else 2) if item.is_one else raw)
        for interface, number in numbers.items():
            found[_oid(f"{snmp.IF_NAME}.{number}")] = rfc1902.OctetString(interface)
        return found

    def _admit(self) -> None:
        name, password, privacy, auth = self._user
        if name:
            config.add_v3_user(self._engine, name, AUTH[auth], password, CIPHER, privacy)
            config.add_vacm_user(self._engine, 3, name, "authPriv", _ALL)
        else:
            config.add_v1_system(self._engine, "reader", self._community)
            config.add_vacm_user(self._engine, 2, "reader", "noAuthNoPriv", _ALL)


def _engine(name: str) -> Any:
    """An engine with an identity of its own (RFC 3411, snmpEngineID: text), that has started once more."""
    made = engine.SnmpEngine()
    identity, boots = made.get_mib_builder().import_symbols("__SNMP-FRAMEWORK-MIB", "snmpEngineID", "snmpEngineBoots")
    identity.syntax = identity.syntax.clone(bytes.fromhex("80001f8804") + name.encode()[-27:])
    made.snmpEngineID = identity.syntax
    boots.syntax = boots.syntax.clone(int(time.time()))
    return made


class _Transport(udp.UdpAsyncioTransport):  # type: ignore[misc]
    def __init__(self, faults: Callable[[], Faults]) -> None:
        super().__init__()
        self._faults = faults
        self._last = b""

    def send_message(self, message: bytes, address: tuple[str, int]) -> None:
        faults = self._faults()
        answer = _GARBAGE if faults.garbage else self._last if faults.late else message
        self._last = message
        if not faults.silent and answer:
            asyncio.get_running_loop().call_later(faults.slow, self._send, answer, address)

    def _send(self, answer: bytes, address: tuple[str, int]) -> None:
        if self.transport is not None and not self.transport.is_closing():
            super().send_message(answer, address)


class _Objects(instrum.AbstractMibInstrumController):  # type: ignore[misc]
    """The library's way to ask for values."""

    def __init__(self, rows: Callable[[], dict[Oid, Any]], faults: Callable[[], Faults]) -> None:
        self._rows = rows
        self._faults = faults

    def read_variables(self, *wanted: Any, **options: Any) -> list[Any]:
        """GET."""
        rows = self._allowed(wanted, options)
        return [(name, rows.get(tuple(name), rfc1905.noSuchInstance)) for name, _ in wanted]

    def read_next_variables(self, *wanted: Any, **options: Any) -> list[Any]:
        """GETNEXT and, row by row, GETBULK."""
        rows = self._allowed(wanted, options)
        order = sorted(rows)
        found = []
        for name, _ in wanted:
            index = bisect.bisect_right(order, tuple(name))
            more = index < len(order)
            found.append(
                (v2c.ObjectIdentifier(order[index]), rows[order[index]]) if more else (name, rfc1905.endOfMibView)
            )
        return found

    def _allowed(self, wanted: Any, options: dict[str, Any]) -> dict[Oid, Any]:
        for index, row in enumerate(wanted):
            options["acFun"]("read", row, idx=index, **options)
        if self._faults().error:
            raise error.GenError(idx=0)
        return self._rows()


def _oid(text: str) -> Oid:
    return tuple(int(arc) for arc in text.split("."))


def _typed(oid: str, raw: Raw) -> Any:
    if isinstance(raw, str | bytes):
        return rfc1902.OctetString(raw)
    if isinstance(raw, float) or oid.startswith(_PRINTED):
        return rfc1902.OctetString(str(raw))  # SMI has no fractions: agents write them as text
    if oid.startswith(_TICKS):
        return rfc1902.TimeTicks(raw % (1 << 32))
    if oid.startswith(_COUNTERS):
        return rfc1902.Counter32(raw % (1 << 32))
    if oid.startswith(_LONG_COUNTERS) or raw >= 1 << 32:
        return rfc1902.Counter64(raw)
    return rfc1902.Integer32(raw) if raw < 1 << 31 else rfc1902.Gauge32(raw)
