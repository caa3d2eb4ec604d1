"""InfluxDB 1, 2 and 3, and VictoriaMetrics: line protocol over HTTP, several requests at once."""

import gzip
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import structlog
import urllib3

from ingest import dialects, lines, victoria_rows
from ingest.dialects import Answer
from ingest.errors import IngestError, Refused, Unavailable
from ingest.influx_setup import Setup, Setup1, Setup2, Setup3
from ingest.influxql import InfluxQl
from ingest.posts import ANSWER_S, CONNECT_S, Posts
from ingest.rows import Counts, Ledger, Packs, Row, Run
from ingest.store_options import DEFAULT, Options
from ingest.stores import Wanted
from ingest.worker import Worker

TIMEOUT = urllib3.Timeout(connect=CONNECT_S, read=ANSWER_S)
FLIGHTS = 4  # requests at once: a server answers one while it syncs another
NEAR = ("127.0.0.1", "localhost", "::1")  # there gzip takes more of the CPU than it saves anybody
GZIP_LEVEL = 1  # of 9: the higher ones take three times as long for a fifth less

log = structlog.get_logger("ingest")


class Reader(Protocol):
    """Who answers questions. Blocking; raises Unavailable and Refused."""

    def readings(self, wanted: Wanted) -> list[Row]: ...

    def packs(self) -> list[Packs]: ...

    def counts(self) -> Counts: ...


class InfluxStore:
    """setup makes what is not there yet; None: nothing can be made on that server."""

    flights = FLIGHTS

    def __init__(
        self,
        *,
        name: str,
        http: urllib3.PoolManager,
        url: str,
        headers: dict[str, str],
        compress: bool,
        reader: Reader,
        setup: Setup | None = None,
        encode: Callable[[list[Run], list[Ledger]], bytes] = lines.encode,
    ) -> None:
        self.name = name
        self._http = http
        self._posts = Posts(name=name, url=url, headers=headers | {"Content-Type": "text/plain; charset=utf-8"})
        self._compress = compress
        self._reader = reader
        self._setup = setup
        self._due = setup is not None and setup.due
        self._encode = encode
        self._worker = Worker(name=name, threads=FLIGHTS)

    async def write(self, runs: list[Run], ledgers: list[Ledger]) -> None:
        try:
            body = self._encode(runs, ledgers)
        except UnicodeEncodeError as error:
            raise Refused("text", str(error)) from error
        problem = await self._worker.run(self._try_to_make) if self._due else ""
        answer = await self._post(body)
        if answer.status == 404 and self._setup is not None and self._setup.is_missing(answer.text):
            await self._worker.run(self._make, self._setup)
            answer = await self._post(body)
        dialects.check(self.name, answer, runs, len(ledgers))
        self._due = False
        if problem:
            log.warning("the server does not keep and thin as asked", store=self.name, reason=problem)

    async def readings(self, wanted: Wanted) -> list[Row]:
        return await self._worker.run(self._reader.readings, wanted)

    async def packs(self) -> list[Packs]:
        return await self._worker.run(self._reader.packs)

    async def counts(self) -> Counts:
        return await self._worker.run(self._reader.counts)

    async def close(self) -> None:
        self._posts.close()
        await self._worker.close(self._http.clear)

    def _try_to_make(self) -> str:
        # Once a start. Whoever may only write goes on without it; while the server is down nothing is said of it.
        try:
            if self._setup is not None:
                self._make(self._setup)
        except IngestError as error:
            return str(error)
        return ""

    def _make(self, setup: Setup) -> None:
        try:
            setup.make()
        except (LookupError, TypeError, ValueError) as error:
            raise Unavailable(f"{self.name}: what it answers is not what such a server says: {error!r}") from error

    async def _post(self, body: bytes) -> Answer:
        if not (self._compress and body):
            return await self._posts.send(body)
        small = await self._worker.run(_compressed, body)  # which leaves Python's lock to others
        return await self._posts.send(small, encoding="gzip")


def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


def influx1(*, server: str, database: str, credentials: str, options: Options = DEFAULT) -> InfluxStore:
    """`/write`. credentials: "user:password", or empty."""
    http, headers = _http(), _basic(credentials)
    ql = InfluxQl(http=http, server=server, database=database, headers=headers)
    return InfluxStore(
        name=f"InfluxDB 1 {server}/{database}",
        http=http,
        url=f"{server}/write?{urlencode({'db': database, 'precision': 'ns'})}",
        headers=headers,
        compress=_compresses(server, options),
        reader=ql,
        setup=Setup1(ql=ql, database=database, options=options),
    )


def influx2(*, server: str, org: str, bucket: str, token: str, options: Options = DEFAULT) -> InfluxStore:
    """The v2 write API. Reading needs a server that answers InfluxQL for the bucket's name."""
    http, headers = _http(), _token(token)
    return InfluxStore(
        name=f"InfluxDB 2 {server}/{org}/{bucket}",
        http=http,
        url=f"{server}/api/v2/write?{urlencode({'org': org, 'bucket': bucket, 'precision': 'ns'})}",
        headers=headers,
        compress=_compresses(server, options),
        reader=InfluxQl(http=http, server=server, database=bucket, headers=headers),
        setup=Setup2(http=http, server=server, org=org, bucket=bucket, headers=headers, options=options),
    )


def influx3(*, server: str, database: str, token: str, options: Options = DEFAULT) -> InfluxStore:
    """The v3 write API, which says of each line what is wrong with it. It makes databases by itself."""
    http, headers = _http(), _bearer(token)
    told = {"db": database, "precision": "nanosecond", "accept_partial": "true"}
    return InfluxStore(
        name=f"InfluxDB 3 {server}/{database}",
        http=http,
        url=f"{server}/api/v3/write_lp?{urlencode(told)}",
        headers=headers,
        compress=_compresses(server, options),
        reader=InfluxQl(http=http, server=server, database=database, headers=headers),
        setup=Setup3(http=http, server=server, database=database, headers=headers, options=options),
    )


def victoria(*, server: str, credentials: str, options: Options = DEFAULT) -> InfluxStore:
    """VictoriaMetrics by InfluxDB 1's `/write`. credentials: a bearer token, "user:password", or empty."""
    http = _http()
    headers = _basic(credentials) if ":" in credentials else _bearer(credentials)
    return InfluxStore(
        name=f"VictoriaMetrics {server}",
        http=http,
        url=f"{server}/write?precision=ns",
        headers=headers,
        compress=_compresses(server, options),
        reader=victoria_rows.Export(http=http, server=server, headers=headers),
        encode=victoria_rows.encode,
    )


def _http(**more: Any) -> urllib3.PoolManager:
    return urllib3.PoolManager(timeout=TIMEOUT, retries=False, maxsize=FLIGHTS, block=False, **more)


def _basic(credentials: str) -> dict[str, str]:
    return dict(urllib3.make_headers(basic_auth=credentials or None))


def _token(token: str) -> dict[str, str]:
    return {"Authorization": f"Token {token}"} if token else {}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _compresses(server: str, options: Options) -> bool:
    return urlsplit(server).hostname not in NEAR if options.gzip is None else options.gzip
