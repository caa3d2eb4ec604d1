"""InfluxDB 1.x, and what speaks like it: `/write` and `/query`."""

import json
from urllib.parse import urlencode

import urllib3

from ingest import lines
from ingest.errors import Refused, Unavailable
from ingest.influxql import InfluxQl
from ingest.rows import Counts, Ledger, Packs, Row
from ingest.stores import Wanted
from ingest.worker import Worker

TIMEOUT = urllib3.Timeout(connect=3.0, read=15.0)


class Influx1Store:
    """credentials: "user:password", or empty."""

    def __init__(self, *, server: str, database: str, credentials: str) -> None:
        self.name = f"InfluxDB 1 {server}/{database}"
        self._server = server
        self._database = database
        self._where = urlencode({"db": database, "precision": "ms"})
        self._http = urllib3.PoolManager(timeout=TIMEOUT, retries=False)
        self._headers = urllib3.make_headers(basic_auth=credentials or None)
        self._ql = InfluxQl(http=self._http, server=server, database=database, headers=dict(self._headers))
        self._worker = Worker(name="influx1-store")

    async def write(self, rows: list[Row], ledgers: list[Ledger]) -> None:
        await self._worker.run(self._write, rows, ledgers)

    async def readings(self, wanted: Wanted) -> list[Row]:
        return await self._worker.run(self._ql.readings, wanted)

    async def packs(self) -> list[Packs]:
        return await self._worker.run(self._ql.packs)

    async def counts(self) -> Counts:
        return await self._worker.run(self._ql.counts)

    async def close(self) -> None:
        await self._worker.close(self._http.clear)

    def _write(self, rows: list[Row], ledgers: list[Ledger]) -> None:
        try:
            body = lines.encode(rows, ledgers)
        except UnicodeEncodeError as error:
            raise Refused("text", str(error)) from error
        status, said = self._post(body)
        if status == 404 and "database not found" in said:
            self._create()
            status, said = self._post(body)
        check(self.name, status, said)

    def _post(self, body: bytes) -> tuple[int, str]:
        try:
            answer = self._http.request(
                "POST",
                f"{self._server}/write?{self._where}",
                body=body,
                headers={**self._headers, "Content-Type": "text/plain; charset=utf-8"},
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{self.name}: {error}") from error
        return answer.status, message(answer.data)

    def _create(self) -> None:
        quoted = self._database.replace("\\", "\\\\").replace('"', '\\"')
        self._ql.query(f'CREATE DATABASE "{quoted}"', method="POST")


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
