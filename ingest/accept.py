"""Judges a pack: what of it may be stored, and what is refused for which reason.

Reasons beside those of `wire.packs`: unknown-device, unknown-point, not-yours, unit, type, range, future, text, and
topic, qos, internal for the whole pack.
"""

import json
from typing import NamedTuple

import msgspec

from ingest import plain
from ingest.registry import Devices
from ingest.rights import Barred
from ingest.rows import LANES, Bad, Ledger, Place, Reading, Rule, Run, Value, readings, together
from wire import packs
from wire.errors import PackError
from wire.identity import check_identity

FUTURE_MS = 86_400_000  # a reading may be ahead of our clock by one day, no more

_Reading = tuple[str, str, str, int, object, str | None, str | None]


class Refusal(NamedTuple):
    """One record (counted from 0), or the whole message where record is None."""

    record: int | None
    reason: str
    detail: str


class Accepted(msgspec.Struct):
    """A judged pack. readings: how many its runs have; indexes: of their records, where it is not each in its turn.
    number is None when no identity could be read."""

    area: str
    node: str
    epoch: str | None = None
    number: int | None = None
    runs: list[Run] = []
    readings: int = 0
    indexes: list[int] | None = None
    refused: list[Refusal] = []
    oldest_ms: int | None = None  # of all readings that were decoded, refused or not
    newest_ms: int | None = None
    unknown: bool = False  # something in it may become known by a birth that comes soon

    def ledger(self, now_ms: int) -> Ledger | None:
        """The pack's line in the ledger at the time of storing; None without an identity."""
        if self.epoch is None or self.number is None:
            return None
        newest = self.newest_ms
        if newest is None:  # nothing has a time: spread, so that two packs of a lane are not one point of the ledger
            newest = now_ms - self.number // LANES % 1000
        latency = now_ms - (newest if self.oldest_ms is None else self.oldest_ms)
        return Ledger(self.area, self.node, self.epoch, self.number, self.readings, len(self.refused), latency, newest)

    def refuse(self, bad: dict[int, tuple[str, str]]) -> None:
        """Takes readings, by their position, out of the runs: the store refused them. bad: reason and detail."""
        each = readings(self.runs)
        indexes = self.indexes or list(range(len(each)))
        self.refused += [Refusal(indexes[place], *bad[place]) for place in sorted(bad)]
        self.runs = together(reading for place, reading in enumerate(each) if place not in bad)
        self.indexes = [index for place, index in enumerate(indexes) if place not in bad]
        self.readings = len(self.indexes)


def accept(area: str, node: str, body: bytes, devices: Devices, now_ms: int) -> Accepted:
    """A pack's payload -> what may be stored of it and what not. Raises nothing, whatever the payload."""
    usual = plain.read(body, devices, now_ms + FUTURE_MS)
    if usual is not None:
        epoch, number, runs, readings, oldest, newest = usual
        return Accepted(area, node, epoch, number, runs, readings, None, [], oldest, newest)
    out = Accepted(area, node)
    try:
        _judge(out, body, devices, now_ms)
    except Exception as error:  # a payload must never stop ingest: what no rule foresaw is kept aside like the rest
        return _whole(Accepted(area, node), body, "internal", f"{type(error).__name__}: {error}")
    return out


def _judge(out: Accepted, body: bytes, devices: Devices, now_ms: int) -> None:
    try:
        pack = packs.decode(body)
    except PackError as error:
        _whole(out, body, error.reason, error.detail)
        return
    out.epoch, out.number = pack.epoch, pack.number
    out.refused = [Refusal(*refused) for refused in pack.refused]
    times = [reading[3] for reading in pack.readings if reading[3] <= now_ms + FUTURE_MS]
    out.oldest_ms, out.newest_ms = min(times, default=None), max(times, default=None)
    bad = {refused[0] for refused in pack.refused}
    indexes = [index for index in range(len(pack.readings) + len(bad)) if index not in bad]
    good: list[Reading] = []
    kept: list[int] = []
    for index, reading in zip(indexes, pack.readings, strict=True):
        found, refusal = _check(index, reading, devices, now_ms)
        if found is None or refusal is not None:
            assert refusal is not None
            out.refused.append(refusal)
            out.unknown = out.unknown or _may_become_known(reading, refusal, devices)
            continue
        _, _, _, time_ms, value, quality, _ = reading
        good.append((*found, time_ms, _stored(value, quality)))
        kept.append(index)
    out.runs, out.indexes, out.readings = together(good), kept, len(good)


def _stored(value: object, quality: str | None) -> Value:
    if quality is not None:
        return Bad(quality)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value  # type: ignore[return-value]


def _check(
    index: int, reading: _Reading, devices: Devices, now_ms: int
) -> tuple[tuple[Place, Rule] | None, Refusal | None]:
    pole, device, point, time_ms, value, _quality, unit = reading
    place, points = devices.get(f"{pole}/{device}/", (None, None))
    if place is None or points is None:
        return None, Refusal(index, "unknown-device", f"{pole}/{device} is in no birth of this node")
    if isinstance(points, Barred):
        return None, Refusal(index, points.reason, points.detail)
    rule = points.get(point)
    if rule is None:
        return None, Refusal(index, "unknown-point", f"{pole}/{device} has no point {point} in the birth")
    found = place, rule
    if unit is not None and unit != rule.unit:
        return found, Refusal(index, "unit", f"{point} is in {rule.unit or 'no unit'}, not {unit[:40]!r}")
    if time_ms > now_ms + FUTURE_MS:
        return found, Refusal(index, "future", f"{point} is {(time_ms - now_ms) // 1000} s ahead of our clock")
    if isinstance(value, str) and "\0" in value:
        return found, Refusal(index, "text", f"{point} has a NUL, which not every store keeps")
    if rule.low is not None and rule.high is not None and value is not None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return found, Refusal(index, "type", f"{point} is a number, not {str(value)[:40]!r}")
        if not rule.low <= value <= rule.high:
            return found, Refusal(
                index, "range", f"{point} is {rule.low:g} to {rule.high:g} {rule.unit}, not {value!r}"
            )
    return found, None


def _may_become_known(reading: _Reading, refusal: Refusal, devices: Devices) -> bool:
    # Not by a birth: what no site file names.
    if not refusal.reason.startswith("unknown-"):
        return False
    known = devices.get(f"{reading[0]}/{reading[1]}/")
    return known is None or not isinstance(known[1], Barred)


def _whole(out: Accepted, body: bytes, reason: str, detail: str) -> Accepted:
    out.epoch, out.number = identity(body)
    out.refused = [Refusal(None, reason, detail)]
    return out


def identity(body: bytes) -> tuple[str | None, int | None]:
    """(epoch, number) of a pack that is refused as a whole, where they can be read: its node may then forget it."""
    try:
        first = json.loads(body)[0]
        epoch, number = first["ep"], first["sq"]
        check_identity(epoch, number)
    except (ValueError, LookupError, TypeError, RuntimeError, MemoryError):
        return None, None
    return epoch, number
