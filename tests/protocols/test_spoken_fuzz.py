"""Nothing that a charger, a broker or a LoRaWAN payload holds gets past its codec as anything but items or BadAnswer.

The full million: MUTATIONS=1000000 pytest tests/protocols/test_spoken_fuzz.py --timeout 3600 -s
"""

import base64
import json
import os
import random
import re

import pytest

from protocols import chirpstack, milesight, ocpp
from protocols.errors import BadAnswer
from tests.protocols import test_chirpstack, test_ocpp

COUNT = int(os.environ.get("MUTATIONS", "12000"))
VALUES = [
    None, True, False, 0, -1, 1, 64, 1 << 53, 10**400, 1e308, -0.0, 5e-324, "", "a", "L1", "kWh", "\ud800", "\0",
    "1e9999", [], {}, [[]], {"value": "1"}, [{"sampledValue": []}], "0101010101010101", "AXVc", "Available", "Voltage",
    "NaN",
]  # fmt: skip
PAYLOADS = ["01755c03673401046865060001", "03cf00000000282307", "01755c03824408040001", "01756403770200", "85000101"]
OCPP = [text for text, _ in test_ocpp.KEBA.values()] + [test_ocpp.STOP]
CHIRPSTACK = [test_chirpstack.UP, test_chirpstack.STATUS, test_chirpstack.JOIN]


def places(value, path=()):
    """Every (container, key) of a JSON value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from places(value[key], (*path, key))


def mutated(text, chance):
    """One to three changes in the values or in the bytes of a good message."""
    for _ in range(chance.randint(1, 3)):
        text = changed(text, chance) if chance.random() < 0.6 else torn(text, chance)
    return text


def changed(text, chance):
    try:
        told = json.loads(text)
        holder, key = chance.choice(list(places(told)))
    except (ValueError, IndexError, RecursionError):
        return text
    if chance.random() < 0.2 and isinstance(holder, dict):
        del holder[key]
    elif chance.random() < 0.1 and isinstance(holder, list):
        holder.extend(holder[:1] * chance.randint(1, 30))
    else:
        holder[key] = chance.choice(VALUES)
    return json.dumps(told).encode()


def tried(codec, message):
    """(items, None) or ({}, BadAnswer)."""
    try:
        return codec(b"", message), None
    except BadAnswer as error:
        return {}, error


def torn(data, chance):
    at, way = chance.randrange(len(data) + 1), chance.randrange(5)
    if way == 0:
        return data[:at]
    if way == 1:
        return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
    if way == 2:
        return data[:at] + data[at + chance.randint(1, 9) :]
    if way == 3:
        return (
            data[:at] + chance.choice([b"[", b"{", b'"', b"1e999", b"NaN", b"\\ud800", b",", b"9" * 5000]) + data[at:]
        )
    return b"[" * chance.randint(1, 3000) + data


@pytest.mark.parametrize(
    ("codec", "good", "names"),
    [
        (ocpp.items, OCPP, re.compile(ocpp.NAMES)),
        (chirpstack.items, CHIRPSTACK, re.compile(r"object(\..*)?|" + chirpstack.NAMES, re.DOTALL)),
    ],
    ids=["ocpp", "chirpstack"],
)
def test_a_message_is_items_or_refused(codec, good, names):
    chance = random.Random(2026)
    told = refused = 0
    for _ in range(COUNT):
        message = mutated(chance.choice(good).encode(), chance)
        items, refusal = tried(codec, message)
        if refusal is not None:
            assert refusal.fault in ("noise", "header", "length")
            assert len(str(refusal)) < 300
            refused += 1
            continue
        told += bool(items)
        for name, value in items.items():
            assert names.fullmatch(name), name
            assert isinstance(value, int | float | str | bytes)
            assert value == value
            assert not isinstance(value, int | float) or abs(value) < 1e309
            assert not isinstance(value, str) or len(value.encode()) <= 4 * 64
    assert told > COUNT / 20
    assert refused > COUNT / 20
    print(f"{COUNT} mutations: {told} told something, {refused} refused")


def test_a_payload_is_decoded_as_far_as_it_goes():
    chance = random.Random(2026)
    undecoded = 0
    for _ in range(COUNT):
        payload = bytes.fromhex(chance.choice(PAYLOADS))
        for _ in range(chance.randint(1, 3)):
            payload = torn(payload, chance)
        decoded = milesight.decode(payload)
        assert payload.endswith(decoded.rest)
        assert all(len(value) == milesight.LENGTHS[name] for name, value in decoded.values.items())
        if len(payload) <= chirpstack.MAX_PAYLOAD:
            event = test_chirpstack.changed(data=base64.b64encode(payload).decode())
            assert decoded.values.items() <= chirpstack.items(b"", event).items()
        undecoded += bool(decoded.rest)
    print(f"{COUNT} payloads: {undecoded} with an end that is not decoded")
    assert COUNT / 10 < undecoded < COUNT
