"""The usual pack, read fast: JSON straight into runs, where nothing in it asks for a second look.

It says exactly what `ingest.accept` says by way of `wire.packs`, or nothing at all: whatever is unusual, wrong or of a
newer kind is left to them. A test holds the two together on every vector and on packs that chance has damaged.

The usual pack is written as `wire.packs` writes it: `bn` begins what a device says, and its readings follow. So the
text is cut there, and most of it decoded as what it nearly always is: names and numbers, and nothing else. No cut can
lie inside a string, because a quote in a string has a backslash before it.
"""

from itertools import groupby
from operator import attrgetter, le
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ingest.registry import Devices
from ingest.rows import Bad, Place, Points, Run, Shape, Value
from wire.names import is_epoch
from wire.numbers import EXACT_INTEGER
from wire.packs import MAX_BYTES, MAX_RECORDS, MAX_TEXT, is_quality
from wire.senml import MAX_TIME_S, RELATIVE_LIMIT_S

Usual = tuple[str, int, list[Run], int, int, int]  # epoch, number, runs, how many readings, their oldest and newest ms

_OLDEST_MS, _NEWEST_MS = RELATIVE_LIMIT_S * 1000, MAX_TIME_S * 1000


class _Head(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    bn: str
    bt: float | UnsetType = UNSET
    ep: str | UnsetType = UNSET
    sq: int | UnsetType = UNSET


class _Number(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    n: str
    v: float


class _Record(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    n: str
    u: str | UnsetType = UNSET
    t: float = 0.0
    v: float | UnsetType = UNSET
    vb: bool | UnsetType = UNSET
    vs: str | UnsetType = UNSET
    q: str | UnsetType = UNSET


class _Unusual(Exception):
    pass


_head = msgspec.json.Decoder(_Head).decode
_numbers = msgspec.json.Decoder(list[_Number]).decode
_records = msgspec.json.Decoder(list[_Record]).decode
_time = attrgetter("t")

# no such device or point, a time that is no number, what is no JSON of these shapes
_UNUSUAL = (_Unusual, KeyError, OverflowError, TypeError, ValueError, msgspec.MsgspecError, RecursionError)


def read(body: bytes, devices: Devices, latest_ms: int) -> Usual | None:
    """A payload -> what is to be stored of it; None: it needs the long way. After latest_ms begins the future."""
    if len(body) > MAX_BYTES or body[:7] != b'[{"bn":' or body[-2:] != b"}]":
        return None
    try:
        return _usual(body, devices, min(latest_ms, _NEWEST_MS))
    except _UNUSUAL:
        return None


def _usual(body: bytes, devices: Devices, latest_ms: int) -> Usual:
    runs: list[Run] = []
    epoch: str | None = None
    number = base_ms = count = 0
    for part in body[7:-2].split(b'},{"bn":'):
        cut = part.index(b',"n":')
        head = _head(b'{"bn":' + part[:cut] + b"}")
        if head.ep is not UNSET or head.sq is not UNSET:  # on the first alone
            if epoch is not None or not is_epoch(head.ep) or not 0 < head.sq <= EXACT_INTEGER:  # type: ignore[operator]
                raise _Unusual
            epoch, number = head.ep, head.sq  # type: ignore[assignment]
        if head.bt is not UNSET:
            base_ms = _milliseconds(head.bt)
        place, points = devices[head.bn]
        count += _add(runs, place, points, base_ms, b"[{" + part[cut + 1 :] + b"}]")
    times = [run[2] for run in runs]
    oldest, newest = min(times), max(times)
    if epoch is None or count > MAX_RECORDS or oldest < _OLDEST_MS or newest > latest_ms:
        raise _Unusual
    return epoch, number, runs, count, oldest, newest


def _milliseconds(seconds: float) -> int:
    if not -MAX_TIME_S <= seconds <= MAX_TIME_S:
        raise _Unusual
    return round(seconds * 1000)


def _add(runs: list[Run], place: Place, points: Points, base_ms: int, text: bytes) -> int:
    """What one device says, in a run for each time and function. Returns how many readings."""
    if place.numbers:
        try:
            told = _numbers(text)
        except msgspec.ValidationError:
            place.numbers = False
        else:
            names, values = tuple([each.n for each in told]), [each.v for each in told]
            at = 0
            for shape in points.shapes(names):
                some = values if len(shape.rules) == len(values) else values[at : at + len(shape.rules)]
                runs.append((place, shape, base_ms, _in_range(shape, some), True))
                at += len(some)
            return at
    return _add_all_kinds(runs, place, points, base_ms, text)


def _add_all_kinds(runs: list[Run], place: Place, points: Points, base_ms: int, text: bytes) -> int:
    count = 0
    usual = True  # names and numbers, and nothing else: as such it is read next time
    for offset, alike in groupby(_records(text), key=_time):
        time_ms = base_ms + _milliseconds(offset)
        records = list(alike)
        at = 0
        for shape in points.shapes(tuple([record.n for record in records])):
            values, numbers = _values(shape, records[at : at + len(shape.rules)])
            runs.append((place, shape, time_ms, values, numbers))
            usual = usual and numbers and not offset
            at += len(values)
        count += at
    place.numbers = usual
    return count


def _in_range(shape: Shape, numbers: list[Any]) -> list[Value]:
    if all(map(le, shape.lows, numbers)) and all(map(le, numbers, shape.highs)):
        return numbers
    raise _Unusual


def _values(shape: Shape, records: list[_Record]) -> tuple[list[Value], bool]:
    """The value of each record, and whether all are numbers."""
    odd = [each for each in records if each.v is UNSET or not each.u is each.vb is each.vs is each.q is UNSET]
    if odd:
        return [_value(shape, place, record) for place, record in enumerate(records)], False
    return _in_range(shape, [record.v for record in records]), True


def _value(shape: Shape, place: int, record: _Record) -> Value:
    number, flag, text, quality = record.v, record.vb, record.vs, record.q
    if (number is UNSET) + (flag is UNSET) + (text is UNSET) + (quality is UNSET) != 3:
        raise _Unusual
    rule = shape.rules[place]
    if record.u is not UNSET and record.u != rule.unit:
        raise _Unusual
    if number is not UNSET:
        if shape.lows[place] <= number <= shape.highs[place]:
            return number
    elif quality is not UNSET:
        if is_quality(quality):
            return Bad(quality)
    elif rule.low is None:
        if flag is not UNSET:
            return flag
        if len(text) <= MAX_TEXT and "\0" not in text:  # type: ignore[arg-type,operator]
            return text  # type: ignore[return-value]
    raise _Unusual
