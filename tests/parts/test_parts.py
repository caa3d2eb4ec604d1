"""The real parts themselves: each starts, answers, and is empty at the start of a test."""

import subprocess
import urllib.request

import pytest

from tests.parts.servers import missing


def write(url, line):
    with urllib.request.urlopen(url, line.encode(), timeout=60) as answer:
        assert answer.status == 204


@pytest.mark.parametrize("value", [1, 2])
def test_influx1_starts_every_test_with_an_empty_database(influx1, value):
    write(f"{influx1.url}/write?db={influx1.database}&precision=ms", f"air,pole=P0001 pm2_5={value} 1763683200250")
    assert influx1.query("SELECT * FROM air") == [
        {"name": "air", "columns": ["time", "pm2_5", "pole"], "values": [[1763683200250, value, "P0001"]]}
    ]


def test_influx1_keeps_port_and_data_over_a_kill(influx1):
    write(f"{influx1.url}/write?db={influx1.database}&precision=ms", "air,pole=P0001 pm2_5=7 1763683200250")
    influx1.kill()
    with pytest.raises(OSError, match=r"refused"):
        influx1.query("SELECT * FROM air")
    influx1.start()
    assert influx1.query("SELECT pm2_5 FROM air")[0]["values"] == [[1763683200250, 7]]


def test_victoria_takes_the_v2_write_api(victoria):
    assert victoria.export() == []
    line = "air,pole=P0001 pm2_5=35.2 1763683200250"
    write(f"{victoria.url}/api/v2/write?org=multipole&bucket=multipole&precision=ms", line)
    (series,) = victoria.export()
    assert series["metric"]["__name__"] == "air_pm2_5"
    assert (series["values"], series["timestamps"]) == ([35.2], [1763683200250])


def test_micropython_has_the_word_size_that_its_name_says(micropython, request):
    code = "import sys; print(sys.implementation.name, sys.maxsize > 2**31)"
    answer = subprocess.run([micropython, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert answer.stdout.split() == ["micropython", str("64-bit" in request.node.name)]


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_part_fails_in_ci_and_skips_elsewhere(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no such part"):
        missing("no such part")
