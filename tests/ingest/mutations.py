"""Broken packs and topics, from good ones: what a faulty node, a bad disk or an attacker might send."""

import json
import random

from ingest.rows import Place, Points, Rule
from wire import packs
from wire.topics import up

NAMES = ["P0001", "air-1", "x" * 65, "", "..", "+", "#", "poles", "\0", "é", "up", "telemetry", "down", "$share"]
LABELS = [
    "bn",
    "bt",
    "bu",
    "bv",
    "bs",
    "bver",
    "n",
    "u",
    "v",
    "vs",
    "vb",
    "vd",
    "s",
    "t",
    "ut",
    "q",
    "ep",
    "sq",
    "x_",
    "x",
]
VALUES = [
    None, True, False, 0, -1, 1, 7, 1 << 53, (1 << 53) + 1, 10**400, 1e308, -1e308, 5e-324, 0.1, "", "a", "timeout",
    "exception-256", "\ud800", "\0", "9f3c21aa", [], {}, [[]], {"v": 1}, "P0001/air-1/", "P0009/x/", 1763683200.25,
    9e15,
]  # fmt: skip
DEVICES = {"P0001/air-1": ("temperature", "humidity", "door", "note"), "P0001/air-2": ("temperature", "level")}
KNOWN = {
    f"{device}/": (
        Place("wuhou", *device.split("/")),
        Points(Rule(point, "air", "Cel", *((-40, 60) if point == "temperature" else (None, None))) for point in points),
    )
    for device, points in DEVICES.items()
}


def good(chance):
    """A random good pack's payload."""
    readings = []
    for _ in range(chance.randint(1, 6)):
        device = chance.choice(list(DEVICES))
        value = chance.choice([chance.uniform(-50, 50), chance.randint(-9, 9), True, "text", None])
        at = 1_763_683_200_000 + chance.randint(0, 10_000)
        point = chance.choice(DEVICES[device])
        readings.append((device, point, at, value, "timeout" if value is None else None))
    return packs.encode("9f3c21aa", chance.randint(1, 1 << 40), readings)


def mutated(chance: random.Random):
    """(topic, payload): one to three changes to a good pack, in its values or in its bytes."""
    topic = up("wuhou", "gw-1", "telemetry")
    body = good(chance)
    for _ in range(chance.randint(1, 3)):
        way = chance.random()
        if way < 0.1:
            topic = _topic(topic, chance)
        elif way < 0.6:
            body = _values(body, chance)
        else:
            body = _bytes(body, chance)
    return topic, body


def _topic(topic, chance):
    parts = topic.split("/")
    place = chance.randrange(len(parts))
    way = chance.randrange(3)
    if way == 0:
        parts[place] = chance.choice(NAMES)
    elif way == 1:
        del parts[place]
    else:
        parts.insert(place, chance.choice(NAMES))
    return "/".join(parts)


def _values(body, chance):
    try:
        records = json.loads(body)
        record = chance.choice(records)
        label = chance.choice(LABELS)
        if chance.random() < 0.2:
            record.pop(chance.choice(list(record)), None)
        else:
            record[label] = chance.choice(VALUES)
        if chance.random() < 0.05:
            records.insert(chance.randrange(len(records) + 1), chance.choice(VALUES))
        if chance.random() < 0.01:
            records *= 400
        return json.dumps(records).encode()
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return body  # it is no pack any more; the bytes may still be changed


def _bytes(body, chance):
    way = chance.randrange(6)
    at = chance.randrange(len(body) + 1)
    if way == 0:
        return body[:at]
    if way == 1:
        return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
    if way == 2:
        return body[:at] + body[at + chance.randint(1, 9) :]
    if way == 3:
        return (
            body[:at]
            + chance.choice([b"[", b"{", b'"', b"1e999", b"NaN", b"\\ud800", b",", b"-", b"9" * 5000])
            + body[at:]
        )
    if way == 4:
        return b"[" * chance.randint(1, 3000) + body
    return body + body
