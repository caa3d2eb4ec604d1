"""OCPP 1.6J: what a charger says, a JSON array of text IN, items OUT.

An item is named `[<connector>:]<what>`; without a number it is connector 1, and 0 is the charger as a whole:
`status`, `error_code`, `plugged`, `charging`, `faulted` (of the status), `transaction`, `2:status`, `0:error_code`,
`meter.<Measurand>[.<Phase>]` in one unit each (Wh, W, A, V, Celsius, Percent), and for the whole charger `vendor`,
`model`, `serial`, `firmware`. The listener adds `reachable` and `current_limit` (A).
Source: OCPP 1.6 edition 2 (messages, 7 types) and OCPP-J 1.6 (4.2 frames).
"""

import decimal
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from protocols.errors import BadAnswer
from protocols.iso_time import ms_of

Raw = int | float | bool | str | bytes

CALL, RESULT, ERROR = 2, 3, 4
MAX_CONNECTOR = 63
MAX_VALUES = 500  # sampled values in one message; the largest seen has 24
MAX_TEXT = 64  # characters; the longest text of a BootNotification has 50
MAX_TRANSACTION = (1 << 53) - 1

STATUSES = frozenset((
    "Available", "Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing",
    "Reserved", "Unavailable", "Faulted",
))  # fmt: skip
_PLUGGED = frozenset(("Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing"))
_MEASURANDS = frozenset((
    "Current.Export", "Current.Import", "Current.Offered", "Energy.Active.Export.Register",
    "Energy.Active.Import.Register", "Energy.Reactive.Export.Register", "Energy.Reactive.Import.Register",
    "Energy.Active.Export.Interval", "Energy.Active.Import.Interval", "Energy.Reactive.Export.Interval",
    "Energy.Reactive.Import.Interval", "Frequency", "Power.Active.Export", "Power.Active.Import", "Power.Factor",
    "Power.Offered", "Power.Reactive.Export", "Power.Reactive.Import", "RPM", "SoC", "Temperature", "Voltage",
))  # fmt: skip
_LINE_PHASES = ("L1", "L2", "L3")
_PHASES = {name: name for name in (*_LINE_PHASES, "N", "L1-L2", "L2-L3", "L3-L1")} | {
    f"{name}-N": name
    for name in _LINE_PHASES  # makers say L1 or L1-N for the same voltage, and even for a current
}
_KILO = frozenset(("kWh", "kvarh", "kW", "kVA", "kvar"))
_BOOT = {
    "vendor": "chargePointVendor",
    "model": "chargePointModel",
    "serial": "chargePointSerialNumber",
    "firmware": "firmwareVersion",
}
# Each item, and what a charger can be told, as one pattern
NAMES = (
    r"(\d{1,2}:)?(status|error_code|vendor_error|plugged|charging|faulted|transaction|current_limit|availability"
    r"|remote_start|remote_stop|unlock|meter\.("
    + "|".join(sorted(name.replace(".", r"\.") for name in _MEASURANDS))
    + r")(\.(L[123]|N|L1-L2|L2-L3|L3-L1))?)|reachable|vendor|model|serial|firmware|reset"
)
ENERGY = "meter.Energy.Active.Import.Register"  # what a value without a measurand is, and meterStart and meterStop


@dataclass(frozen=True)
class Message:
    """One frame. `name` is the action of a CALL and the error code of a CALLERROR; payload as it came."""

    kind: int
    unique: str
    name: str
    payload: Any


@dataclass(frozen=True)
class Said:
    """Items of one instant, in ms since 1970 by the charger's clock; None where it gave none."""

    time_ms: int | None
    items: dict[str, Raw]


def parse(text: str | bytes) -> Message:
    """One frame. Raises BadAnswer: noise (no JSON), header (no OCPP-J array)."""
    frame = _json(text)
    if not isinstance(frame, list) or not 3 <= len(frame) <= 5 or isinstance(frame[0], bool):
        raise BadAnswer("header", "not an array of 3 to 5 elements, as OCPP-J 1.6 has it")
    kind, unique = frame[0], frame[1]
    if not isinstance(unique, str) or not 0 < len(unique) <= MAX_TEXT:
        raise BadAnswer("header", "the message's id is no text of 1 to 64 characters")
    if kind == RESULT and len(frame) == 3:
        return Message(RESULT, unique, "", frame[2])
    if kind == CALL and len(frame) == 4 and isinstance(frame[2], str):
        return Message(CALL, unique, frame[2][:MAX_TEXT], frame[3])
    if kind == ERROR and isinstance(frame[2], str):
        return Message(ERROR, unique, frame[2][:MAX_TEXT], frame[4] if len(frame) == 5 else {})
    raise BadAnswer("header", "neither a CALL, nor a CALLRESULT, nor a CALLERROR")


def said(call: Message, connector: int = 1) -> list[Said]:
    """What a CALL of the charger tells, in the order of its times. Raises BadAnswer where it is not as OCPP has it.

    connector: whose transaction a StopTransaction ends; the message itself does not say.
    """
    payload = call.payload
    if not isinstance(payload, dict):
        raise BadAnswer("header", f"the payload of {call.name} is no object")
    if call.name == "BootNotification":
        return [Said(None, {item: _text(payload[key]) for item, key in _BOOT.items() if payload.get(key)})]
    if call.name == "StatusNotification":
        return [_status(payload)]
    if call.name == "StartTransaction":
        prefix = _prefix(connector_of(payload))
        return [Said(ms_of(payload.get("timestamp")), {prefix + ENERGY: _integer(payload, "meterStart")})]
    if call.name == "StopTransaction":
        stop = {"transaction": 0, ENERGY: _integer(payload, "meterStop")}
        values = list(_meter_values(payload.get("transactionData", []), connector))
        return [
            *values,
            Said(ms_of(payload.get("timestamp")), {_prefix(connector) + name: value for name, value in stop.items()}),
        ]
    if call.name == "MeterValues":
        return _meter(payload)
    return []


def transaction(payload: Mapping[str, Any]) -> int:
    """The transaction that a payload names, 0 where it names none. Chargers also write 0 and -1 for none."""
    number = payload.get("transactionId", 0)
    if isinstance(number, bool) or not isinstance(number, int) or abs(number) > MAX_TRANSACTION:
        raise BadAnswer("header", "transactionId is no integer of 53 bits")
    return max(0, number)


def item(connector: int, what: str) -> str:
    """The name of an item of a connector."""
    return _prefix(connector) + what


def split(name: str) -> tuple[int, str]:
    """Item name -> connector, what. Raises BadAnswer where the connector is none."""
    number, colon, what = name.partition(":")
    if not colon:
        return 1, name
    if not number.isascii() or not number.isdigit() or len(number) > 2 or int(number) > MAX_CONNECTOR:
        raise BadAnswer("header", f"{number[:MAX_TEXT]!r} is no connector from 0 to {MAX_CONNECTOR}")
    return int(number), what


def items(request: bytes, response: bytes) -> dict[str, Raw]:
    """One exchange: what the gateway said ("" if nothing), and what the charger said. Raises BadAnswer.

    The gateway's answer to a StartTransaction, as the request, adds the transaction's number.
    """
    call = parse(response)
    if call.kind != CALL:
        return {}
    found: dict[str, Raw] = {}
    for each in said(call):
        found |= each.items
    reply = parse(request) if request else None
    if reply is not None and reply.kind == RESULT and reply.unique == call.unique and call.name == "StartTransaction":
        if not isinstance(reply.payload, dict):
            raise BadAnswer("header", "the answer's payload is no object")
        found[item(connector_of(call.payload), "transaction")] = transaction(reply.payload)
    return found


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadAnswer("noise", f"no JSON: {str(error)[:80]}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _status(payload: dict[str, Any]) -> Said:
    status, error = payload.get("status"), payload.get("errorCode", "NoError")
    if not isinstance(status, str) or status not in STATUSES:
        raise BadAnswer("header", f"status {str(status)[:MAX_TEXT]!r} is none of OCPP 1.6")
    prefix = _prefix(connector_of(payload))
    told: dict[str, Raw] = {
        prefix + "status": status,
        prefix + "error_code": _text(error),
        prefix + "plugged": status in _PLUGGED,
        prefix + "charging": status == "Charging",
        prefix + "faulted": status == "Faulted",
    }
    if payload.get("vendorErrorCode"):
        told[prefix + "vendor_error"] = _text(payload["vendorErrorCode"])
    return Said(ms_of(payload.get("timestamp")), told)


def _meter(payload: dict[str, Any]) -> list[Said]:
    connector = connector_of(payload)
    values = list(_meter_values(payload.get("meterValue"), connector))
    number = transaction(payload)
    if number and values:
        values[-1].items[item(connector, "transaction")] = number
    return values


def _meter_values(values: object, connector: int) -> Iterator[Said]:
    left = MAX_VALUES
    for value in _objects(values, "meterValue"):
        samples = _objects(value.get("sampledValue"), "sampledValue")
        left -= len(samples)
        if left < 0:
            raise BadAnswer("length", f"more than {MAX_VALUES} sampled values")
        yield Said(ms_of(value.get("timestamp")), _samples(samples, _prefix(connector)))


def _samples(samples: list[dict[str, Any]], prefix: str) -> dict[str, Raw]:
    found: dict[str, Raw] = {}
    phases: dict[str, dict[str, float]] = {}
    for sample in samples:
        measurand, phase = sample.get("measurand", ENERGY[6:]), sample.get("phase", "")
        value = _value(sample)
        if (
            value is None
            or not isinstance(measurand, str)
            or measurand not in _MEASURANDS
            or not isinstance(phase, str)
        ):
            continue  # one value that makes no sense takes none of the others with it
        if not phase:
            found[f"{prefix}meter.{measurand}"] = value
        elif phase in _PHASES:
            found[f"{prefix}meter.{measurand}.{_PHASES[phase]}"] = value
            phases.setdefault(measurand, {})[_PHASES[phase]] = value
    for measurand, each in phases.items():
        whole = _whole(measurand, each)
        if whole is not None:
            found.setdefault(f"{prefix}meter.{measurand}", whole)
    return found


def _whole(measurand: str, phases: dict[str, float]) -> float | None:
    """What a charger that tells phases alone would tell without one: its only phase, or the sum of power or energy."""
    lines = [value for phase, value in phases.items() if phase in _LINE_PHASES]
    if len(lines) == 1:
        return lines[0]
    if len(lines) == 3 and measurand.startswith(("Power.Active", "Power.Reactive", "Energy")):
        return float(f"{sum(lines):.12g}")
    return None


def _value(sample: dict[str, Any]) -> float | None:
    """The number in its base unit; None where it is none, or signed data (SignedData, 7.x ValueFormat)."""
    told, unit = sample.get("value"), sample.get("unit", "")
    if isinstance(told, bool) or not isinstance(told, str | int | float) or not isinstance(unit, str):
        return None
    if (isinstance(told, int) and abs(told) > MAX_TRANSACTION) or sample.get("format", "Raw") != "Raw":
        return None
    try:
        number = decimal.Decimal(str(told).strip()[:MAX_TEXT])
        if not number.is_finite() or abs(number.adjusted()) > 30:
            return 0.0 if number.is_finite() and not number else None
    except decimal.InvalidOperation:
        return None
    return float(_based(number, unit))


def _based(number: decimal.Decimal, unit: str) -> decimal.Decimal:
    if unit in _KILO:
        return number * 1000
    if unit == "K":
        return number - decimal.Decimal("273.15")
    if unit == "Fahrenheit":
        return (number - 32) * 5 / 9
    return number


def _objects(values: object, what: str) -> list[dict[str, Any]]:
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise BadAnswer("header", f"{what} is no array of objects")
    return values


def connector_of(payload: Mapping[str, Any]) -> int:
    """The connector that a payload names. Raises BadAnswer."""
    number = payload.get("connectorId")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_CONNECTOR:
        raise BadAnswer("header", f"connectorId is no integer from 0 to {MAX_CONNECTOR}")
    return number


def _integer(payload: Mapping[str, Any], key: str) -> int:
    number = payload.get(key)
    if isinstance(number, bool) or not isinstance(number, int) or abs(number) > MAX_TRANSACTION:
        raise BadAnswer("header", f"{key} is no integer")
    return number


def _prefix(connector: int) -> str:
    return "" if connector == 1 else f"{connector}:"


def _text(value: object) -> str:
    """A text that can be stored: bounded, printable, without lone surrogates."""
    if not isinstance(value, str):
        raise BadAnswer("header", "a text is expected")
    return "".join(character for character in value[:MAX_TEXT] if character.isprintable()).strip()
