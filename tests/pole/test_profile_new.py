import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device_profiles import loader
from device_profiles.problems import FileProblem
from pole.command import app
from tests.pole.test_profile import pole

run = CliRunner().invoke
TABLE = "寄存器地址,名称,数据类型,单位,倍率,功能码\n0,A相电压,uint16,V,0.1,4\n1,A相电流,uint16,A,0.01,4\n"
SAID = (
    "--maker", "m", "--model", "n", "--source", "A manual, page 1", "--verified", "manual", "--caveat", "none",
    "--en", "Meter", "--zh", "电表",
)  # fmt: skip


def test_a_gb18030_table_becomes_a_profile_that_lacks_only_its_exchange(tmp_path):
    (tmp_path / "table.csv").write_bytes(TABLE.encode("gb18030"))
    command = ["profile", "new", "m-n", "--function", "energy", "--csv", str(tmp_path / "table.csv")]
    result = run(app, [*command, "--out", str(tmp_path), *SAID])
    assert result.exit_code == 0, result.output
    assert "wrote" in result.output
    assert "fill in" not in result.output
    path = tmp_path / "m-n.yaml"
    assert list(loader.load(path).points) == ["voltage_l1", "current_l1"]
    told = json.loads(run(app, ["profile", "check", str(path), "--json"]).output)
    problems = json.dumps(told)
    assert "m-n.golden.yaml" in problems
    assert "voltage" not in problems


def test_a_draft_is_refused_by_check_with_what_to_write(tmp_path):
    result = pole("profile", "new", "mine", "--function", "air", "--from", "xy-md03", "--out", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "4 places to fill in" not in result.stdout  # maker, model, source, verified and a caveat
    assert "5 places to fill in" in result.stdout
    checked = pole("profile", "check", str(tmp_path / "mine.yaml"))
    assert checked.returncode == 1
    assert "verified: is not filled in yet. Write how far this is verified: excerpt, third-party," in checked.stderr
    assert "Traceback" not in checked.stderr


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine.yaml").write_text("dear")
    result = pole("profile", "new", "mine", "--function", "air", "--from", "xy-md03", "--out", str(tmp_path))
    assert result.returncode == 2
    assert "nothing is overwritten" in " ".join(result.stderr.split())
    assert (tmp_path / "mine.yaml").read_text() == "dear"


def test_without_a_beginning_the_near_devices_are_told(tmp_path):
    result = pole("profile", "new", "mine", "--function", "water", "--out", str(tmp_path))
    assert (result.returncode, result.stdout) == (2, "")
    assert "--from qdy30a" in result.stderr
    assert "--csv" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_device_of_another_function_is_refused(tmp_path):
    with pytest.raises(FileProblem, match="sdm120 is a device of energy, not of air; say where to begin"):
        run(app, ["profile", "new", "x", "--function", "air", "--from", "sdm120"], catch_exceptions=False)


def test_a_bad_table_is_told_by_line_and_nothing_is_written(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE.replace("uint16,A", "uint61,A"), "utf-8")
    result = pole("profile", "new", "x", "--function", "energy", "--csv", "table.csv", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("table.csv:3: type: 'uint61' is no type. Did you mean 'uint")
    assert not Path(tmp_path / "x.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "--function", "airs"], "'airs' is not one of"),
        (["a b", "--function", "air"], "is no name"),
        (["x", "--function", "air", "--verified", "sure"], "'sure' is not one of"),
        (["x", "--function", "air", "--table", "inputs"], "Did you mean 'input'?"),
        (["x", "--function", "air", "--base", "2"], "--base"),
    ],
)
def test_a_bad_option_is_one_sentence(tmp_path, arguments, words):
    result = run(app, ["profile", "new", *arguments], env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert words in result.output
