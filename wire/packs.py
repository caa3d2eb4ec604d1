"""Packs of readings: SenML JSON with `ep` and `sq` on the first record, and `q` on a record that has no value.

A reading to send is (device, point, time_ms, value, quality): device is "pole/device", time_ms counts from 1970 UTC,
value is float, int, bool, str or None, and quality is None exactly when there is a value.
"""

import json

from wire.errors import PackError, shown
from wire.identity import check_identity
from wire.names import NAME_RULE, has_only, is_name, is_text
from wire.numbers import is_number
from wire.payloads import check_size, load
from wire.senml import MAX_TIME_S, RELATIVE_LIMIT_S, check_understood, new_base, resolve

MAX_RECORDS = 1000
MAX_BYTES = 64 * 1024
MAX_TEXT = 1024  # characters of a text value
QUALITIES = ("timeout", "crc", "range", "stale", "clock", "disabled")  # and exception-N, N = 1 to 255 (Modbus)


class Pack:
    """epoch: 8 hexadecimal digits. number: from 1. readings: (pole, device, point, time_ms, value, quality, unit).

    refused: (index of the record, reason, detail) for each record that breaks the contract by itself.
    """

    def __init__(
        self,
        epoch: str,
        number: int,
        readings: list[tuple[str, str, str, int, float | bool | str | None, str | None, str | None]],
        refused: list[tuple[int, str, str]],
    ) -> None:
        self.epoch = epoch
        self.number = number
        self.readings = readings
        self.refused = refused


def encode(
    epoch: str, number: int, readings: list[tuple[str, str, int, float | bool | str | None, str | None]]
) -> bytes:
    """Readings -> payload. Raises PackError where a reading or the pack's size breaks the contract."""
    check_identity(epoch, number)
    check_records(len(readings))
    identity = '"ep":"%s","sq":%d,' % (epoch, number)
    base_device, base_ms = None, 0
    out: list[str] = []
    for device, point, time_ms, value, quality in readings:
        check_time(time_ms)
        out.append(",{" if out else "[{")
        if device != base_device:
            check_device(device)
            out.append('"bn":"%s/",' % device)
            base_device = device
            if time_ms != base_ms:
                out.append('"bt":%s,' % seconds(time_ms))
                base_ms = time_ms
            out.append(identity)
            identity = ""
        if not is_name(point):
            raise PackError("name", "a point is %s; not %s" % (NAME_RULE, shown(point)))
        out.append('"n":"%s",' % point)
        if time_ms != base_ms:
            out.append('"t":%s,' % seconds(time_ms - base_ms))
        out.append(_encode_value(value, quality))
    out.append("]")
    body = "".join(out).encode()
    check_size(body, MAX_BYTES, PackError)
    return body


def decode(body: bytes) -> Pack:
    """Payload -> Pack. Raises PackError where the pack as a whole is unusable; single bad records are in `refused`."""
    records = _load(body)
    epoch, number = records[0].get("ep"), records[0].get("sq")
    check_identity(epoch, number)
    check_understood(records)
    pack = Pack(epoch, number, [], [])  # type: ignore[arg-type]
    base = new_base()
    for index in range(len(records)):
        try:
            pack.readings.append(_reading(records[index], base, index))
        except PackError as error:
            pack.refused.append((index, error.reason, error.detail))
    return pack


def check_device(device: object) -> None:
    """Raises PackError unless device is "pole/device"."""
    parts = device.split("/") if isinstance(device, str) else []
    if len(parts) != 2 or not is_name(parts[0]) or not is_name(parts[1]):
        raise PackError("name", "a device is pole/device, each %s; not %s" % (NAME_RULE, shown(device)))


def check_time(time_ms: object) -> None:
    """Raises PackError unless time_ms is an integer, later than 2**28 s and not later than 2**33 s after 1970."""
    if not isinstance(time_ms, int) or not RELATIVE_LIMIT_S * 1000 <= time_ms <= MAX_TIME_S * 1000:
        raise PackError("time", "a time lies between 2**28 and 2**33 s after 1970, in ms, not %s" % shown(time_ms))


def check_records(count: int) -> None:
    """Raises PackError unless a pack may have so many records."""
    if not 0 < count <= MAX_RECORDS:
        raise PackError("records", "a pack has 1 to %d records, not %d" % (MAX_RECORDS, count))


def is_quality(text: object) -> bool:
    """True for a code that may stand in `q`."""
    if not isinstance(text, str) or text in QUALITIES:
        return isinstance(text, str)
    digits = text[10:]
    if text[:10] != "exception-" or not 0 < len(digits) <= 3 or not has_only(digits, "0123456789"):
        return False
    return digits[0] != "0" and int(digits) <= 255


def seconds(time_ms: int) -> str:
    """Milliseconds -> decimal seconds, from integers alone: an ESP32's floats have 24 bits."""
    whole = abs(time_ms)
    return "%s%d.%03d" % ("-" if time_ms < 0 else "", whole // 1000, whole % 1000)


def _load(body: bytes) -> list[dict[str, object]]:
    records = load(body, MAX_BYTES, PackError)
    if not isinstance(records, list):
        raise PackError("shape", "a pack is an array of records, not %s" % shown(records))
    check_records(len(records))
    for record in records:
        if not isinstance(record, dict):
            raise PackError("shape", "a record is an object, not %s" % shown(record))
    return records


def _reading(record: dict[str, object], base: dict[str, object], index: int):  # type: ignore[no-untyped-def]
    name, unit, time_ms, value, _sum = resolve(record, base)
    parts = name.split("/")
    if len(parts) != 3 or not (is_name(parts[0]) and is_name(parts[1]) and is_name(parts[2])):
        raise PackError("name", "bn + n is pole/device/point, each %s; not %s" % (NAME_RULE, shown(name)))
    if index and ("ep" in record or "sq" in record):
        raise PackError("label", "ep and sq stand on the first record alone")
    check_time(time_ms)
    quality = record.get("q")
    if "q" in record and not is_quality(quality):
        known = ", ".join(QUALITIES)
        raise PackError("quality", "q is one of %s, exception-1 to exception-255; not %s" % (known, shown(quality)))
    if (value is None) == (quality is None):
        raise PackError("value", "a record has a value or a quality, and not both")
    if "vd" in record:
        raise PackError("value", "a value is a number (v), a bool (vb) or a text (vs), not data (vd)")
    if isinstance(value, str) and not is_text(value, MAX_TEXT):
        raise PackError("value", "a text has at most %d characters, none of them half a pair" % MAX_TEXT)
    return parts[0], parts[1], parts[2], time_ms, value, quality, unit


def _encode_value(value: object, quality: str | None) -> str:
    if quality is not None:
        if value is not None or not is_quality(quality):
            raise PackError("quality", "a reading with a quality has no value, and a known code: %s" % shown(quality))
        return '"q":"%s"}' % quality
    if value is True or value is False:
        return '"vb":true}' if value else '"vb":false}'
    if is_number(value):
        return '"v":%s}' % json.dumps(value)
    if is_text(value, MAX_TEXT):
        return '"vs":%s}' % json.dumps(value)
    raise PackError("value", "a value is a finite number, a bool or a text of at most %d characters" % MAX_TEXT)
