"""`pole fleet scenario`: what is shipped, what happens in one, and what is wrong with one's own."""

import json

import pytest
from typer.testing import CliRunner

from pole.fleet.scenario import app
from simulators import scenario

MINE = """\
scenario: mine
labels: {en: Mine, zh: 我的}
story: {en: A front crosses., zh: 锋面过境。}
start: 2026-07-15 18:00
length: 4h
causes:
  - {at: 1h, front: {speed: 5, width: 0.5}}
  - {at: 1h, lasts: 2h, outage: , where: {feeders: [0]}, say: {en: It is dark., zh: 停电。}}
  - {at: 2h, lasts: 10s, sos: , where: {poles: [P09999]}}
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE, encoding="utf-8")
    return str(path)


def said(*words, exit_code=0):
    result = CliRunner(env={"COLUMNS": "150"}).invoke(app, list(words))
    assert result.exit_code == exit_code, result.output
    return result


def test_list_names_every_shipped_scenario():
    lines = said("list").stdout.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == ["scenario", *scenario.names()]
    told = json.loads(said("list", "--json").stdout)
    assert [each["scenario"] for each in told] == scenario.names()
    assert told[scenario.names().index("storm")]["length_s"] == 7200


def test_show_draws_when_a_cause_is_at_work(mine):
    lines = said("show", mine, "--poles", "200").stdout.splitlines()
    axis = next(line for line in lines if " lasts " in line)
    left = axis.index("18:00")
    column = (axis.index("20:00") - left) // 2  # columns of an hour
    outage = next(line for line in lines if line.startswith("outage"))
    bar = outage[left : left + 4 * column]
    assert bar == " " * column + "█" * 2 * column + " " * column
    assert outage[:left].split() == ["outage", "1h", "2h"]
    assert "It is dark. · 停电。" in outage
    assert "speed 5 m/s, rain 20 mm/h, wind 8 m/s, cooling 4 K, pressure 2 hPa, from 315°, 500 m deep" in " ".join(
        " ".join(lines).split()
    )
    sun = next(line for line in lines if line.startswith("light"))[left : left + 4 * column]
    assert sun.strip("█▒ ") == ""
    assert sun.startswith("█" * column)  # an hour before sunset
    assert sun.endswith(" " * column)


def test_a_front_is_drawn_until_it_has_crossed(mine):
    """200 poles are some 1 km, the band is half a kilometre: at 5 m/s gone within ten minutes, a column or two."""
    line = next(line for line in said("show", mine, "--poles", "200").stdout.splitlines() if line.startswith("front"))
    assert 1 <= line.count("█") <= 3


def test_show_tells_a_program_how_many_poles_each_cause_meets(mine):
    told = json.loads(said("show", mine, "--poles", "200", "--seed", "5", "--json").stdout)
    assert (told["seed"], told["poles"], told["start"]) == (5, 200, "2026-07-15T18:00:00")
    front, outage, sos = told["causes"]
    assert (front["poles"], front["end_s"], front["local"]) == (200, None, "2026-07-15T19:00:00")
    assert 0 < outage["poles"] < 200
    assert (outage["end_s"], outage["en"]) == (10_800, "It is dark.")
    assert sos["poles"] == 0


def test_check_warns_of_a_cause_that_meets_nobody(mine):
    result = said("check", mine, "--poles", "200")
    assert result.stdout == f"ok    {mine}\n"
    assert result.stderr == f"warning: {mine}: the sos at 7200s meets no pole in a city of 200.\n"


def test_check_fails_on_a_mistake_and_tells_every_file(mine, tmp_path):
    (tmp_path / "broken.yaml").write_text(MINE.replace("outage", "outrage"), encoding="utf-8")
    broken = str(tmp_path / "broken.yaml")
    result = said("check", broken, "storm", "--json", exit_code=1)
    told = {each["file"]: each for each in json.loads(result.stdout)}
    assert told["storm"] == {"file": "storm", "ok": True, "problems": [], "warnings": []}
    assert told[broken]["problems"] == [f"{broken}:8: causes[1].outrage: unknown key. Did you mean 'outage'?"]


@pytest.mark.parametrize("poles", ["200", "5000"])
def test_every_cause_of_a_shipped_scenario_meets_somebody(poles):
    result = said("check", "--poles", poles)
    assert result.stdout.splitlines() == [f"ok    {name}" for name in scenario.names()]
    assert result.stderr == ""
