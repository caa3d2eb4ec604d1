"""Databases for `pole bench ingest`, each a child process with a folder and a port of its own.

`written` is a counter that costs the server nothing to tell; `readings` counts what can be read back.
"""

import json
import re
import shutil
import sys
import urllib.parse
from pathlib import Path
from typing import Protocol

from bench.servers import Server, influxdb_configuration, victoria_options
from device_profiles.schema import FUNCTIONS
from pole.demo.store import reading

DATABASE = "bench"
MEASUREMENTS = (*FUNCTIONS, "quality")  # all but the ledger


class Store(Protocol):
    """Where the readings go. url: as ingest's configuration names it."""

    name: str

    @property
    def pid(self) -> int | None: ...
    @property
    def url(self) -> str: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def written(self) -> int: ...
    def readings(self) -> int: ...


class Influx1(Server):
    """InfluxDB 1: written counts points, which are lines."""

    name = "influxdb 1"
    health = "/ping"

    @property
    def url(self) -> str:
        return f"influx1:{self.http}/{DATABASE}"

    def command(self) -> list[str]:
        return [_program("influxd"), "-config", str(influxdb_configuration(self.folder, self.port))]

    def start(self) -> None:
        super().start()
        self.request("/query", {"q": f'CREATE DATABASE "{DATABASE}"'})

    def written(self) -> int:
        return int(json.loads(self.request("/debug/vars"))["write"]["values"]["pointReq"])

    def readings(self) -> int:
        # each by itself: of several at once, it leaves out a field that is a text in one and a number in another
        asked = "; ".join(f"SELECT count(*) FROM {measurement}" for measurement in MEASUREMENTS)
        answer = json.loads(self.request("/query", {"q": asked, "db": DATABASE}))
        rows = [row for each in answer["results"] for series in each.get("series", []) for row in series["values"]]
        return sum(value for row in rows for value in row[1:] if value is not None)


class Victoria(Server):
    """VictoriaMetrics by its line protocol: written counts field values."""

    name = "victoriametrics"
    health = "/health"

    @property
    def url(self) -> str:
        return f"victoria:{self.http}"

    def command(self) -> list[str]:
        return [
            _program("victoria-metrics"), *victoria_options(self.folder, self.port),
            "-search.maxExportSeries=10000000", "-search.maxSeries=10000000",
        ]  # fmt: skip

    def written(self) -> int:
        found = re.findall(rb'vm_rows_inserted_total\{type="influx"\} (\d+)', self.request("/metrics"))
        return sum(map(int, found))

    def readings(self) -> int:
        self.request("/internal/force_flush")
        match = urllib.parse.urlencode(
            {"match[]": f'{{__name__=~"({"|".join(MEASUREMENTS)})_.*"}}', "reduce_mem_usage": "1"}
        )
        return sum(len(json.loads(line)["values"]) for line in self.request(f"/api/v1/export?{match}").splitlines())


class Nowhere(Server):
    """It keeps nothing, and does the same however many series there are: written counts lines."""

    name = "nowhere"

    @property
    def url(self) -> str:
        return f"influx1:{self.http}/{DATABASE}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "bench.ingest_nowhere", str(self.port)]

    def written(self) -> int:
        return int(self.request("/lines"))

    def readings(self) -> int:
        return int(self.request("/readings"))


class Sqlite:
    """Our embedded store: its work is done in ingest's own process. written counts packs."""

    name = "sqlite"
    pid: int | None = None

    def __init__(self, *, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "readings.db"

    @property
    def url(self) -> str:
        return f"sqlite:{self.file}"

    def start(self) -> None:
        """Nothing to start."""

    def kill(self) -> None:
        """Nor to end."""

    def written(self) -> int:
        return self._count("packs")

    def readings(self) -> int:
        return self._count("points") + self._count("quality")

    def _count(self, table: str) -> int:
        if not self.file.exists():
            return 0
        with reading(self.file) as db:
            return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


STORES: dict[str, type[Influx1 | Victoria | Sqlite | Nowhere]] = {
    "influx1": Influx1, "victoria": Victoria, "sqlite": Sqlite, "nowhere": Nowhere,
}  # fmt: skip


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(f"{name} is not installed; `make test` says how to get it")
    return path
