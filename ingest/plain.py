"""The usual pack, read fast: JSON straight into readings, where nothing in it asks for a second look.

It says exactly what `ingest.accept` says by way of `wire.packs`, or nothing at all: whatever is unusual, wrong or of a
newer kind is left to them. A test holds the two together on every vector and on packs that chance has damaged.
"""

import msgspec
from msgspec import UNSET, UnsetType

from ingest.registry import Devices
from ingest.rows import Reading
from wire.names import is_epoch
from wire.numbers import EXACT_INTEGER
from wire.packs import MAX_BYTES, MAX_RECORDS, MAX_TEXT, is_quality
from wire.senml import MAX_TIME_S, RELATIVE_LIMIT_S

Usual = tuple[str, int, list[Reading], int, int]  # epoch, number, readings, their oldest and newest ms

_OLDEST_MS, _NEWEST_MS = RELATIVE_LIMIT_S * 1000, MAX_TIME_S * 1000
_EXACT = float(EXACT_INTEGER)  # beyond it an integer is refused, and a float can no longer tell


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


_decode = msgspec.json.Decoder(list[_Record]).decode


def read(body: bytes, devices: Devices, latest_ms: int) -> Usual | None:
    """A payload -> what is to be stored of it; None: it needs the long way. After latest_ms begins the future."""
    if len(body) > MAX_BYTES:
        return None
    try:
        records = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not 0 < len(records) <= MAX_RECORDS:
        return None
    first = records[0]
    epoch, number = first.ep, first.sq
    if not is_epoch(epoch) or number is UNSET or not 0 < number <= EXACT_INTEGER:
        return None
    first.ep = first.sq = UNSET
    try:
        return _usual(epoch, number, records, devices, min(latest_ms, _NEWEST_MS))  # type: ignore[arg-type]
    except (KeyError, OverflowError, ValueError):  # no such device or point; a time that is no number
        return None


def _usual(epoch: str, number: int, records: list[_Record], devices: Devices, latest_ms: int) -> Usual | None:
    rows: list[Reading] = []
    base_ms = 0
    place = points = None
    oldest, newest = latest_ms, 0
    for record in records:
        if record.bn is not UNSET:
            place, points = devices[record.bn]
        if record.bt is not UNSET:
            if not -MAX_TIME_S <= record.bt <= MAX_TIME_S:
                return None
            base_ms = round(record.bt * 1000)
        if points is None or place is None or record.ep is not UNSET or record.sq is not UNSET:
            return None
        rule = points[record.n]
        time_ms = base_ms
        if record.t:
            if not -MAX_TIME_S <= record.t <= MAX_TIME_S:
                return None
            time_ms += round(record.t * 1000)
        if not _OLDEST_MS <= time_ms <= latest_ms or (record.u is not UNSET and record.u != rule.unit):
            return None
        oldest = time_ms if time_ms < oldest else oldest
        newest = time_ms if time_ms > newest else newest
        number_told, flag, text, quality = record.v, record.vb, record.vs, record.q
        if number_told is not UNSET:
            if flag is not UNSET or text is not UNSET or quality is not UNSET:
                return None
            if rule.low is not None and not rule.low <= number_told <= rule.high:  # type: ignore[operator]
                return None
            if not -_EXACT < number_told < _EXACT:
                return None
            rows.append((place, rule, time_ms, number_told, None))
        elif quality is not UNSET:
            if flag is not UNSET or text is not UNSET or not is_quality(quality):
                return None
            rows.append((place, rule, time_ms, None, quality))
        elif rule.low is not None:
            return None
        elif flag is not UNSET:
            if text is not UNSET:
                return None
            rows.append((place, rule, time_ms, flag, None))
        elif text is not UNSET and len(text) <= MAX_TEXT and "\0" not in text:
            rows.append((place, rule, time_ms, text, None))
        else:
            return None
    return epoch, number, rows, oldest, newest
