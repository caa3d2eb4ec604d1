"""The usual pack, read fast: JSON straight into runs, where nothing in it asks for a second look.

It says exactly what `ingest.accept` says by way of `wire.packs`, or nothing at all: whatever is unusual, wrong or of a
newer kind is left to them. A test holds the two together on every vector and on packs that chance has damaged.
"""

import msgspec
from msgspec import UNSET, UnsetType

from ingest.registry import Devices
from ingest.rows import Bad, Place, Points, Rule, Run, Step, Value
from wire.names import is_epoch
from wire.numbers import EXACT_INTEGER
from wire.packs import MAX_BYTES, MAX_RECORDS, MAX_TEXT, is_quality
from wire.senml import MAX_TIME_S, RELATIVE_LIMIT_S

Usual = tuple[str, int, list[Run], int, int, int]  # epoch, number, runs, how many readings, their oldest and newest ms

_OLDEST_MS, _NEWEST_MS = RELATIVE_LIMIT_S * 1000, MAX_TIME_S * 1000


class _Record(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    bn: str | UnsetType = UNSET
    bt: float | UnsetType = UNSET
    ep: str | UnsetType = UNSET
    sq: int | UnsetType = UNSET
    n: str = ""
    u: str | UnsetType = UNSET
    t: float = 0.0
    v: float | UnsetType = UNSET
    vb: bool | UnsetType = UNSET
    vs: str | UnsetType = UNSET
    q: str | UnsetType = UNSET


class _Unusual(Exception):
    pass


_decode = msgspec.json.Decoder(list[_Record]).decode
_NOTHING = Points()  # before the first device

# no JSON of this shape; no such device or point; a time that is no number
_UNUSUAL = (_Unusual, msgspec.MsgspecError, KeyError, OverflowError, ValueError, RecursionError)


def read(body: bytes, devices: Devices, latest_ms: int) -> Usual | None:
    """A payload -> what is to be stored of it; None: it needs the long way. After latest_ms begins the future."""
    if len(body) > MAX_BYTES:
        return None
    try:
        records = _decode(body)
        if not 0 < len(records) <= MAX_RECORDS:
            return None
        first = records[0]
        epoch, number = first.ep, first.sq
        if not is_epoch(epoch) or number is UNSET or not 0 < number <= EXACT_INTEGER:
            return None
        first.ep = first.sq = UNSET
        runs, oldest, newest = _runs(records, devices, min(latest_ms, _NEWEST_MS))
    except _UNUSUAL:
        return None
    return epoch, number, runs, len(records), oldest, newest  # type: ignore[return-value]


def _runs(records: list[_Record], devices: Devices, latest_ms: int) -> tuple[list[Run], int, int]:
    """What each device said at each time, the oldest time and the newest. One loop: calls would double its time."""
    runs: list[Run] = []
    place: Place | None = None
    points = _NOTHING
    step = points.start
    values: list[Value] = []
    plain, base_ms, time_ms = True, 0, 0
    offset: float | None = None
    oldest, newest = latest_ms, 0
    for record in records:
        if record.t != offset or not record.bn is record.bt is record.ep is record.sq is UNSET:
            if values:
                _add(runs, place, step, time_ms, values, plain)
                values, plain = [], True
            if record.ep is not UNSET or record.sq is not UNSET:  # on another record than the first
                raise _Unusual
            if record.bn is not UNSET:
                place, points = devices[record.bn]
            if record.bt is not UNSET:
                base_ms = _milliseconds(record.bt)
            offset = record.t
            time_ms = base_ms + _milliseconds(offset) if offset else base_ms
            if not _OLDEST_MS <= time_ms <= latest_ms:
                raise _Unusual
            oldest = time_ms if time_ms < oldest else oldest
            newest = time_ms if time_ms > newest else newest
            step = points.start
        step = step[record.n]
        number = record.v
        if number is not UNSET and record.vb is record.vs is record.q is record.u is UNSET:
            if not step.least <= number <= step.most:
                raise _Unusual
            values.append(number)
        else:
            value = _value(step.rule, record)
            plain = plain and not isinstance(value, str)
            values.append(value)
    _add(runs, place, step, time_ms, values, plain)
    return runs, oldest, newest


def _add(runs: list[Run], place: Place | None, step: Step, time_ms: int, values: list[Value], plain: bool) -> None:
    assert place is not None  # without a device no point was found
    if step.shape is not None:
        runs.append((place, step.shape, time_ms, values, plain))
        return
    at = 0
    for shape in step.shapes():
        runs.append((place, shape, time_ms, values[at : at + len(shape.rules)], plain))
        at += len(shape.rules)


def _milliseconds(seconds: float) -> int:
    if not -MAX_TIME_S <= seconds <= MAX_TIME_S:
        raise _Unusual
    return round(seconds * 1000)


def _value(rule: Rule, record: _Record) -> Value:
    number, flag, text, quality = record.v, record.vb, record.vs, record.q
    if record.u is not UNSET and record.u != rule.unit:
        raise _Unusual
    if number is not UNSET:
        if flag is text is quality is UNSET and rule.least <= number <= rule.most:
            return number
    elif quality is not UNSET:
        if flag is text is UNSET and is_quality(quality):
            return Bad(quality)
    elif rule.low is not None:
        raise _Unusual
    elif flag is not UNSET:
        if text is UNSET:
            return flag
    elif text is not UNSET and len(text) <= MAX_TEXT and "\0" not in text:
        return text
    raise _Unusual
