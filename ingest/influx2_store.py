"""InfluxDB 2 and 3, and what speaks their v2 write API: `influxdb-client` writes, InfluxQL reads."""

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from ingest import lines
from ingest.errors import Refused, Unavailable
from ingest.influx1_store import TIMEOUT, check, message
from ingest.influxql import InfluxQl
from ingest.rows import Counts, Ledger, Packs, Row
from ingest.stores import Wanted
from ingest.worker import Worker


class Influx2Store:
    """Reading needs a server that answers InfluxQL for the bucket's name, as InfluxDB 2 does of itself."""

    def __init__(self, *, server: str, org: str, bucket: str, token: str) -> None:
        self.name = f"InfluxDB 2 {server}/{org}/{bucket}"
        self._bucket = bucket
        self._client = InfluxDBClient(url=server, token=token, org=org, timeout=15_000, retries=False)
        self._api = self._client.write_api(write_options=SYNCHRONOUS)
        http = urllib3.PoolManager(timeout=TIMEOUT, retries=False)
        headers = {"Authorization": f"Token {token}"} if token else {}
        self._ql = InfluxQl(http=http, server=server, database=bucket, headers=headers)
        self._worker = Worker(name="influx2-store")

    async def write(self, rows: list[Row], ledgers: list[Ledger]) -> None:
        await self._worker.run(self._write, rows, ledgers)

    async def readings(self, wanted: Wanted) -> list[Row]:
        return await self._worker.run(self._ql.readings, wanted)

    async def packs(self) -> list[Packs]:
        return await self._worker.run(self._ql.packs)

    async def counts(self) -> Counts:
        return await self._worker.run(self._ql.counts)

    async def close(self) -> None:
        await self._worker.close(self._client.close)

    def _write(self, rows: list[Row], ledgers: list[Ledger]) -> None:
        try:
            body = lines.encode(rows, ledgers)
        except UnicodeEncodeError as error:
            raise Refused("text", str(error)) from error
        try:
            self._api.write(self._bucket, record=body, write_precision=WritePrecision.MS)  # type: ignore[arg-type]
        except ApiException as error:
            check(self.name, error.status or 0, message((error.body or "").encode()))
            raise Unavailable(f"{self.name}: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{self.name}: {error}") from error
