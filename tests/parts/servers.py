"""Real databases as child processes on loopback, each with a folder and a port of its own."""

import json
import os
import shutil
import urllib.parse

import pytest

from bench.servers import Server, influxdb_configuration, victoria_options


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


class _Part(Server):
    @property
    def url(self) -> str:
        """Where it answers."""
        return self.http


class Influx1(_Part):
    """InfluxDB 1.x. `database` is the one in use; `fresh()` empties the server and makes another."""

    health = "/ping"
    database = ""

    @property
    def store(self) -> str:
        """The store as ingest's configuration names it."""
        return f"influx1:{self.url}/{self.database}"

    def command(self) -> list[str]:
        return [program("influxd"), "-config", str(influxdb_configuration(self.folder, self.port))]

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


class Victoria(_Part):
    """VictoriaMetrics, which takes InfluxDB's v2 write API."""

    health = "/health"

    @property
    def store(self) -> str:
        """The store as ingest's configuration names it."""
        return f"influx2:{self.url}/multipole/multipole"

    def command(self) -> list[str]:
        return [
            program("victoria-metrics"),
            *victoria_options(self.folder, self.port),
            "-memory.allowedBytes=64MB",
        ]

    def export(self, match: str = '{__name__!=""}') -> list[dict]:
        """All series that match: dicts with metric (labels), values and timestamps (epoch milliseconds)."""
        self.request("/internal/force_flush")
        lines = self.request("/api/v1/export?" + urllib.parse.urlencode({"match[]": match}))
        return [json.loads(line) for line in lines.splitlines()]
