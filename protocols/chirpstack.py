"""ChirpStack 4's MQTT events: a topic and JSON IN, items OUT.

Items of an uplink: `data` (all of the payload), "<channel><type>" of a Milesight payload (`03cf`), `object.<path>` of
what ChirpStack's own codec made of it, `rssi` and `snr` of the gateway that heard it best, `gateways`, `fCnt`, `fPort`,
`dr`. Of a status: `margin`, `batteryLevel`, `externalPowerSource`. Of a join: `devAddr`.
ChirpStack leaves out what is zero or false.
Source: ChirpStack documentation, "Event types" and "MQTT integration"; api/proto/integration/integration.proto.
"""

import base64
import binascii
import itertools
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from protocols import milesight
from protocols.errors import BadAnswer
from protocols.iso_time import ms_of

Raw = int | float | bool | str | bytes

# Each item, as one pattern
NAMES = (
    r"[0-9a-f]{4}|data|object\.[A-Za-z0-9_.-]+|rssi|snr|gateways|fCnt|fPort|dr|margin|batteryLevel"
    r"|externalPowerSource|devAddr"
)
EVENTS = ("up", "status", "join")
MAX_BYTES = 64 * 1024  # of one event; a full uplink with 30 gateways has 15 KiB
MAX_PAYLOAD = 256  # bytes of a LoRaWAN payload (LoRaWAN regional parameters: 242 at most)
MAX_LEAVES, MAX_DEPTH, MAX_PATH, MAX_TEXT = 200, 8, 128, 64
MAX_INTEGER = 1 << 53


@dataclass(frozen=True)
class Event:
    """time_ms: since 1970, None where it is not told. rest: the end of a payload that could not be decoded."""

    kind: str
    dev_eui: str
    time_ms: int | None
    count: int
    items: dict[str, Raw]
    rest: bytes = b""


def topics(application: str, devices: Iterable[str] = ("+",)) -> list[str]:
    """What to subscribe to; application: its id, or + for all; devices: their DevEUIs."""
    return [f"application/{application}/device/{each.lower()}/event/{kind}" for each in devices for kind in EVENTS]


def kind_of(topic: str) -> str:
    """The event's kind as its topic says it. Raises BadAnswer where it is no event's topic."""
    parts = topic.split("/")
    if len(parts) != 6 or (parts[0], parts[2], parts[4]) != ("application", "device", "event"):
        raise BadAnswer("header", f"{topic[:MAX_PATH]!r} is no topic of an event")
    return parts[5]


def event(body: bytes, kind: str = "") -> Event:
    """One event; its kind is told by its fields where `kind` is empty. Raises BadAnswer."""
    told = _object(body)
    info = told.get("deviceInfo")
    dev_eui = info.get("devEui") if isinstance(info, dict) else None
    if not isinstance(dev_eui, str) or len(dev_eui) != 16 or not _is_hex(dev_eui):
        raise BadAnswer("header", "deviceInfo.devEui is not 16 hexadecimal digits")
    kind = kind or _kind(told)
    count = _number(told.get("fCnt", 0))
    found: dict[str, Raw] = {}
    rest = b""
    if kind == "up":
        found, rest = _uplink(told)
    elif kind == "status":
        found = dict(_status(told))
    elif kind == "join" and isinstance(told.get("devAddr"), str) and _is_hex(told["devAddr"][:8]):
        found = {"devAddr": told["devAddr"][:8]}
    return Event(
        kind=kind,
        dev_eui=dev_eui.lower(),
        time_ms=ms_of(told.get("time")),
        count=int(count) if count is not None else 0,
        items=found,
        rest=rest,
    )


def items(request: bytes, response: bytes) -> dict[str, Raw]:
    """One event's items; LoRaWAN sensors are not asked, so the request is empty. Raises BadAnswer."""
    if request:
        raise BadAnswer("header", "nothing is sent to a LoRaWAN sensor: the request is empty")
    return event(response).items


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BYTES:
        raise BadAnswer("length", f"an event of {len(body)} bytes; {MAX_BYTES} are allowed")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadAnswer("noise", f"no JSON: {str(error)[:80]}") from None
    if not isinstance(told, dict):
        raise BadAnswer("header", "an event is a JSON object")
    return told


def _kind(told: dict[str, Any]) -> str:
    if any(key in told for key in ("data", "object", "fPort", "fCnt")):
        return "up"
    return "status" if any(key in told for key in ("margin", "batteryLevel")) else "join"


def _uplink(told: dict[str, Any]) -> tuple[dict[str, Raw], bytes]:
    found: dict[str, Raw] = {}
    rest = b""
    payload = _payload(told.get("data", ""))
    if payload:
        decoded = milesight.decode(payload)
        rest = decoded.rest
        found |= {"data": payload, **decoded.values}
    found |= dict(_leaves(told.get("object")))
    found |= _reception(told.get("rxInfo"))
    for name in ("fCnt", "fPort", "dr"):
        number = _number(told.get(name, 0))
        if number is not None:
            found[name] = number
    return found, rest


def _payload(data: object) -> bytes:
    try:
        payload = base64.b64decode(data if isinstance(data, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise BadAnswer("noise", "data is no base64") from None
    if len(payload) > MAX_PAYLOAD:
        raise BadAnswer("length", f"a payload of {len(payload)} bytes; LoRaWAN has {MAX_PAYLOAD} at most")
    return payload


def _leaves(told: object) -> Iterator[tuple[str, Raw]]:
    """Numbers, bools and texts of a nested object, by path. Depth, length and number are bounded."""
    left = MAX_LEAVES
    waiting: list[tuple[str, object, int]] = [("object", told, 0)]
    while waiting and left:
        path, value, depth = waiting.pop()
        if isinstance(value, dict | list) and depth < MAX_DEPTH:
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [
                (f"{path}.{key}", each, depth + 1)
                for key, each in itertools.islice(pairs, left)
                if len(path) + len(str(key)) < MAX_PATH
            ]
            continue
        leaf = value[:MAX_TEXT] if isinstance(value, str) and value.isprintable() else _leaf(value)
        if leaf is not None:
            left -= 1
            yield path, leaf


def _leaf(value: object) -> Raw | None:
    return value if isinstance(value, bool) else _number(value)


def _reception(gateways: object) -> dict[str, Raw]:
    """rssi (dBm) and snr (dB) of the strongest gateway, and how many heard it."""
    heard = []
    for gateway in gateways if isinstance(gateways, list) else []:
        rssi = _number(gateway.get("rssi", 0)) if isinstance(gateway, dict) else None
        snr = _number(gateway.get("snr", 0)) if isinstance(gateway, dict) else None
        if rssi is not None and snr is not None:
            heard.append((rssi, snr))
    if not heard:
        return {}
    rssi, snr = max(heard)
    return {"rssi": rssi, "snr": snr, "gateways": len(heard)}


def _status(told: dict[str, Any]) -> Iterator[tuple[str, Raw]]:
    margin, level = _number(told.get("margin", 0)), _number(told.get("batteryLevel", 0))
    external = told.get("externalPowerSource") is True
    yield "externalPowerSource", external
    if margin is not None:
        yield "margin", margin
    if level is not None and not external and told.get("batteryLevelUnavailable") is not True:
        yield "batteryLevel", level


def _number(value: object) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return value if abs(value) <= MAX_INTEGER else None
    return value if math.isfinite(value) else None


def _is_hex(text: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in text)
