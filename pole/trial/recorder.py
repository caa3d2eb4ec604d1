"""Which tap a protocol gets, and what of its words goes into a golden file."""

import contextlib
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from device_profiles import items
from device_profiles.codecs import items_of
from device_profiles.registers import NoValue
from device_profiles.schema import Profile
from pole.broker import free_port
from pole.trial import taps
from pole.trial.outcome import Shown
from protocols import hj212_frame
from protocols.address import split
from protocols.errors import BadAnswer, DeviceError

FRAMINGS = {"dlt645": "hex"}  # all others are texts
PORTS = {"multivision": 4010, "onvif": 80, "sip": 5060}
PASSWORD = "123456"  # what a station's own becomes in a file that everybody reads

# A proof of the camera's password lets whoever reads the file try passwords at home.
_PROOFS = re.compile(rb"Authorization: [^\r\n]*\r\n|<(\w+:)?Security\b.*?</(\w+:)?Security>", re.S)


class Recorder:
    """Taps a bus's keys: `keys` and `address` then lead through it."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.keeps: list[taps.Kept] = []

    async def tap(
        self, stack: contextlib.AsyncExitStack, keys: dict[str, Any], address: str
    ) -> tuple[dict[str, Any], str]:
        """Raises ValueError where the way cannot be tapped."""
        protocol = self._profile.protocol
        match protocol:
            case "dlt645":
                settings: dict[str, Any] = {"baud": 2400, "parity": "even", "stop_bits": 1} | keys
                line = {key: settings[key] for key in ("port", "baud", "parity", "stop_bits")}
                return keys | {"port": await stack.enter_async_context(taps.serial(self.keeps, **line))}, address
            case "multivision" | "onvif" | "sip":
                place, mark, more = address.partition("#")
                way = taps.udp if protocol == "sip" else taps.tcp
                target = split(place, PORTS[protocol])
                return keys, f"127.0.0.1:{await stack.enter_async_context(way(self.keeps, target=target))}{mark}{more}"
            case "hj212" | "ocpp" if "listen" in keys:
                host, _, port = str(keys["listen"]).rpartition(":")
                inner = free_port()
                dialled = taps.websocket if protocol == "ocpp" else taps.tcp
                await stack.enter_async_context(dialled(self.keeps, target=("127.0.0.1", inner), at=(host, int(port))))
                return keys | {"listen": f"127.0.0.1:{inner}"}, address
            case "chirpstack":
                await stack.enter_async_context(taps.mqtt(self.keeps, **_subscription(keys, address)))
                return keys, address
        if protocol == "snmp":
            raise ValueError(
                "of SNMP the text of `snmpget -On` is kept, which is made by hand: see docs/add-a-device.md"
            )
        raise ValueError(f"what {protocol} says on this way cannot be recorded: let the device dial in (--listen)")

    def result(self) -> tuple[list[tuple[str, str]], dict[str, Shown]]:
        """The exchanges that tell a point, each point once, as a golden file writes them, and what they decode to."""
        exchanges: list[tuple[str, str]] = []
        shown: dict[str, Shown] = {}
        for sent, came in self._messages():
            found = self._points(sent, came)
            if found.keys() - shown.keys():
                exchanges.append((self._written(sent), self._written(came)))
                shown |= found
        return exchanges, shown

    def _messages(self) -> list[tuple[bytes, bytes]]:
        pairs = [pair for kept in self.keeps for pair in kept.exchanges]
        if self._profile.protocol == "onvif":
            return [(_PROOFS.sub(b"", sent), came) for sent, came in pairs]
        if self._profile.protocol != "hj212":
            return pairs
        stream = b"".join(came for _, came in pairs)
        return [(b"", _without_password(frame + b"\r\n")) for frame in stream.split(b"\r\n") if frame]

    def _points(self, sent: bytes, came: bytes) -> dict[str, Shown]:
        try:
            self._written(sent), self._written(came)
            told = items_of(self._profile.protocol)(sent, came)
        except (BadAnswer, ValueError):  # a text that is none cannot be written down either
            return {}
        found: dict[str, Shown] = {}
        for name, point in self._profile.points.items():
            raw = told.get(point.item.name) if point.item is not None else None
            if raw is None or isinstance(raw, DeviceError):
                continue
            try:
                found[name] = Shown(point=name, raw=str(raw), value=items.value(point, raw))
            except NoValue as reason:
                found[name] = Shown(point=name, raw=str(raw), value=None, quality=str(reason))
        return found

    def _written(self, data: bytes) -> str:
        return data.hex(" ") if FRAMINGS.get(self._profile.protocol) == "hex" else data.decode()


def _subscription(keys: dict[str, Any], address: str) -> dict[str, Any]:
    from gateway.drivers import first_line
    from protocols import chirpstack

    place = urlsplit(keys["broker"])
    connect: dict[str, Any] = {
        "hostname": place.hostname, "port": place.port or 1883, "username": keys.get("user"),
        "password": first_line(keys.get("password_file")),
    }  # fmt: skip
    if place.scheme == "mqtts":
        raise ValueError("an exchange over mqtts cannot be recorded: do it on the broker's own machine")
    devices: Sequence[str] = (address,) if address else ("+",)
    return {"connect": connect, "topics": chirpstack.topics(str(keys.get("application", "+")), devices)}


def _without_password(frame: bytes) -> bytes:
    """The same packet with PW=123456 and the check sum that then is right."""
    body = re.sub(rb"PW=[^;&]*", b"PW=" + PASSWORD.encode(), frame[6:-6])
    return hj212_frame.wrap(body) if b"PW=" in frame else frame
