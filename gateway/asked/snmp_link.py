"""SNMP requests: OIDs IN, rows (OID, value) OUT, over the library's engine and a socket of our own."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from pysnmp.carrier.asyncio.dgram import udp  # type: ignore[import-untyped]
from pysnmp.carrier.asyncio.dispatch import AsyncioDispatcher  # type: ignore[import-untyped]
from pysnmp.entity import config  # type: ignore[import-untyped]
from pysnmp.error import PySnmpError  # type: ignore[import-untyped]
from pysnmp.hlapi.v3arch import asyncio as hlapi  # type: ignore[import-untyped]
from pysnmp.proto import errind  # type: ignore[import-untyped]

from gateway.asked.snmp_port import SnmpPort
from protocols.errors import BadAnswer, DeviceError, LineDown, Refused, Timeout

PORT = 161
AUTH = {
    "sha1": hlapi.USM_AUTH_HMAC96_SHA,
    "sha224": hlapi.USM_AUTH_HMAC128_SHA224,
    "sha256": hlapi.USM_AUTH_HMAC192_SHA256,
    "sha384": hlapi.USM_AUTH_HMAC256_SHA384,
    "sha512": hlapi.USM_AUTH_HMAC384_SHA512,
}
CIPHERS = {"aes128": hlapi.USM_PRIV_CFB128_AES}

RENEW_S = 60.0  # not more often is everything that is known of the devices forgotten
_TICK_S = 0.25  # the library looks for time-outs so often
_SHORTEST_PASSWORD = 8  # RFC 3414, 11.2
_REFUSALS = {
    errind.WrongDigest: "authentication failed: check user, password_file and auth",
    errind.AuthenticationFailure: "authentication failed: check user, password_file and auth",
    errind.UnknownUserName: "the device does not know this user: check user",
    errind.UnsupportedSecurityLevel: "the device does not take this user so: check password_file and privacy_file",
    errind.DecryptionError: "decryption failed: check privacy_file and cipher",
}

Row = tuple[str, Any]


class Login:
    """Who asks. `wrong` says what is wrong with it, in a sentence; empty where nothing is."""

    def __init__(self, *, library: Any, encrypts: bool = False, wrong: str = "") -> None:
        self.library = library  # CommunityData or UsmUserData
        self.encrypts = encrypts
        self.wrong = wrong


def community(name: str) -> Login:
    """The login of version 2c."""
    return Login(library=hlapi.CommunityData(name, mpModel=1))


def user(name: str, password: str, privacy: str, auth: str, cipher: str) -> Login:
    """The login of version 3: authenticated where there is a password, encrypted where there is one for privacy."""
    for key, secret in (("password_file", password), ("privacy_file", privacy)):
        if 0 < len(secret) < _SHORTEST_PASSWORD:
            wrong = f"{key}: SNMPv3 wants at least {_SHORTEST_PASSWORD} characters, this has {len(secret)}"
            return Login(library=None, wrong=wrong)
    if not name or (privacy and not password):
        return Login(library=None, wrong="SNMPv3 wants a user, and a password_file where there is a privacy_file")
    options = {"authKey": password, "authProtocol": AUTH[auth]} if password else {}
    secrecy = {"privKey": privacy, "privProtocol": CIPHERS[cipher]} if privacy else {}
    return Login(library=hlapi.UsmUserData(name, **options, **secrecy), encrypts=bool(privacy))


class SnmpLink:
    """One socket and one login for any number of devices, by their addresses (host or host:port)."""

    def __init__(self, *, login: Login, wait: float, tries: int) -> None:
        self._login = login
        self._wait, self._tries = wait, tries
        self._engine: Any = None
        self._port: Any = None
        self._targets: dict[str, Any] = {}
        self._answered: set[str] = set()
        self._turns: dict[str, asyncio.Lock] = {}
        self._under_way = 0
        self._renew = False
        self._renew_at = 0.0

    async def get(self, address: str, oids: Sequence[str]) -> tuple[int, int, list[Row]]:
        """GetRequest -> (error-status, error-index, rows). Raises DeviceError."""
        return await self._exchange(address, hlapi.get_cmd, oids)

    async def rows_after(self, address: str, oid: str, count: int) -> list[Row]:
        """GetBulkRequest -> the `count` rows that follow `oid`. Raises DeviceError."""
        return (await self._exchange(address, hlapi.bulk_cmd, [oid], 0, count))[2]

    def close(self) -> None:
        """Close the socket; the next request opens another."""
        if self._engine is not None:
            self._engine.close_dispatcher()
        self._engine = None
        self._renew = False

    async def _exchange(
        self, address: str, command: Any, oids: Sequence[str], *options: int
    ) -> tuple[int, int, list[Row]]:
        if self._login.wrong:
            raise Refused(0, self._login.wrong)
        async with self._turns.setdefault(address, asyncio.Lock()):
            indication, status, index, rows, fault = await self._attempt(address, command, oids, *options)
            if self._renew and isinstance(indication, errind.RequestTimedOut):
                indication, status, index, rows, fault = await self._attempt(address, command, oids, *options)
        if indication:
            raise self._error(address, indication, fault)
        self._answered.add(address)
        return int(status), int(index), [(str(name), value) for name, value in rows]

    async def _attempt(self, address: str, command: Any, oids: Sequence[str], *options: int) -> tuple[Any, ...]:
        """What the library makes of it, and what was wrong with the last datagram that did not count."""
        target = await self._target(address)
        where = target.transport_address
        self._under_way += 1
        try:
            found = await self._command(command, target, oids, *options)
            if isinstance(found[0], errind.RequestTimedOut) and self._port.heard(where):
                self._suspect_identity()
            return (*found, self._port.fault(where))
        finally:
            self._under_way -= 1
            self._port.forget(where)

    async def _command(self, command: Any, target: Any, oids: Sequence[str], *options: int) -> Any:
        objects = [hlapi.ObjectType(hlapi.ObjectIdentity(oid)) for oid in oids]
        try:
            # the library repeats by itself; discovery of version 3 takes up to four requests more
            async with asyncio.timeout((self._wait + 2 * _TICK_S) * (self._tries + 1)):
                return await command(
                    self._engine, self._login.library, target, hlapi.ContextData(), *options, *objects, lookupMib=False
                )
        except TimeoutError:
            return errind.requestTimedOut, 0, 0, ()
        except PySnmpError as error:
            raise BadAnswer("noise", f"not understood: {error!s:.100}") from None

    async def _target(self, address: str) -> Any:
        if self._renew and self._under_way == 0:
            self.close()
        if self._engine is None:
            self._open()
        target = self._targets.get(address)
        if target is None:
            parts = urlsplit("//" + address)
            host, where = parts.hostname or "", (parts.hostname or "", parts.port or PORT)
            try:
                async with asyncio.timeout(self._wait * self._tries):
                    target = await hlapi.UdpTransportTarget.create(where, self._wait, self._tries - 1)
            except (PySnmpError, OSError):
                raise LineDown(f"{host} has no address in the name service") from None
            self._targets[address] = target
        return target

    def _open(self) -> None:
        self._engine = hlapi.SnmpEngine()
        dispatcher = AsyncioDispatcher()
        dispatcher.set_timer_resolution(_TICK_S)
        self._engine.register_transport_dispatcher(dispatcher)
        self._port = SnmpPort()
        config.add_transport(self._engine, udp.DOMAIN_NAME, self._port.open_client_mode())

    def _error(self, address: str, indication: Any, fault: BadAnswer | None) -> DeviceError:
        self._targets.pop(address, None)  # a name may have got another address
        refusal = _REFUSALS.get(type(indication))
        if refusal is not None:
            return Refused(0, refusal)
        if not isinstance(indication, errind.RequestTimedOut):
            return BadAnswer("noise", str(indication))
        if fault is not None:
            return fault
        if address in self._answered:
            return Timeout("no answer")
        return Timeout(f"no answer, and none before: check address and {self._secret()}")

    def _suspect_identity(self) -> None:
        # version 3: the library keeps a device's identity for five minutes, although another device may be there by now
        now = asyncio.get_running_loop().time()
        if now >= self._renew_at and not isinstance(self._login.library, hlapi.CommunityData):
            self._renew = True
            self._renew_at = now + RENEW_S

    def _secret(self) -> str:
        if isinstance(self._login.library, hlapi.CommunityData):
            return "community_file (a wrong community gets no answer either)"
        return "privacy_file (a wrong one gets no answer either)" if self._login.encrypts else "user"
