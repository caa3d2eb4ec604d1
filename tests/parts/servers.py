"""Real databases as child processes on loopback, each with a folder and a port of its own."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from pole.broker import free_port

START_SECONDS = 30.0


def missing(reason: str) -> None:
    """A real part is not there: for a user the test is skipped, in CI it fails."""
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str) -> str:
    """Path of a program that `make test` installs."""
    path = shutil.which(name)
    if path is None:
        missing(f"{name} is not installed; `make test` says how to get it")
    return str(path)


class Server:
    """A child process that answers HTTP on `port` when it is ready. The port stays the same over restarts."""

    health = "/"

    def __init__(self, *, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Start, and return when it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command()[0]} did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def request(self, path: str, fields: dict[str, str] | None = None) -> bytes:
        """GET, or POST when there are form fields."""
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        with urllib.request.urlopen(self.url + path, data, timeout=10) as answer:
            return bytes(answer.read())

    def _answers(self) -> bool:
        try:
            self.request(self.health)
        except (OSError, urllib.error.HTTPError):
            return False
        return True


class Influx1(Server):
    """InfluxDB 1.x. `database` is the one in use; `fresh()` empties the server and makes another."""

    health = "/ping"
    database = ""

    @property
    def store(self) -> str:
        """The store as ingest's configuration names it."""
        return f"influx1:{self.url}/{self.database}"

    def command(self) -> list[str]:
        return [program("influxd"), "-config", str(self._configuration())]

    def fresh(self, name: str = "multipole") -> None:
        """Drop the database in use and create an empty one."""
        if self.database:
            self.query(f'DROP DATABASE "{self.database}"')
        self.database = ""
        self.query(f'CREATE DATABASE "{name}"')
        self.database = name

    def query(self, influxql: str) -> list[dict]:
        """Series of all statements: dicts with name, tags, columns, values; times in epoch milliseconds.

        Raises AssertionError with the server's words when a statement is refused.
        """
        answer = json.loads(self.request("/query", {"q": influxql, "db": self.database, "epoch": "ms"}))
        errors = [result["error"] for result in answer["results"] if "error" in result]
        assert not errors, errors
        return [series for result in answer["results"] for series in result.get("series", [])]

    def _configuration(self) -> Path:
        path = self.folder / "influxdb.conf"
        if not path.exists():
            path.write_text(
                "reporting-disabled = true\n"
                f'bind-address = "127.0.0.1:{free_port()}"\n'
                f'[meta]\n  dir = "{self.folder}/meta"\n'
                f'[data]\n  dir = "{self.folder}/data"\n  wal-dir = "{self.folder}/wal"\n  query-log-enabled = false\n'
                "[monitor]\n  store-enabled = false\n"
                f'[http]\n  bind-address = "127.0.0.1:{self.port}"\n  log-enabled = false\n'
            )
        return path


class Victoria(Server):
    """VictoriaMetrics, which takes InfluxDB's v2 write API."""

    health = "/health"

    @property
    def store(self) -> str:
        """The store as ingest's configuration names it."""
        return f"influx2:{self.url}/multipole/multipole"

    def command(self) -> list[str]:
        return [
            program("victoria-metrics"),
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.folder}/data",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=64MB",
            "-search.latencyOffset=0s",
        ]

    def export(self, match: str = '{__name__!=""}') -> list[dict]:
        """All series that match: dicts with metric (labels), values and timestamps (epoch milliseconds)."""
        self.request("/internal/force_flush")
        lines = self.request("/api/v1/export?" + urllib.parse.urlencode({"match[]": match}))
        return [json.loads(line) for line in lines.splitlines()]
