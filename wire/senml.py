"""SenML (RFC 8428): one record after the other, with the base fields that go before it.

Only the JSON form, already parsed. Section numbers are the RFC's.
"""

from wire.errors import PackError

SENML_VERSION = 10  # section 4.1, bver
RELATIVE_LIMIT_S = 1 << 28  # section 4.5.3: a smaller time is relative to now
EXACT_INTEGER = 1 << 53  # beyond it a double no longer holds every integer

_VALUES = ("v", "vs", "vb", "vd")


def new_base() -> dict[str, object]:
    """The base fields before the first record."""
    return {"bn": "", "bt": 0, "bu": None, "bv": None, "bs": None, "bver": None}


def resolve(record: dict[str, object], base: dict[str, object], now_ms: int = 0):  # type: ignore[no-untyped-def]
    """One record -> (name, unit or None, time_ms, value or None, sum or None). Updates base.

    value: float, int, bool or str; None where the record carries a sum alone or nothing (the caller decides).
    A time below 2**28 s counts from now_ms. Raises PackError with reason version, label, name, time, value or unit.
    """
    _take_base(record, base)
    name = str(base["bn"]) + _text(record, "n", "name")
    _check_name(name)
    unit = _text(record, "u", "unit") or base["bu"]
    return name, unit, _time_ms(record, base, now_ms), _value(record, base), _sum(record, base)


def _take_base(record: dict[str, object], base: dict[str, object]) -> None:
    # A base that is wrong must not leave the one before it in force: later records would get a false name or time.
    for label in record:
        if not isinstance(label, str) or label[-1:] == "_":
            raise PackError("label", "a label that ends in _ must be understood (section 4.4): %r" % str(label)[:64])
    if "bver" in record:
        version = record["bver"]
        if not _is_number(version) or version != int(version) or not 0 < version <= SENML_VERSION:  # type: ignore
            raise PackError("version", "bver is at most %d, not %r" % (SENML_VERSION, str(version)[:32]))
    for label, reason in (("bn", "name"), ("bu", "unit")):
        if label in record:
            base[label] = ""
            if not isinstance(record[label], str):
                base[label] = None if label == "bu" else "?"
                raise PackError(reason, "%s is a string" % label)
            base[label] = record[label]
    for label, reason in (("bt", "time"), ("bv", "value"), ("bs", "value")):
        if label in record:
            base[label] = record[label]
    for label, reason in (("bt", "time"), ("bv", "value"), ("bs", "value")):
        if base[label] is not None and not _is_number(base[label]):
            raise PackError(reason, "%s is a finite number" % label)


def _text(record: dict[str, object], label: str, reason: str) -> str:
    text = record.get(label, "")
    if not isinstance(text, str):
        raise PackError(reason, "%s is a string" % label)
    return text


def _check_name(name: str) -> None:
    # section 4.5.1: A-Z a-z 0-9 - : . / _ and the first a letter or a digit
    if not name or name[0] in "-:./_":
        raise PackError("name", "a name starts with a letter or a digit, not %r" % name[:80])
    for char in name:
        if not ("a" <= char <= "z" or "A" <= char <= "Z" or "0" <= char <= "9" or char in "-:./_"):
            raise PackError("name", "a name has A-Z a-z 0-9 - : . / _ only, not %r" % name[:80])


def _time_ms(record: dict[str, object], base: dict[str, object], now_ms: int) -> int:
    own = record.get("t", 0)
    if not _is_number(own):
        raise PackError("time", "t is a finite number of seconds")
    # Each part by itself: 1763683200.250 + 0.001 in doubles is off by more than either.
    time_ms = round(base["bt"] * 1000) + round(own * 1000)  # type: ignore[operator]
    if abs(time_ms) < RELATIVE_LIMIT_S * 1000:
        time_ms += now_ms
    return time_ms


def _value(record: dict[str, object], base: dict[str, object]) -> object:
    found = None
    for label in _VALUES:
        if label in record:
            if found is not None:
                raise PackError("value", "a record has one value, not both %s and %s" % (found, label))
            found = label
    if found is None:
        return base["bv"] if base["bv"] is not None and "s" not in record else None
    value = record[found]
    if found == "v":
        if not _is_number(value):
            raise PackError("value", "v is a finite number, and an integer stays below 2**53")
        return value if base["bv"] is None else value + base["bv"]  # type: ignore[operator]
    if found == "vb":
        if value is not True and value is not False:
            raise PackError("value", "vb is true or false")
    elif not isinstance(value, str):
        raise PackError("value", "%s is a string" % found)
    return value


def _sum(record: dict[str, object], base: dict[str, object]) -> object:
    own = record.get("s")
    if own is None and "s" not in record:
        return base["bs"]
    if not _is_number(own):
        raise PackError("value", "s is a finite number")
    return own if base["bs"] is None else own + base["bs"]  # type: ignore[operator]


def _is_number(value: object) -> bool:
    if value is True or value is False:
        return False
    if isinstance(value, int):
        return -EXACT_INTEGER <= value <= EXACT_INTEGER
    return isinstance(value, float) and value - value == 0  # neither infinite nor NaN
