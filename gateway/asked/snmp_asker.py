"""SNMP v2c and v3: items IN, values OUT. Reads only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pyasn1.type import univ  # type: ignore[import-untyped]
from pysnmp.proto import rfc1902  # type: ignore[import-untyped]

from gateway.asked import snmp_link
from gateway.asked.snmp_link import SnmpLink
from protocols import snmp
from protocols.errors import DeviceError, Refused
from protocols.snmp import Item, Raw

MOST_ITEMS = 20  # in one request: the answer fits one datagram
MOST_ROWS = 512  # of a column, as that of the interfaces' names

_ROWS = 20  # of them in one answer
_TOO_BIG = 1
_ERRORS = {  # error-status, RFC 3416
    _TOO_BIG: "(the answer is too big)",
    2: "(no such name)",
    5: "(general error)",
    13: "(resource unavailable)",
    16: "(this user may not read that, or not at this security level: check password_file and privacy_file)",
}

Found = dict[str, Raw | DeviceError]


class SnmpAsker:
    """All SNMP devices of one bus; their addresses are host or host:port. Several may be asked at the same time."""

    one_by_one = False

    def __init__(
        self,
        *,
        version: str = "2c",
        community: str = "public",
        user: str | None = None,
        password: str | None = None,
        privacy_password: str | None = None,
        auth: str = "sha256",
        cipher: str = "aes128",
        wait: float = 1.0,
        tries: int = 3,
    ) -> None:
        """`wait` seconds for each of `tries` requests."""
        login = snmp_link.community(community)
        if version == "3":
            login = snmp_link.user(user or "", password or "", privacy_password or "", auth, cipher)
        self._link = SnmpLink(login=login, wait=wait, tries=tries)
        self._interfaces: dict[str, dict[str, str]] = {}  # address -> name of an interface -> its number

    async def ask(self, address: str, items: Sequence[str]) -> Mapping[str, Raw | DeviceError]:
        """Value of each item; an error where the device has that item not. Raises DeviceError where nothing came."""
        wanted = {name: snmp.item(name) for name in items}
        names = {item.interface for item in wanted.values() if item.interface is not None}
        if not names <= self._interfaces.get(address, {}).keys():
            await self._find_interfaces(address)
        found = await self._found(address, wanted, names)
        if any(found.get(oid) != name for oid, name in self._proofs(address, names)):
            await self._find_interfaces(address)  # they got other numbers
            found = await self._found(address, wanted, names)
        for name, item in wanted.items():
            if item.is_sum:
                found[name] = await self._sum(address, item, alone=not found)
        return {name: found[name] for name in items if name in found}

    async def tell(
        self, address: str, item: str, raw: Raw | None, *, before: Callable[[], None] = lambda: None
    ) -> None:
        """Raises Refused: nothing is set by SNMP."""
        raise Refused(0, "SNMP devices are only read")

    async def close(self) -> None:
        """Close the socket."""
        self._link.close()

    async def _found(self, address: str, wanted: Mapping[str, Item], names: set[str]) -> Found:
        """By item, and by OID for the names of the interfaces that the items are of."""
        numbers = self._interfaces.get(address, {})
        oids = {name: item.at(numbers) for name, item in wanted.items() if not item.is_sum}
        proofs = [oid for oid, _ in self._proofs(address, names)]
        by_oid = await self._values(address, list(dict.fromkeys([oid for oid in oids.values() if oid] + proofs)))
        found = {oid: by_oid[oid] for oid in proofs if oid in by_oid}
        for name, oid in oids.items():
            if oid is None:
                there = ", ".join(numbers) or "none"
                found[name] = Refused(0, f"no interface {wanted[name].interface}; there are: {there}"[:200])
            elif oid in by_oid:
                raw = by_oid[oid]
                found[name] = raw if isinstance(raw, DeviceError) else wanted[name].told(raw)
        return found

    async def _sum(self, address: str, item: Item, *, alone: bool) -> Raw | DeviceError:
        try:
            rows = await self._column(address, item.oid)
        except DeviceError as error:
            if alone:  # nothing came at all
                raise
            return error
        numbers = [raw for raw in rows.values() if isinstance(raw, int)]
        return item.told(sum(numbers)) if numbers else Refused(0, "the device has no such rows")

    def _proofs(self, address: str, names: Iterable[str]) -> list[tuple[str, str]]:
        # a number that was found once may belong to another interface by now, so the names are read with the values
        numbers = self._interfaces.get(address, {})
        return [(f"{snmp.IF_NAME}.{numbers[name]}", name) for name in sorted(names) if name in numbers]

    async def _find_interfaces(self, address: str) -> None:
        names = await self._column(address, snmp.IF_NAME)
        self._interfaces[address] = {str(name): index for index, name in names.items()}

    async def _column(self, address: str, oid: str) -> dict[str, Raw]:
        """What stands under an OID, by the rest of each row's OID; at most MOST_ROWS."""
        found: dict[str, Raw] = {}
        last, prefix = oid, oid + "."
        while len(found) < MOST_ROWS:
            rows = await self._link.rows_after(address, last, _ROWS)
            inside = {row: value for row, value in rows if row.startswith(prefix) and _is_there(value)}
            before = len(found)
            found |= {row.removeprefix(prefix): raw_of(value) for row, value in inside.items()}
            if len(inside) < len(rows) or len(found) == before:  # the end, or an agent that turns in circles
                break
            last = rows[-1][0]
        return found

    async def _values(self, address: str, oids: Sequence[str]) -> Found:
        found: Found = {}
        for first in range(0, len(oids), MOST_ITEMS):
            some = oids[first : first + MOST_ITEMS]
            try:
                found |= await self._get(address, some)
            except DeviceError as error:
                if not found:
                    raise
                found |= dict.fromkeys(some, error)
        return found

    async def _get(self, address: str, oids: Sequence[str]) -> Found:
        """One request; in halves where the answer is too big, and without the item that the device calls wrong."""
        status, index, rows = await self._link.get(address, oids)
        if status == 0:
            return {oid: _value(value) for oid, value in rows if oid in oids}
        if status == _TOO_BIG and len(oids) > 1:
            half = len(oids) // 2
            return await self._get(address, oids[:half]) | await self._get(address, oids[half:])
        refused = Refused(status, f"error-status {status} {_ERRORS.get(status, '')}")
        if not 0 < index <= len(oids):
            raise refused
        rest = [*oids[: index - 1], *oids[index:]]
        return {oids[index - 1]: refused} | (await self._get(address, rest) if rest else {})


def _is_there(value: Any) -> bool:
    return not isinstance(value, univ.Null)  # of which noSuchObject, noSuchInstance and endOfMibView are kinds


def _value(value: Any) -> Raw | DeviceError:
    return raw_of(value) if _is_there(value) else Refused(0, "the device has no such object")


def raw_of(value: Any) -> Raw:
    """A value of the library -> int, text or octets, as `protocols.snmp.items` gives them."""
    if isinstance(value, rfc1902.IpAddress):
        return str(value.prettyPrint())
    if isinstance(value, rfc1902.Opaque):
        return snmp.opaque(bytes(value))
    if isinstance(value, rfc1902.OctetString):
        return snmp.octets(bytes(value))
    if isinstance(value, univ.ObjectIdentifier):
        return str(value)
    return int(value)
