"""Reading by InfluxQL over HTTP: `/query`, which InfluxDB 1 has, and InfluxDB 2 and 3 for compatibility."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3

from ingest.errors import Refused, Unavailable
from ingest.lines import NS
from ingest.rows import OWN, Counts, Packs, Row
from ingest.stores import Wanted
from wire.stored import ranges

T = TypeVar("T")

_TAGS = ("area", "pole", "device")


class InfluxQl:
    """Blocking calls. Raises Unavailable when the server does not answer, Refused when it cannot answer this."""

    def __init__(self, *, http: urllib3.PoolManager, server: str, database: str, headers: dict[str, str]) -> None:
        self._http = http
        self._url = f"{server}/query"
        self._database = database
        self._headers = headers

    def readings(self, wanted: Wanted) -> list[Row]:
        """Newest first."""
        return self._understood(lambda: self._readings(wanted))

    def packs(self) -> list[Packs]:
        """The ledger. A pack that came twice is one: a number counts once."""
        return self._understood(self._packs)

    def counts(self) -> Counts:
        """Counts of values by point, of bad qualities, and the ledger's sums."""
        return self._understood(self._counts)

    def query(self, influxql: str, *, method: str = "GET") -> list[dict[str, Any]]:
        """All series of one statement."""
        return list(self._series(influxql, method=method))

    def _understood(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except (
            LookupError,
            TypeError,
            ValueError,
        ) as error:  # VictoriaMetrics answers every query with a made-up series
            raise Refused(
                "query", f"{self._url} does not answer InfluxQL; ask the server in its own language"
            ) from error

    def _readings(self, wanted: Wanted) -> list[Row]:
        rows = [row for function in self._functions(wanted) for row in self._values(function, wanted)]
        rows += self._qualities(wanted)
        rows.sort(key=lambda row: (-row[5], row[:5]))
        return rows[: wanted.limit]

    def _packs(self) -> list[Packs]:
        out = []
        sql = 'SELECT sq, readings, refused FROM "pack" GROUP BY area, node, ep'
        for series in self._series(sql, merge=True, epoch="ns"):
            found: dict[int, tuple[int, int]] = {}
            for time_ns, told, readings, refused in series["values"]:
                number = time_ns % NS if told is None else told
                found[number] = max(found.get(number, (0, 0)), (readings, refused or 0))
            newest = max(row[0] for row in series["values"]) // NS
            tags = series["tags"]
            readings, refused = (sum(pair[column] for pair in found.values()) for column in (0, 1))
            out.append(Packs(tags["area"], tags["node"], tags["ep"], ranges(list(found)), readings, refused, newest))
        return sorted(out)

    def _counts(self) -> Counts:
        packs = self._packs()
        every = [name for name in self._measurements() if name not in OWN]
        points = sum(self._count(f'SELECT count(*) FROM "{quoted(name)}"') for name in every)
        qualities = self._count('SELECT count(code) FROM "quality"')
        numbers = sum(last - first + 1 for pack in packs for first, last in pack.ranges)
        return Counts(points, qualities, numbers, sum(pack.readings for pack in packs), sum(p.refused for p in packs))

    def _functions(self, wanted: Wanted) -> list[str]:
        if wanted.function is not None:
            return [wanted.function]
        return [name for name in self._measurements() if name not in OWN]

    def _measurements(self) -> list[str]:
        return [row[0] for series in self._series("SHOW MEASUREMENTS") for row in series["values"]]

    def _values(self, function: str, wanted: Wanted) -> list[Row]:
        fields = f'"{quoted(wanted.point)}"' if wanted.point is not None else "*::field"
        sql = f'SELECT {fields} FROM "{quoted(function)}" WHERE {_where(wanted)}'
        rows: list[Row] = []
        for series in self._series(f"{sql} GROUP BY area, pole, device ORDER BY time DESC LIMIT {wanted.limit}"):
            area, pole, device = (series["tags"][tag] for tag in _TAGS)
            for time_ms, *cells in series["values"]:
                for point, cell in zip(series["columns"][1:], cells, strict=True):
                    if cell is not None:
                        value = float(cell) if isinstance(cell, int) and not isinstance(cell, bool) else cell
                        rows.append((function, area, pole, device, point, time_ms, value, None))
        return rows

    def _qualities(self, wanted: Wanted) -> list[Row]:
        where = _where(wanted)
        if wanted.function is not None:
            where += f" AND \"function\" = '{_string(wanted.function)}'"
        if wanted.point is not None:
            where += f" AND point = '{_string(wanted.point)}'"
        sql = f'SELECT code FROM "quality" WHERE {where} GROUP BY area, pole, device, "function", point'
        rows: list[Row] = []
        for series in self._series(f"{sql} ORDER BY time DESC LIMIT {wanted.limit}"):
            tags = series["tags"]
            names = (tags["function"], tags["area"], tags["pole"], tags["device"], tags["point"])
            rows += [(*names, time_ms, None, code) for time_ms, code in series["values"]]
        return rows

    def _count(self, sql: str) -> int:
        return sum(sum(row[1:]) for series in self._series(sql) for row in series["values"])

    def _series(
        self, influxql: str, *, merge: bool = False, method: str = "GET", epoch: str = "ms"
    ) -> Iterator[dict[str, Any]]:
        # With `merge` the server sends a long series in chunks of 10,000, which are put together again.
        fields = {"q": influxql, "db": self._database, "epoch": epoch}
        if merge:
            fields["chunked"] = "true"
        try:
            answer = self._http.request(method, f"{self._url}?{urlencode(fields)}", headers=self._headers)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{self._url}: {error}") from error
        if answer.status != 200:
            kind = Unavailable if answer.status in (401, 403, 404, 429) or answer.status >= 500 else None
            message = f"{self._url}: {answer.status} {answer.data[:300].decode(errors='replace')}"
            raise kind(message) if kind else Refused("query", message)
        merged: dict[str, dict[str, Any]] = {}
        for line in answer.data.splitlines():
            for result in json.loads(line)["results"]:
                if "error" in result:
                    raise Unavailable(f"{self._url}: {_with_advice(result['error'])}")
                for series in result.get("series", []):
                    known = merged.setdefault(json.dumps([series["name"], series.get("tags")]), series)
                    if known is not series:
                        known["values"] += series["values"]
        yield from merged.values()


def _with_advice(error: str) -> str:
    # InfluxDB 2 says the same of a bucket that the token may not read.
    return f"{error} (or may the token not read it?)" if error.startswith("database not found") else error


def _where(wanted: Wanted) -> str:
    terms = [f"time >= {wanted.since_ms}ms"]
    for column, text in (("pole", wanted.pole), ("device", wanted.device)):
        if text is not None:
            terms.append(f"{column} = '{_string(text)}'")
    return " AND ".join(terms)


def quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def _string(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
