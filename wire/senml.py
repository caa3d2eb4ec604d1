"""SenML (RFC 8428): one record after the other, with the base fields that go before it.

Only the JSON form, already parsed. Section numbers are the RFC's.
"""

from wire.errors import PackError, shown
from wire.names import has_only, is_text
from wire.numbers import is_number

SENML_VERSION = 10  # section 4.1, bver
RELATIVE_LIMIT_S = 1 << 28  # section 4.5.3: a smaller time is relative to now
MAX_TIME_S = 1 << 33  # the year 2242: nanoseconds in 63 bits, as databases count them, end in 2262
MAX_UNIT = 64  # characters; the longest registered one has 6

_BASE = ("bn", "bt", "bu", "bv", "bs")
_VALUES = ("v", "vs", "vb", "vd")
_FIRST = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"  # section 4.5.1
_REST = _FIRST + "-:./_"


def check_understood(records: list[dict[str, object]]) -> None:
    """Raises PackError when the records as a whole mean something that this code does not know (4.1 bver, 4.4)."""
    for record in records:
        for label in record:
            if not isinstance(label, str) or label[-1:] == "_":
                raise PackError("label", "a label that ends in _ must be understood: %s" % shown(label))
        version = record.get("bver", SENML_VERSION)
        if not is_number(version) or version != int(version) or not 0 < version <= SENML_VERSION:  # type: ignore
            raise PackError("version", "bver is 1 to %d, not %s" % (SENML_VERSION, shown(version)))


def new_base() -> dict[str, object]:
    """The base fields before the first record."""
    return {"bn": "", "bt": 0}


def resolve(record: dict[str, object], base: dict[str, object], now_ms: int = 0):  # type: ignore[no-untyped-def]
    """One record -> (name, unit or None, time_ms, value or None, sum or None). Updates base.

    value: float, int, bool or str; None where the record carries a sum alone or nothing (the caller decides).
    A time below 2**28 s counts from now_ms. Raises PackError with reason name, time, value or unit.
    """
    # A wrong base field is taken as well, and every record under it refused: the one before it no longer holds.
    for label in _BASE:
        if label in record:
            base[label] = record[label]
    return (
        _name(record, base),
        _unit(record, base),
        _time_ms(record, base, now_ms),
        _value(record, base),
        _number(record, "s", base, "bs"),
    )


def _name(record: dict[str, object], base: dict[str, object]) -> str:
    before, own = base["bn"], record.get("n", "")
    if not isinstance(before, str) or not isinstance(own, str):
        raise PackError("name", "bn and n are strings")
    name = before + own
    if not name or name[0] not in _FIRST or not has_only(name, _REST):
        raise PackError("name", "bn + n has A-Z a-z 0-9 - : . / _, the first a letter or a digit; not %s" % shown(name))
    return name


def _unit(record: dict[str, object], base: dict[str, object]) -> str | None:
    for fields, label in ((record, "u"), (base, "bu")):
        if label in fields and not is_text(fields[label], MAX_UNIT):
            raise PackError("unit", "%s is a text of at most %d characters" % (label, MAX_UNIT))
    return record.get("u") or base.get("bu")  # type: ignore[return-value]


def _time_ms(record: dict[str, object], base: dict[str, object], now_ms: int) -> int:
    # Each part by itself: 1763683200.250 + 0.001 in doubles is off by more than either.
    time_ms = _milliseconds(base["bt"], "bt") + _milliseconds(record.get("t", 0), "t")
    if time_ms < RELATIVE_LIMIT_S * 1000:
        time_ms += now_ms
    return time_ms


def _milliseconds(seconds: object, label: str) -> int:
    if not is_number(seconds) or not -MAX_TIME_S <= seconds <= MAX_TIME_S:  # type: ignore[operator]
        raise PackError("time", "%s is a number of seconds up to 2**33, not %s" % (label, shown(seconds)))
    return round(seconds * 1000)  # type: ignore[operator]


def _value(record: dict[str, object], base: dict[str, object]) -> object:
    found = [label for label in _VALUES if label in record]
    if len(found) > 1:
        raise PackError("value", "a record has one value, not both %s and %s" % (found[0], found[1]))
    number = _number(record, "v", base, "bv")
    if not found:
        return None if "s" in record else number
    value = record[found[0]]
    if found[0] == "v":
        return number
    if found[0] == "vb" and value is not True and value is not False:
        raise PackError("value", "vb is true or false")
    if found[0] != "vb" and not isinstance(value, str):
        raise PackError("value", "%s is a string" % found[0])
    return value


def _number(record: dict[str, object], label: str, base: dict[str, object], base_label: str) -> object:
    # What is missing counts as 0 beside the other (4.1 bv, bs); where both are missing there is no number.
    total = None
    for fields, key in ((base, base_label), (record, label)):
        if key in fields:
            part = fields[key]
            total = part if total is None or not is_number(part) else total + part  # type: ignore[operator]
            if not is_number(total):
                raise PackError("value", "%s is a finite number, and an integer stays below 2**53" % key)
    return total
