"""InfluxDB 1, 2 and 3, and what speaks like them. They differ in how lines are posted; InfluxQL reads them all."""

import json
from collections.abc import Callable
from urllib.parse import urlencode

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from ingest import lines
from ingest.errors import Refused, Unavailable
from ingest.influxql import InfluxQl
from ingest.rows import Counts, Ledger, Packs, Reading, Row
from ingest.stores import Wanted
from ingest.worker import Worker

TIMEOUT = urllib3.Timeout(connect=3.0, read=15.0)
FLIGHTS = 4  # requests at once: a server answers one while it syncs another


class InfluxStore:
    """post(lines) writes line protocol, and raises Refused or Unavailable; close() lets go of the server."""

    flights = FLIGHTS

    def __init__(self, *, name: str, post: Callable[[bytes], None], ql: InfluxQl, close: Callable[[], None]) -> None:
        self.name = name
        self._post = post
        self._ql = ql
        self._close = close
        self._worker = Worker(name=name, threads=FLIGHTS)

    async def write(self, rows: list[Reading], ledgers: list[Ledger]) -> None:
        await self._worker.run(self._write, rows, ledgers)

    async def readings(self, wanted: Wanted) -> list[Row]:
        return await self._worker.run(self._ql.readings, wanted)

    async def packs(self) -> list[Packs]:
        return await self._worker.run(self._ql.packs)

    async def counts(self) -> Counts:
        return await self._worker.run(self._ql.counts)

    async def close(self) -> None:
        await self._worker.close(self._close)

    def _write(self, rows: list[Reading], ledgers: list[Ledger]) -> None:
        try:
            body = lines.encode(rows, ledgers)
        except UnicodeEncodeError as error:
            raise Refused("text", str(error)) from error
        self._post(body)


def influx1(*, server: str, database: str, credentials: str) -> InfluxStore:
    """`/write`; the database is made when it is not there. credentials: "user:password", or empty."""
    name = f"InfluxDB 1 {server}/{database}"
    http = urllib3.PoolManager(timeout=TIMEOUT, retries=False, maxsize=FLIGHTS)
    headers = dict(urllib3.make_headers(basic_auth=credentials or None))
    ql = InfluxQl(http=http, server=server, database=database, headers=headers)
    url = f"{server}/write?{urlencode({'db': database, 'precision': 'ms'})}"

    def once(body: bytes) -> tuple[int, str]:
        text = {**headers, "Content-Type": "text/plain; charset=utf-8"}
        try:
            answer = http.request("POST", url, body=body, headers=text)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{name}: {error}") from error
        return answer.status, message(answer.data)

    def post(body: bytes) -> None:
        status, said = once(body)
        if status == 404 and "database not found" in said:
            quoted = database.replace("\\", "\\\\").replace('"', '\\"')
            ql.query(f'CREATE DATABASE "{quoted}"', method="POST")
            status, said = once(body)
        check(name, status, said)

    return InfluxStore(name=name, post=post, ql=ql, close=http.clear)


def influx2(*, server: str, org: str, bucket: str, token: str) -> InfluxStore:
    """The v2 write API, by `influxdb-client`. Reading needs a server that answers InfluxQL for the bucket's name."""
    name = f"InfluxDB 2 {server}/{org}/{bucket}"
    client = InfluxDBClient(url=server, token=token, org=org, timeout=15_000, retries=False)
    api = client.write_api(write_options=SYNCHRONOUS)
    http = urllib3.PoolManager(timeout=TIMEOUT, retries=False, maxsize=FLIGHTS)
    headers = {"Authorization": f"Token {token}"} if token else {}

    def post(body: bytes) -> None:
        try:
            api.write(bucket, record=body, write_precision=WritePrecision.MS)  # type: ignore[arg-type]
        except ApiException as error:
            check(name, error.status or 0, message((error.body or "").encode()))
            raise Unavailable(f"{name}: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{name}: {error}") from error

    ql = InfluxQl(http=http, server=server, database=bucket, headers=headers)
    return InfluxStore(name=name, post=post, ql=ql, close=client.close)


def message(body: bytes) -> str:
    """What an InfluxDB says of an error: the text in its JSON, or the body itself."""
    text = body[:2000].decode(errors="replace").strip()
    try:
        told = json.loads(text)
        return str(told.get("error") or told.get("message") or text)
    except (ValueError, AttributeError):
        return text


def check(name: str, status: int, said: str) -> None:
    """Raises by the status of a write: Refused where these very lines are at fault, Unavailable for all else."""
    if status < 300:
        return
    if status in (400, 413, 422):
        reason = "field-type" if "field type conflict" in said else "too-large" if status == 413 else "store"
        raise Refused(reason, f"{name}: {said[:400]}")
    raise Unavailable(f"{name}: {status} {said[:300] or 'without a word'}")
