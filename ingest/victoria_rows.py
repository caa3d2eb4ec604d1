"""VictoriaMetrics: what we write to it, and reading it back.

It holds numbers only, and takes whatever else a field says as 0, without a word (observed on 1.79). So a text is a
label on a 1, a missing value is the series `quality_missing` with its code as a label, and true is 1.
It names a series MEASUREMENT_FIELD. Reading: /api/v1/export, which gives each sample as it was written
(VictoriaMetrics, "How to export data in JSON line format").
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import urllib3

from device_profiles.schema import FUNCTIONS
from ingest import lines
from ingest.errors import Refused, Unavailable
from ingest.lines import key
from ingest.rows import LANES, Bad, Counts, Ledger, Packs, Place, Row, Rule, Run, Value, readings, together
from ingest.stores import Wanted
from wire.stored import ranges

EMPTY = " "  # a label without a text is none at all
_OWN = ("pack_", "quality_")


def encode(runs: list[Run], ledgers: list[Ledger]) -> bytes:
    """As `lines.encode`, without texts."""
    usual: list[Run] = []
    other: list[bytes] = []
    for each in runs:
        if each[4]:
            usual.append(each)
            continue
        told = readings([each])
        other += [_line(*reading) for reading in told if isinstance(reading[3], str)]
        usual += together(reading for reading in told if not isinstance(reading[3], str))
    return b"\n".join(part for part in (lines.encode(usual, []), *other, *map(_pack, ledgers)) if part)


def _line(place: Place, rule: Rule, time_ms: int, value: Value) -> bytes:
    function, point = key(rule.function), key(rule.point)
    tags = place.tags or lines.tags_of(place)
    if isinstance(value, Bad):
        return f"quality{tags},function={function},point={point},code={key(value)} missing=1 {time_ms}000000".encode()
    text = key((str(value) or EMPTY).replace("\\", r"\\"))
    return f"{function}{tags},text={text} {point}=1 {time_ms}000000".encode()


def _pack(pack: Ledger) -> bytes:
    # Samples have milliseconds: neighbours are in different lanes, and packs so many numbers apart hardly share a time.
    return lines.pack_line(pack, number=f"sq={pack.number}i,", tag=f",lane={pack.number % LANES}").encode()


class Export:
    """Blocking calls. Raises Unavailable, and Refused where the server is another one."""

    def __init__(self, *, http: urllib3.PoolManager, server: str, headers: dict[str, str]) -> None:
        self._http = http
        self._url = f"{server}/api/v1/export"
        self._headers = headers

    def readings(self, wanted: Wanted) -> list[Row]:
        """Newest first. A series that nobody's vocabulary has is cut at its first underscore."""
        rows = [row for series in self._series(_match(wanted), wanted.since_ms) for row in _rows(series, wanted)]
        rows.sort(key=lambda row: (-row[5], row[:5]))
        return rows[: wanted.limit]

    def packs(self) -> list[Packs]:
        """The ledger. A number counts once."""
        cells: dict[tuple[str, str, str], dict[tuple[str, int], dict[str, float]]] = defaultdict(dict)
        for series in self._series('{__name__=~"pack_(sq|readings|refused)",area!="",node!=""}', 0):
            labels = series["metric"]
            told = cells[labels["area"], labels["node"], labels["ep"]]
            for time_ms, value in zip(series["timestamps"], series["values"], strict=True):
                told.setdefault((labels["lane"], time_ms), {})[labels["__name__"]] = value
        return sorted(_summed(names, told) for names, told in cells.items())

    def counts(self) -> Counts:
        """Of distinct samples."""
        packs, points, qualities = self.packs(), 0, 0
        for series in self._series('{__name__!~"pack_.*",area!="",device!=""}', 0):
            count = len(set(series["timestamps"]))
            if series["metric"]["__name__"].startswith(_OWN):
                qualities += count
            else:
                points += count
        numbers = sum(last - first + 1 for pack in packs for first, last in pack.ranges)
        return Counts(points, qualities, numbers, sum(pack.readings for pack in packs), sum(p.refused for p in packs))

    def _series(self, match: str, since_ms: int) -> Iterator[dict[str, Any]]:
        fields = {"match[]": match, "start": f"{since_ms / 1000:.3f}", "reduce_mem_usage": "1"}
        try:
            answer = self._http.request("GET", f"{self._url}?{urlencode(fields)}", headers=self._headers)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{self._url}: {error}") from error
        if answer.status != 200:
            raise Unavailable(f"{self._url}: {answer.status} {answer.data[:300].decode(errors='replace')}")
        try:
            yield from map(json.loads, answer.data.splitlines())
        except ValueError as error:
            raise Refused("query", f"{self._url} is no VictoriaMetrics") from error


def _match(wanted: Wanted) -> str:
    function, point = _pattern(wanted.function), _pattern(wanted.point)
    terms = [
        f'__name__=~"{function}_{point}|quality_missing"',
        '__name__!~"pack_.*"',
        'area!=""',
        'pole!=""',
        'device!=""',
    ]
    terms += [
        f"{label}={json.dumps(text)}" for label, text in (("pole", wanted.pole), ("device", wanted.device)) if text
    ]
    return "{" + ",".join(terms) + "}"


def _pattern(name: str | None) -> str:
    return ".+" if name is None else name.replace(".", r"\\.")


def _rows(series: dict[str, Any], wanted: Wanted) -> Iterator[Row]:
    labels = series["metric"]
    code = labels.get("code")
    function, point = (labels["function"], labels["point"]) if code else _cut(labels["__name__"], wanted.function)
    if wanted.function not in (None, function) or wanted.point not in (None, point):
        return
    text = labels.get("text")
    names = (function, labels["area"], labels["pole"], labels["device"], point)
    found = dict(
        zip(series["timestamps"], series["values"], strict=True)
    )  # a sample that came twice stands there twice
    for time_ms, number in found.items():
        value = None if code else float(number) if text is None else "" if text == EMPTY else text
        yield (*names, time_ms, value, code)


def _cut(name: str, function: str | None) -> tuple[str, str]:
    known = [function] if function else sorted(FUNCTIONS, key=len, reverse=True)
    for first in known:
        if name.startswith(f"{first}_"):
            return first, name[len(first) + 1 :]
    first, _, rest = name.partition("_")
    return first, rest


def _summed(names: tuple[str, str, str], told: dict[tuple[str, int], dict[str, float]]) -> Packs:
    found: dict[int, tuple[int, int]] = {}
    for cell in told.values():
        number = int(cell.get("pack_sq", 0))
        now = (int(cell.get("pack_readings", 0)), int(cell.get("pack_refused", 0)))
        found[number] = max(found.get(number, (0, 0)), now)
    found.pop(0, None)
    readings, refused = (sum(pair[column] for pair in found.values()) for column in (0, 1))
    newest = max(time_ms for _, time_ms in told)
    return Packs(*names, ranges(list(found)), readings, refused, newest)
