"""What ingest makes on a server when it is not there: database or bucket with its retention, and what thins it.

InfluxDB 1: a retention policy and a continuous query (Query language reference: CREATE DATABASE, CREATE RETENTION
POLICY, CREATE CONTINUOUS QUERY). InfluxDB 2: buckets and a Flux task (API reference: /api/v2/buckets, /api/v2/tasks).
InfluxDB 3: a database with its retention (/api/v3/configure/database). What is there already is left as it is.
"""

import json
from typing import Any, Protocol
from urllib.parse import urlencode

import urllib3

from ingest.errors import Unavailable
from ingest.influxql import InfluxQl, quoted
from ingest.rows import OWN
from ingest.store_options import Options

THINNED = "thinned"  # name of the retention policy, the continuous query and the task; end of the bucket's name
LATE_S = 21_600  # a pack that comes six hours late is still counted in what is thinned
THIN_EVERY_S = 3600  # InfluxDB 2 reads those six hours again each time, and what is thinned is needed later
FLUX = """import "date"
import "regexp"
import "strings"
import "types"

option task = {name: %(name)s, every: %(period)ss, offset: 1m}

end = date.truncate(t: now(), unit: %(every)ss)
all = () => from(bucket: %(from)s)
  |> range(start: date.sub(d: %(back)ss, from: end), stop: end)
  |> filter(fn: (r) => %(own)s)
isNumber = (r) => types.isType(v: r._value, type: "float")
means = (tables=<-) => tables
  |> aggregateWindow(every: %(every)ss, fn: mean, createEmpty: false, timeSrc: "_start")

others = all() |> last() |> filter(fn: (r) => not isNumber(r: r))
  |> keep(columns: ["_field"]) |> group() |> distinct(column: "_field")
  |> findColumn(fn: (key) => true, column: "_value")
names = regexp.compile(v: "^(" + strings.joinStr(arr: others, v: "|") + ")$")

union(tables: [
  all() |> filter(fn: (r) => r._field !~ names) |> means(),
  all() |> filter(fn: (r) => r._field =~ names) |> filter(fn: isNumber) |> means(),
])
  |> to(org: %(org)s, bucket: %(to)s)
"""
_EXISTS = "already exists"


class Setup(Protocol):
    """Blocking calls; several threads may make them at once. due: there is more to make than a bare database."""

    due: bool

    def is_missing(self, said: str) -> bool:
        """Whether a 404 that says this means that there is no such database."""

    def make(self) -> None:
        """Database or bucket, and what thins it. Raises Unavailable."""


class Setup1:
    """mean, min and max of numbers and the last of everything go into the retention policy `thinned`."""

    def __init__(self, *, ql: InfluxQl, database: str, options: Options) -> None:
        self.due = options.keep_s is not None
        self._ql = ql
        self._name = database
        self._database = f'"{quoted(database)}"'
        self._options = options

    def is_missing(self, said: str) -> bool:
        return "database not found" in said

    def make(self) -> None:
        keep = self._options.keep_s
        if [self._name] not in [row for series in self._ql.query("SHOW DATABASES") for row in series.get("values", [])]:
            policy = f' WITH DURATION {keep}s REPLICATION 1 NAME "kept"' if keep is not None else ""
            self._ql.query(f"CREATE DATABASE {self._database}{policy}", method="POST")
        if self._options.thin_every_s is not None:
            self._thin()

    def _thin(self) -> None:
        every, keep = self._options.thin_every_s, self._options.thin_keep_s
        name, database = f'"{THINNED}"', self._database
        long = f"{keep}s" if keep is not None else "INF"
        self._ql.query(f"CREATE RETENTION POLICY {name} ON {database} DURATION {long} REPLICATION 1", method="POST")
        select = (
            f"SELECT mean(*), min(*), max(*), last(*) INTO {database}.{name}.:MEASUREMENT"
            f" FROM /{all_but(OWN)}/ GROUP BY time({every}s), *"
        )
        resample = f"RESAMPLE EVERY {every}s FOR {max(LATE_S, 2 * (every or 0))}s"
        self._ql.query(f"CREATE CONTINUOUS QUERY {name} ON {database} {resample} BEGIN {select} END", method="POST")


class Setup2:
    """The mean of each number goes into the bucket NAME-thinned."""

    def __init__(
        self,
        *,
        http: urllib3.PoolManager,
        server: str,
        org: str,
        bucket: str,
        headers: dict[str, str],
        options: Options,
    ) -> None:
        self.due = options.keep_s is not None
        self._http = http
        self._server = server
        self._org = org
        self._bucket = bucket
        self._headers = headers
        self._options = options

    def is_missing(self, said: str) -> bool:
        return "bucket" in said

    def make(self) -> None:
        problems = [self._make_bucket(self._bucket, self._options.keep_s)]
        if self._options.thin_every_s is not None:
            problems.append(self._thin())
        if any(problems):
            raise Unavailable("; ".join(filter(None, problems)))

    def _thin(self) -> str:
        problem = self._make_bucket(f"{self._bucket}-{THINNED}", self._options.thin_keep_s or 0)
        name = f"{self._bucket} {THINNED}"
        if not self._ask("GET", "/api/v2/tasks", {"org": self._org, "name": name})["tasks"]:
            self._ask("POST", "/api/v2/tasks", body={"org": self._org, "flux": self._flux(name)})
        return problem

    def _make_bucket(self, name: str, keep_s: int | None) -> str:
        """What is wrong with the one that is there: a token for it alone may use it, and make none."""
        asked = {"org": self._org, "name": name}
        if there := self._ask("GET", "/api/v2/buckets", asked, absent=f'bucket "{name}" not found').get("buckets"):
            kept = sum(rule["everySeconds"] for rule in there[0]["retentionRules"])
            how = f'the bucket "{name}" was made otherwise: it keeps {kept} s, not {keep_s} s as asked (0 s: for ever)'
            return how if keep_s not in (None, kept) else ""
        orgs = self._ask("GET", "/api/v2/orgs", {"org": self._org})["orgs"]
        if not orgs:
            raise Unavailable(
                f'{self._server}: the bucket "{name}" is not there or not seen, and the token may not make it. Make it,'
                f' or let the token read the organization "{self._org}" and write buckets'
            )
        rules = [{"type": "expire", "everySeconds": keep_s}] if keep_s else []
        self._ask("POST", "/api/v2/buckets", body={"orgID": orgs[0]["id"], "name": name, "retentionRules": rules})
        return ""

    def _flux(self, name: str) -> str:
        """Means of whole intervals: that of a part would be written over that of the whole.

        The server forms them while it reads, 25 times as fast as afterwards, but only where all are numbers: so fields
        that are not, somewhere, are found first, and go the slow way.
        """
        every = self._options.thin_every_s or 1
        period = every * max(1, THIN_EVERY_S // every)
        back = -(-(LATE_S + period) // every) * every
        own = " and ".join(f'r._measurement != "{name}"' for name in OWN)
        return FLUX % {
            "name": json.dumps(name),
            "period": period,
            "every": every,
            "back": back,
            "own": own,
            "from": json.dumps(self._bucket),
            "to": json.dumps(f"{self._bucket}-{THINNED}"),
            "org": json.dumps(self._org),
        }

    def _ask(
        self, method: str, path: str, fields: dict[str, str] | None = None, body: Any = None, absent: str = _EXISTS
    ) -> dict[str, Any]:
        query = f"?{urlencode(fields)}" if fields else ""
        return ask(self._http, method, f"{self._server}{path}{query}", self._headers, body, fine=absent)


class Setup3:
    """Only for keep: a database without retention is made by its first write."""

    def __init__(
        self, *, http: urllib3.PoolManager, server: str, database: str, headers: dict[str, str], options: Options
    ) -> None:
        self._http = http
        self._url = f"{server}/api/v3/configure/database"
        self._database = database
        self._headers = headers
        self._keep_s = options.keep_s
        self.due = options.keep_s is not None

    def is_missing(self, said: str) -> bool:
        return "database" in said

    def make(self) -> None:
        body: dict[str, object] = {"db": self._database}
        if self._keep_s is not None:
            body["retention_period"] = f"{self._keep_s}s"
        ask(self._http, "POST", self._url, self._headers, body)


def ask(
    http: urllib3.PoolManager, method: str, url: str, headers: dict[str, str], body: Any, *, fine: str = _EXISTS
) -> dict[str, Any]:
    """A question in JSON. fine: what no error says; a thing may be there, as two workers may make it at once.

    Raises Unavailable.
    """
    try:
        answer = (
            http.request(method, url, headers=headers, json=body)
            if body
            else http.request(method, url, headers=headers)
        )
        said = answer.data.decode(errors="replace")
        told = json.loads(said) if said.strip().startswith("{") else {}
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise Unavailable(f"{url}: {error}") from error
    why = str(told.get("message") or told.get("error") or said)
    if answer.status >= 300 and fine not in why:
        raise Unavailable(f"{url}: {answer.status} {why[:300]}")
    return told


def all_but(names: tuple[str, ...]) -> str:
    """A regular expression for all names but these; RE2, which InfluxDB has, knows no look-ahead."""
    words = [f"^{name}.+$" for name in names]
    for prefix in sorted({name[:length] for name in names for length in range(len(name))}):
        following = "".join(sorted({name[len(prefix)] for name in names if name.startswith(prefix)}))
        words += [f"^{prefix}[^{following}].*$"] + ([f"^{prefix}$"] if prefix else [])
    return "|".join(words)
