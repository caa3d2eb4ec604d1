"""Packs of readings: SenML JSON with `ep` and `sq` on the first record, and `q` on a record that has no value.

A reading to send is (device, point, time_ms, value, quality): device is "pole/device", time_ms counts from 1970 UTC,
value is float, int, bool, str or None, and quality is None exactly when there is a value.
"""

import json

from wire.errors import PackError
from wire.names import NAME_RULE, is_name
from wire.senml import EXACT_INTEGER, RELATIVE_LIMIT_S, new_base, resolve

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
        readings: list[tuple[str, str, str, int, object, str | None, str | None]],
        refused: list[tuple[int, str, str]],
    ) -> None:
        self.epoch = epoch
        self.number = number
        self.readings = readings
        self.refused = refused


def encode(epoch: str, number: int, readings: list[tuple[str, str, int, object, str | None]]) -> bytes:
    """Readings -> payload. Raises PackError where a reading or the pack's size breaks the contract."""
    check_identity(epoch, number)
    if not 0 < len(readings) <= MAX_RECORDS:
        raise PackError("records", "a pack has 1 to %d records, not %d" % (MAX_RECORDS, len(readings)))
    out: list[str] = []
    base_device = None
    base_ms = -1
    for device, point, time_ms, value, quality in readings:
        out.append("," if out else "[")
        if device != base_device:
            check_device(device)
            out.append('{"bn":"%s/",' % device)
            base_device = device
            if time_ms != base_ms:
                out.append('"bt":%s,' % seconds(time_ms))
                base_ms = time_ms
            if len(out) == 3:
                out.append('"ep":"%s","sq":%d,' % (epoch, number))
        else:
            out.append("{")
        if not is_name(point):
            raise PackError("name", "a point is %s, not %r" % (NAME_RULE, str(point)[:80]))
        out.append('"n":"%s",' % point)
        if time_ms != base_ms:
            out.append('"t":%s,' % seconds(time_ms - base_ms))
        out.append(_encode_value(value, quality))
    out.append("]")
    body = "".join(out).encode()
    if len(body) > MAX_BYTES:
        raise PackError("size", "a pack has at most %d bytes, not %d" % (MAX_BYTES, len(body)))
    return body


def decode(body: bytes) -> Pack:
    """Payload -> Pack. Raises PackError where the pack as a whole is unusable; single bad records are in `refused`."""
    records = _load(body)
    first = records[0]
    epoch, number = first.get("ep"), first.get("sq")
    check_identity(epoch, number)
    pack = Pack(epoch, number, [], [])  # type: ignore[arg-type]
    base = new_base()
    for index in range(len(records)):
        record = records[index]
        try:
            pack.readings.append(_reading(record, base, index))
        except PackError as error:
            pack.refused.append((index, error.reason, error.detail))
    return pack


def check_identity(epoch: object, number: object) -> None:
    """Raises PackError unless epoch is 8 lower-case hexadecimal digits and number is 1 to 2**53."""
    if not isinstance(epoch, str) or len(epoch) != 8 or not _is_hex(epoch):
        raise PackError("epoch", "ep is 8 lower-case hexadecimal digits, not %r" % str(epoch)[:32])
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= EXACT_INTEGER:
        raise PackError("number", "sq is an integer from 1, not %r" % str(number)[:32])


def check_device(device: str) -> None:
    """Raises PackError unless device is "pole/device"."""
    parts = device.split("/") if isinstance(device, str) else []
    if len(parts) != 2 or not is_name(parts[0]) or not is_name(parts[1]):
        raise PackError("name", "a device is pole/device, each %s; not %r" % (NAME_RULE, str(device)[:140]))


def is_quality(text: object) -> bool:
    """True for a code that may stand in `q`."""
    if not isinstance(text, str):
        return False
    if text in QUALITIES:
        return True
    digits = text[10:]
    if text[:10] != "exception-" or not 0 < len(digits) <= 3 or digits[0] == "0":
        return False
    for char in digits:
        if not "0" <= char <= "9":
            return False
    return int(digits) <= 255


def seconds(time_ms: int) -> str:
    """Milliseconds -> decimal seconds, from integers alone: an ESP32's floats have 24 bits."""
    whole = abs(time_ms)
    return "%s%d.%03d" % ("-" if time_ms < 0 else "", whole // 1000, whole % 1000)


def _load(body: bytes) -> list[dict[str, object]]:
    if len(body) > MAX_BYTES:
        raise PackError("size", "a pack has at most %d bytes, not %d" % (MAX_BYTES, len(body)))
    try:
        records = json.loads(str(body, "utf-8"))
    except (ValueError, RuntimeError, MemoryError):  # RuntimeError: nested too deep
        raise PackError("json", "the payload is not JSON in UTF-8") from None
    if not isinstance(records, list) or not records:
        raise PackError("shape", "a pack is an array of records")
    if len(records) > MAX_RECORDS:
        raise PackError("records", "a pack has 1 to %d records, not %d" % (MAX_RECORDS, len(records)))
    for record in records:
        if not isinstance(record, dict):
            raise PackError("shape", "a record is an object")
    return records


def _reading(record: dict[str, object], base: dict[str, object], index: int):  # type: ignore[no-untyped-def]
    name, unit, time_ms, value, _sum = resolve(record, base)
    parts = name.split("/")
    if len(parts) != 3 or not (is_name(parts[0]) and is_name(parts[1]) and is_name(parts[2])):
        raise PackError("name", "bn + n is pole/device/point, not %r" % name[:200])
    if index and ("ep" in record or "sq" in record):
        raise PackError("label", "ep and sq stand on the first record alone")
    if time_ms < RELATIVE_LIMIT_S * 1000:
        raise PackError("time", "bt + t is an absolute time in seconds since 1970, not %s" % seconds(time_ms))
    if time_ms > EXACT_INTEGER:
        raise PackError("time", "bt + t is out of range")
    quality = record.get("q")
    if "q" in record and not is_quality(quality):
        raise PackError("quality", "q is one of %s, exception-1 to exception-255; not %r" % (", ".join(QUALITIES), str(quality)[:32]))
    if (value is None) == (quality is None):
        raise PackError("value", "a record has a value or a quality, and not both")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise PackError("value", "a text has at most %d characters" % MAX_TEXT)
    return parts[0], parts[1], parts[2], time_ms, value, quality, unit


def _encode_value(value: object, quality: str | None) -> str:
    if quality is not None:
        if value is not None or not is_quality(quality):
            raise PackError("quality", "a reading of quality %r has no value, and a known code" % str(quality)[:32])
        return '"q":"%s"}' % quality
    if value is True or value is False:
        return '"vb":true}' if value else '"vb":false}'
    if isinstance(value, int) and -EXACT_INTEGER <= value <= EXACT_INTEGER:
        return '"v":%d}' % value
    if isinstance(value, float) and value - value == 0:
        return '"v":%s}' % repr(value)
    if isinstance(value, str) and len(value) <= MAX_TEXT:
        return '"vs":%s}' % json.dumps(value)
    raise PackError("value", "a value is a finite number, true or false, or a text of at most %d characters" % MAX_TEXT)


def _is_hex(text: str) -> bool:
    for char in text:
        if char not in "0123456789abcdef":
            return False
    return True
