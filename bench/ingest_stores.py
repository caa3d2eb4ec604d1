"""Databases for `pole bench ingest`, each a child process with a folder and a port of its own.

`written` is a counter that costs the server nothing to tell; `readings` counts what can be read back.
"""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Protocol

from pole.broker import free_port
from pole.demo.store import reading

START_S = 30.0
DATABASE = "bench"


class Store(Protocol):
    """Where the readings go. url: as ingest's configuration names it; per_pack: by how much written grows."""

    name: str

    @property
    def pid(self) -> int | None: ...
    @property
    def url(self) -> str: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def written(self) -> int: ...
    def readings(self) -> int: ...


class _Server:
    name = ""
    health = "/"

    def __init__(self, *, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.http = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """While it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Returns when it answers. Raises RuntimeError."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.name} did not start; its log: {self.folder / 'log'}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def get(self, path: str, fields: dict[str, str] | None = None) -> bytes:
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        with urllib.request.urlopen(self.http + path, data, timeout=60) as answer:
            return bytes(answer.read())

    def _answers(self) -> bool:
        try:
            self.get(self.health)
        except (OSError, urllib.error.HTTPError):
            return False
        return True


class Influx1(_Server):
    """InfluxDB 1: written counts points, which are lines."""

    name = "influxdb 1"
    health = "/ping"

    @property
    def url(self) -> str:
        return f"influx1:{self.http}/{DATABASE}"

    def command(self) -> list[str]:
        return [_program("influxd"), "-config", str(self._configuration())]

    def start(self) -> None:
        super().start()
        self.get("/query", {"q": f'CREATE DATABASE "{DATABASE}"'})

    def written(self) -> int:
        return int(json.loads(self.get("/debug/vars"))["write"]["values"]["pointReq"])

    def readings(self) -> int:
        answer = json.loads(self.get("/query", {"q": "SELECT count(*) FROM air", "db": DATABASE}))
        series = answer["results"][0].get("series", [])
        return sum(value for each in series for row in each["values"] for value in row[1:] if value is not None)

    def _configuration(self) -> Path:
        path = self.folder / "influxdb.conf"
        path.write_text(
            "reporting-disabled = true\n"
            f'bind-address = "127.0.0.1:{free_port()}"\n'
            f'[meta]\n  dir = "{self.folder}/meta"\n'
            f'[data]\n  dir = "{self.folder}/data"\n  wal-dir = "{self.folder}/wal"\n  query-log-enabled = false\n'
            "[monitor]\n  store-enabled = false\n"
            f'[http]\n  bind-address = "127.0.0.1:{self.port}"\n  log-enabled = false\n'
        )
        return path


class Victoria(_Server):
    """VictoriaMetrics by its line protocol: written counts field values."""

    name = "victoriametrics"
    health = "/health"

    @property
    def url(self) -> str:
        return f"victoria:{self.http}"

    def command(self) -> list[str]:
        return [
            _program("victoria-metrics"), f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.folder}/data", "-retentionPeriod=100y", "-search.latencyOffset=0s",
            "-search.maxExportSeries=10000000", "-search.maxSeries=10000000",
        ]  # fmt: skip

    def written(self) -> int:
        found = re.findall(rb'vm_rows_inserted_total\{type="influx"\} (\d+)', self.get("/metrics"))
        return sum(map(int, found))

    def readings(self) -> int:
        self.get("/internal/force_flush")
        match = urllib.parse.urlencode({"match[]": '{__name__=~"air_.*"}', "reduce_mem_usage": "1"})
        return sum(len(json.loads(line)["values"]) for line in self.get(f"/api/v1/export?{match}").splitlines())


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
        return self._count("points")

    def _count(self, table: str) -> int:
        if not self.file.exists():
            return 0
        with reading(self.file) as db:
            return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


STORES: dict[str, type[Influx1 | Victoria | Sqlite]] = {"influx1": Influx1, "victoria": Victoria, "sqlite": Sqlite}


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(f"{name} is not installed; `make test` says how to get it")
    return path
