import tomllib
from pathlib import Path

from typer.testing import CliRunner

from pole.command import app

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def test_the_version_is_the_projects() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.split() == ["pole", tomllib.loads(PROJECT.read_text("utf-8"))["project"]["version"]]
