import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from device_profiles import loader
from device_profiles.schema import FUNCTIONS
from pole.command import app
from tests.device_profiles.broken import messages
from tests.device_profiles.test_broken_commands import BROKEN as BROKEN_COMMANDS
from tests.device_profiles.test_broken_exchanges import BROKEN_GOLDEN
from tests.device_profiles.test_broken_profiles import BROKEN

run = CliRunner().invoke


def pole(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own: what a shell sees."""
    command = [sys.executable, "-m", "pole", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **more)  # type: ignore[call-overload]


def broken(tmp_path: Path) -> Path:
    path = tmp_path / "xy-md03.yaml"
    path.write_text(loader.files()["xy-md03"].read_text("utf-8").replace("function: air", "function: airs"), "utf-8")
    return path


def test_list_names_every_profile() -> None:
    result = run(app, ["profile", "list"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    assert all(name in result.output for name in loader.profiles())


def test_list_as_json_is_what_a_program_needs() -> None:
    result = run(app, ["profile", "list", "--json"])
    rows = {row["profile"]: row for row in json.loads(result.output)}
    assert set(rows) == set(loader.profiles())
    assert rows["arlight-dali"]["commands"] == ["set_level"]
    assert rows["xy-md03"]["labels"]["zh"] == "温湿度传感器"


def test_list_has_the_nine_functions_of_a_pole() -> None:
    rows = json.loads(run(app, ["profile", "list", "--json"]).output)
    assert len(rows) >= 28
    assert {row["function"] for row in rows} >= set(FUNCTIONS[:9])


def test_check_passes_for_all_that_are_shipped() -> None:
    result = run(app, ["profile", "check"])
    assert result.exit_code == 0
    assert result.output == f"{len(loader.profiles())} profiles ok\n"


def test_check_shows_each_check_when_asked() -> None:
    result = run(app, ["profile", "check", "--verbose", str(loader.files()["xy-md03"]), str(loader.files()["gateway"])])
    assert result.exit_code == 0
    lines = [line.split(None, 2) for line in result.output.splitlines()]
    assert [line[1] for line in lines[:8]] == [
        "schema", "vocabulary", "overlaps", "reach", "units", "commands", "golden", "emulator",
    ]  # fmt: skip
    assert {line[0] for line in lines[:8]} == {"ok"}
    assert [line[:2] for line in lines[14:16]] == [["not", "needed"], ["not", "needed"]]
    assert lines[-1] == ["2", "profiles", "ok"]


def test_check_fails_with_the_message_and_no_trace(tmp_path: Path) -> None:
    path = broken(tmp_path)
    result = pole("profile", "check", str(path))
    assert result.returncode == 1
    assert result.stderr.startswith(f"{path}:4: function: 'airs' is not one of ")
    assert "Did you mean 'air'?" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_check_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    good = loader.files()["sdm120"]
    result = run(app, ["profile", "check", str(broken(tmp_path)), str(good), "--json"])
    assert result.exit_code == 1
    first, second = json.loads(result.output)
    assert (first["ok"], len(first["problems"])) == (False, 1)
    assert {key: second[key] for key in ("file", "ok", "problems")} == {"file": str(good), "ok": True, "problems": []}
    assert (first["checks"]["schema"], first["checks"]["golden"]) == ("failed", "not reached")
    assert set(second["checks"].values()) == {"ok"}


def test_check_of_a_folder_takes_each_profile_in_it(tmp_path: Path) -> None:
    folder = loader.files()["xy-md03"].parent
    result = run(app, ["profile", "check", str(folder), "--json"])
    assert result.exit_code == 0
    checked = [row["file"] for row in json.loads(result.output)]
    assert checked == sorted(str(path) for path in loader.files().values() if path.parent == folder)
    result = run(app, ["profile", "check", *map(str, sorted(folder.glob("*.yaml"))), "--json"])
    assert [row["file"] for row in json.loads(result.output)] == checked  # an exchange is checked with its profile

    (tmp_path / "deeper").mkdir()
    path = broken(tmp_path / "deeper")
    result = run(app, ["profile", "check", str(tmp_path)])
    assert result.exit_code == 1
    assert f"{path}:4: function: 'airs' is not one of " in result.output


SAMPLE = [
    *[(kinds, kind) for kinds, names in (
        (BROKEN, ["all registers, another protocol", "two items in the same bytes", "a poll faster than the line",
                  "a tab", "commands among points", "a percent that is a ratio"]),
        (BROKEN_COMMANDS, ["a command that is not known"]),
    ) for kind in names],
]  # fmt: skip


@pytest.mark.parametrize(("kinds", "kind"), SAMPLE, ids=[kind for _, kind in SAMPLE])
def test_check_of_a_broken_profile_is_one_line_on_stderr(
    tmp_path: Path, kinds: dict[str, tuple[str, str, str, str]], kind: str
) -> None:
    base, old, new, wanted = kinds[kind]
    assert messages(tmp_path, base, old, new) == [wanted]  # and writes the file
    result = pole("profile", "check", str(tmp_path / "demo.yaml"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == f"{tmp_path / 'demo.yaml'}{wanted}"
    assert "Traceback" not in result.stderr


def test_check_of_a_broken_exchange_is_one_line_on_stderr(tmp_path: Path) -> None:
    base, old, new, wanted = BROKEN_GOLDEN["a check sum of HJ 212 that is wrong"]
    messages(tmp_path, base, old, new, in_golden=True)
    result = pole("profile", "check", str(tmp_path / "demo.yaml"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"{tmp_path / 'demo.golden.yaml'}{wanted}\n"


def test_docs_writes_the_pages_and_keeps_the_notes(tmp_path: Path) -> None:
    out = tmp_path / "devices"
    docs = ["profile", "docs", str(loader.files()["xy-md03"]), "--out", str(out)]
    assert run(app, [*docs, "--check"]).exit_code == 1
    assert run(app, docs).stdout == f"{out}: 1 device, 2 pages written\n"
    assert run(app, [*docs, "--check"]).exit_code == 0
    page = out / "xy-md03.md"
    page.write_text(page.read_text("utf-8").replace("<!-- notes -->\n", "<!-- notes -->\nOurs is blue.\n"), "utf-8")
    assert run(app, [*docs, "--check"]).exit_code == 0
    page.write_text(page.read_text("utf-8").replace("## Points", "## Pints"), "utf-8")
    result = pole(*docs, "--check")
    assert (result.returncode, result.stderr) == (1, f"{page}: out of date. `pole profile docs` writes it anew.\n")
    assert run(app, docs).exit_code == 0
    assert "Ours is blue." in page.read_text("utf-8")
    assert "## Points" in page.read_text("utf-8")


def test_check_of_a_folder_without_profiles_says_so(tmp_path: Path) -> None:
    result = pole("profile", "check", str(tmp_path))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{tmp_path}: this folder holds no profile")


def test_check_replays_the_exchange_beside_a_file(tmp_path: Path) -> None:
    for path in (loader.files()["xy-md03"], loader.files()["xy-md03"].with_name("xy-md03.golden.yaml")):
        text = path.read_text("utf-8").replace("scale: 0.1}\n    range: [-40", "scale: 0.01}\n    range: [-40")
        (tmp_path / path.name).write_text(text, "utf-8")
    result = run(app, ["profile", "check", str(tmp_path / "xy-md03.yaml")])
    assert result.exit_code == 1
    assert "values.temperature: 30.5 is stated, but the exchange decodes to 3.05." in result.output


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"- 1"])
def test_check_of_rubbish_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rubbish.yaml"
    path.write_bytes(content)
    result = pole("profile", "check", str(path))
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(str(path))
