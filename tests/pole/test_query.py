"""`pole query` on a real file and a real InfluxDB."""

import asyncio
import csv
import io
import json
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from ingest.rows import Names
from ingest.store_url import open_store
from pole.command import app

AGES_MS = [1000, 2000, 3000, 4000, 3_600_000]
WHAT = [
    ("air", "wuhou", "P0001", "air-1", "pm2_5", 35.2, None),
    ("air", "wuhou", "P0001", "air-1", "note", 'a "b", c', None),
    ("manhole", "wuhou", "P0002", "cover-1", "open", True, None),
    ("water", "wuhou", "P0002", "water-1", "level", None, "timeout"),
    ("air", "wuhou", "P0001", "air-1", "pm2_5", 12.0, None),
]


@pytest.fixture(scope="module")
def now_ms():
    """When this file's turn has come: a long run comes here many minutes after it read the file."""
    return time.time_ns() // 1_000_000


@pytest.fixture(params=["sqlite", "influx1"])
def url(request, tmp_path, now_ms):
    url = f"sqlite:{tmp_path}/readings.db" if request.param == "sqlite" else request.getfixturevalue("influx1").store

    async def fill():
        store = open_store(url)
        rows = [(*what[:5], now_ms - age, *what[5:]) for what, age in zip(WHAT, AGES_MS, strict=True)]
        await store.write(Names().runs(rows), [])
        await store.close()

    asyncio.run(fill())
    return url


def query(*arguments):
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["query", *arguments])


def typed(*arguments):
    """As a process of its own, for what only that has: tracebacks, and an exit code for the shell."""
    command = [sys.executable, "-m", "pole", "query", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_json_has_every_reading_with_its_type(url, now_ms):
    answer = typed("--store", url, "--format", "json")
    assert answer.returncode == 0, answer.stderr
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [(row["point"], row["value"], row["quality"]) for row in found] == [
        ("pm2_5", 35.2, None),
        ("note", 'a "b", c', None),
        ("open", True, None),
        ("level", None, "timeout"),
    ]
    assert found[2]["value"] is True
    seconds, _, millis = found[0]["time"].rstrip("Z").partition(".")
    assert millis == f"{(now_ms - 1000) % 1000:03}"
    assert seconds == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime((now_ms - 1000) // 1000))


def test_csv_reads_back(url):
    answer = query("--store", url, "--format", "csv", "--function", "air", "--since", "2h")
    found = list(csv.DictReader(io.StringIO(answer.stdout)))
    assert [(row["point"], row["value"]) for row in found] == [
        ("pm2_5", "35.2"),
        ("note", 'a "b", c'),
        ("pm2_5", "12.0"),
    ]


def test_the_table_is_for_people(url):
    answer = query("--store", url, "--pole", "P0002", "--limit", "1")
    head, line = answer.stdout.splitlines()
    assert head.split() == ["time", "function", "area", "pole", "device", "point", "value", "quality"]
    assert line.split()[1:] == ["manhole", "wuhou", "P0002", "cover-1", "open", "True"]


def test_a_configuration_names_the_store(tmp_path, url):
    path = tmp_path / "ingest.yaml"
    path.write_text(f"broker: mqtt://ingest@127.0.0.1\nstore: {url}\ndead_letters: d.db\n")
    answer = query("--config", str(path), "--device", "water-1", "--point", "level", "--format", "json")
    assert [json.loads(line)["quality"] for line in answer.stdout.splitlines()] == ["timeout"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--store", "sqlite:x", "--config", "x"), "--store or --config, not both"),
        (("--store", "nothing"), "is not a store"),
        (("--store", "sqlite:no-such.db"), "no-such.db is not there"),
        (("--store", "sqlite:no-such.db?keep=9d"), "no-such.db is not there"),
        (("--store", "sqlite:x", "--since", "soon"), "a duration is a number with"),
        (("--store", "sqlite:x", "--format", "xml"), "write table, csv, json"),
        (
            ("--store", "sqlite:x", "--function", "ari"),
            "'ari' is not a function. Did you mean 'air'? There are lighting,",
        ),
        (("--store", "sqlite:x", "--token-file", "no-such"), "--token-file: no-such cannot be read: No such file"),
    ],
)
def test_a_mistake_is_told(arguments, said):
    answer = query(*arguments)
    assert isinstance(answer.exception, SystemExit), "a mistake is told, it ends in no traceback"
    assert answer.exit_code != 0
    assert said in " ".join(answer.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--pole", "P001"),
            "the store has never had a reading with --pole P001. Did you mean 'P0001'?"
            " In this time it has: P0001, P0002",
        ),
        (
            ("--pole", "P0002", "--device", "air-1"),
            "the store has never had a reading with --device air-1. Did you mean 'water-1'?"
            " In this time it has: cover-1, water-1",
        ),
        (
            ("--function", "air", "--point", "pm25"),
            "the store has never had a reading with --point pm25. Did you mean 'pm2_5'?"
            " In this time it has: note, pm2_5",
        ),
        (("--device", "air-1", "--since", "1ms"), "no readings; a longer --since looks further back"),
        (
            ("--device", "air-9", "--since", "1ms"),
            "the store has never had a reading with --device air-9, and in this time none at all",
        ),
    ],
)
def test_a_name_that_the_store_has_never_heard_is_told(url, arguments, said):
    answer = query("--store", url, "--format", "json", *arguments)
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert answer.stderr.strip() == said


def test_a_mistake_has_its_exit_code_and_no_traceback(tmp_path):
    answer = typed("--store", "sqlite:x", "--function", "ari")
    assert (answer.returncode, "Traceback" in answer.stderr) == (2, False)
    answer = typed("--config", str(tmp_path / "ingest.yaml"))
    assert (answer.returncode, "Traceback" in answer.stderr) == (2, False)
    assert "ingest.yaml: cannot be read" in answer.stderr
